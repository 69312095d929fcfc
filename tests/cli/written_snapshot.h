// A snapshot in the repository of a test's host, written without libvirt.
#pragma once

#include <random>

#include "archive/archive_writer.h"
#include "archive/folder_store.h"
#include "archive/record_store.h"
#include "archive/volume.h"
#include "catalog/catalog.h"
#include "tests/cli/command_line.h"

namespace sealift::cli {

struct WrittenSnapshot {
  std::string vm = "web-01";
  std::string uuid = "6f0c1d3e-0000-4000-8000-0123456789ab";
  std::int64_t created = 1'799'000'000;
  std::string verdict = "complete";
  unsigned char content = 'a';
  std::string no_state = "the VM has no vTPM";  ///< Why there is no guest state.
  unsigned char second = 0;                     ///< Content of another chunk, if any.
  bool is_deduplicated = false;  ///< What the host has stored already is not stored.
};

class NothingKnown final : public archive::KnownChunks {
 public:
  base::Result<bool> contains(const archive::ChunkId&) const override { return false; }
};

inline archive::Manifest manifest_of(const WrittenSnapshot& wanted) {
  archive::Manifest manifest;
  manifest.vm_name = wanted.vm;
  manifest.vm_uuid = wanted.uuid;
  manifest.platform = "libvirt";
  manifest.cluster = "cluster-a";
  manifest.host = "host-a";
  manifest.created = base::Timestamp(wanted.created);
  manifest.kind = "full";
  manifest.read = "all";
  manifest.verdicts = {{"", wanted.verdict, ""},
                       {"disk vda", "complete", ""},
                       {"guest-state", "absent", wanted.no_state},
                       {"protection-key", "absent", "the VM has no vTPM"}};
  manifest.consistency = {{"method", "pause"}, {"pause_milliseconds", "120"}};
  manifest.versions = {{"qemu", "7.2.9"}};
  return manifest;
}

/// Half of it compresses to nothing and half not at all, so that a volume is mostly
/// frames.
inline std::string chunk_of(unsigned char content, std::size_t size) {
  std::string chunk(size, static_cast<char>(content));
  std::minstd_rand noise(content);
  for (std::size_t at = size / 2; at < size; ++at) {
    chunk[at] = static_cast<char>(noise() & 0xffU);
  }
  return chunk;
}

/// Signed by the host's key vault, in its chain; returns the snapshot's id.
inline std::string write_snapshot(const CommandLine& host,
                                  const WrittenSnapshot& wanted) {
  auto vault = keyvault::KeyVault::open(host.path("vault")).value();
  std::shared_ptr<archive::ObjectStore> store =
      archive::open_folder(host.path("repository"), base::real_filesystem()).value();
  const auto repository =
      archive::Repository::open(store, {.id = {}, .vault = &vault, .confirm = {}})
          .value();
  const archive::RepositoryKeys keys = repository.keys(vault).value();
  const NothingKnown nothing_known;
  const auto catalog = catalog::Catalog::open_in_memory(repository.id()).value();
  if (wanted.is_deduplicated) {
    REQUIRE(catalog->refresh(repository, &keys, vault.signing_key().public_key().id(),
                             {}, catalog::Unbelieved::kStop));
  }
  const archive::KnownChunks& known =
      wanted.is_deduplicated ? static_cast<const archive::KnownChunks&>(*catalog)
                             : nothing_known;
  const auto writer =
      archive::ArchiveWriter::begin(repository, keys, vault.signing_key(), known,
                                    archive::ArchiveWriter::draw_id().value(),
                                    base::Timestamp(wanted.created), {})
          .value();
  const std::string domain = "<domain/>";
  REQUIRE(writer->add_file("config", "domain.xml", base::as_bytes(domain), {}));
  const std::uint64_t size = 3 * repository.document().settings.chunk_size;
  const auto disk =
      writer->add_component("disk", "vda", archive::IdScope::kShared, size).value();
  const std::string chunk =
      chunk_of(wanted.content, repository.document().settings.chunk_size);
  REQUIRE(disk->put(1, base::as_bytes(chunk)));
  if (wanted.second != 0) {
    const std::string second = chunk_of(wanted.second, chunk.size());
    REQUIRE(disk->put(2, base::as_bytes(second)));
  }
  REQUIRE(disk->finish({{"target", "vda"}, {"format", "qcow2"}}));
  REQUIRE(archive::extend_chain(
      vault, repository.id(), {},
      [&](archive::ChainPosition position) -> base::Result<archive::Sha256Digest> {
        ASSIGN_OR_RETURN(const archive::CommittedSnapshot committed,
                         writer->commit(manifest_of(wanted), {}, position));
        return committed.record_digest;
      }));
  return writer->id().hex();
}

/// Revokes the host's signer, by the recovery key, and says who that is.
inline std::string revoke_host(const CommandLine& host, base::Timestamp since) {
  const auto vault = keyvault::KeyVault::open(host.path("vault")).value();
  const std::shared_ptr<archive::ObjectStore> store =
      archive::open_folder(host.path("repository"), base::real_filesystem()).value();
  const keyvault::RecoveryKey& key = CommandLine::recovery_key(1);
  archive::Record record;
  record.kind = "revoked";
  record.repository = vault.pinned().value().front();
  record.signer = archive::SignerId(key.recipient().id().bytes());
  record.sequence = 1;
  record.created = since;
  const std::string signer = vault.signing_key().public_key().id().hex();
  record.fields = {{"subject", signer}, {"since", since.text()}};
  REQUIRE(archive::put_record(*store, record,
                              [&](base::ByteView text) { return key.sign(text); }));
  return signer;
}

/// The path of the first volume of `snapshot`.
inline std::string volume_path(const CommandLine& host, const std::string& snapshot) {
  return host.path("repository/") +
         archive::volume_name(archive::ArchiveId::parse(snapshot).value(), 1);
}

/// Turns one bit of the byte at `offset`; below zero: counted from the end.
inline void flip_a_bit(const std::string& path, std::streamoff offset) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  const auto from = offset < 0 ? std::ios::end : std::ios::beg;
  file.seekg(offset, from);
  const auto byte = static_cast<char>(file.get() ^ 1);
  file.seekp(offset, from);
  file.put(byte);
}

}  // namespace sealift::cli
