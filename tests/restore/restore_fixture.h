// A VM in a repository, and a cluster to bring it back on that a test can look into.
#pragma once

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <map>
#include <set>

#include "keyvault/protection_key.h"
#include "restore/prepare.h"
#include "restore/restore.h"
#include "tests/catalog/catalog_fixture.h"
#include "tests/support/scratch_folder.h"

namespace sealift::support {

constexpr const char* kVmUuid = "7e57ab1e-0000-4000-8000-000000000001";
constexpr const char* kSecretUuid = "5ec2e700-0000-4000-8000-000000000001";
constexpr std::uint64_t kDiskSize = 6 * archive::kMinChunkSize + 1024;

/// NUL and newline bytes: every byte of a protection key counts.
inline base::Bytes key_bytes() {
  const std::string_view text("a key\0with\nodd bytes\n", 21);
  const base::ByteView bytes = base::as_bytes(text);
  return {bytes.begin(), bytes.end()};
}

/// A state file as swtpm writes it (facts: swtpm src/swtpm/swtpm_nvstore.c), sealed
/// with `passphrase`; without one, not encrypted.
inline base::Bytes swtpm_state(base::ByteView passphrase) {
  const base::Bytes payload = chunk_of(77);
  const base::ByteView data = base::ByteView(payload).first(6000);
  base::Bytes file(10);
  const auto add = [&file](std::uint16_t tag, base::ByteView bytes) {
    base::Bytes header(6);
    base::write_be16(header, 0, tag);
    base::write_be32(header, 2, static_cast<std::uint32_t>(bytes.size()));
    file.insert(file.end(), header.begin(), header.end());
    file.insert(file.end(), bytes.begin(), bytes.end());
  };
  if (passphrase.empty()) {
    add(1, data);
  } else {
    std::array<unsigned char, 32> key{};
    PKCS5_PBKDF2_HMAC(reinterpret_cast<const char*>(passphrase.data()),
                      static_cast<int>(passphrase.size()),
                      reinterpret_cast<const unsigned char*>("swtpm"), 5, 1000,
                      EVP_sha512(), static_cast<int>(key.size()), key.data());
    const base::Bytes iv(32, std::byte{0x17});
    base::Bytes message(data.size() + iv.size());
    std::ranges::copy(iv, std::ranges::copy(data, message.begin()).out);
    base::Bytes mac(32);
    unsigned size = 0;
    HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
         reinterpret_cast<const unsigned char*>(message.data()), message.size(),
         reinterpret_cast<unsigned char*>(mac.data()), &size);
    add(2, data);
    add(3, mac);
    add(6, iv);
  }
  file[0] = std::byte{2};
  file[1] = std::byte{1};
  base::write_be16(file, 2, 10);
  base::write_be16(file, 4, passphrase.empty() ? 0 : 0x0009);
  base::write_be32(file, 6, static_cast<std::uint32_t>(file.size()));
  return file;
}

/// What a backup is given.
struct VmSnapshot {
  std::string name = "web 01 é";
  std::string extra_devices = {};
  std::string disk_path = "/srv/images/web.img";
  base::Bytes state = swtpm_state(key_bytes());
  base::Bytes key = key_bytes();  ///< Empty: no protection key.
  std::size_t recipient = 0;      ///< Whose key file is in it.
  bool has_vtpm = true;
  bool was_started = true;        ///< Else it has neither NVRAM nor vTPM state.
  std::string live_devices = {};  ///< Of the running VM, beside the others; "" was off.
  std::string live_disk = {};     ///< The target of a disk that only that one had.
  std::vector<archive::Verdict> verdicts = {};
  std::uint64_t volume_size = std::uint64_t{1} << 30U;
  std::string kind = "full";
};

inline std::string domain_xml(const VmSnapshot& vm, const std::string& more = "") {
  const std::string encryption =
      vm.key.empty() ? "" : "<encryption secret='" + std::string(kSecretUuid) + "'/>";
  return "<domain type='kvm'><name>" + vm.name + "</name><uuid>" + kVmUuid +
         "</uuid><memory unit='MiB'>384</memory><vcpu>1</vcpu>"
         "<os><type arch='x86_64' machine='pc-q35-7.2'>hvm</type>"
         "<loader readonly='yes' secure='yes' type='pflash'>"
         "/usr/share/OVMF/OVMF_CODE_4M.secboot.fd</loader>"
         "<nvram>/odd/place/web.fd</nvram></os>"
         "<devices><emulator>/usr/bin/qemu-system-x86_64</emulator>"
         "<disk type='file' device='disk'><driver name='qemu' type='raw'/>"
         "<source file='" +
         vm.disk_path +
         "'/><target dev='vda' bus='virtio'/></disk>"
         "<interface type='network'><mac address='52:54:00:12:34:56'/>"
         "<source network='default'/></interface>" +
         (vm.has_vtpm ? "<tpm model='tpm-crb'><backend type='emulator' version='2.0'>" +
                            encryption + "</backend></tpm>"
                      : "") +
         vm.extra_devices + more + "</devices></domain>";
}

/// Chunk 0 and 3 are data, 4 is half zeros, the tail is data, the rest is a hole.
inline base::Bytes disk_content() {
  base::Bytes disk(kDiskSize);
  const auto put = [&disk](std::uint64_t chunk, base::ByteView bytes) {
    std::ranges::copy(bytes,
                      disk.begin() + static_cast<long>(chunk * archive::kMinChunkSize));
  };
  put(0, chunk_of(1));
  put(3, chunk_of(2));
  put(4, base::ByteView(chunk_of(3)).first(archive::kMinChunkSize / 2));
  put(6, base::ByteView(chunk_of(4)).first(1024));
  return disk;
}

inline base::Bytes nvram_content() { return chunk_of(5); }

/// What a target was asked to do, and what it has. Outlives the FakeTarget.
struct Cluster {
  vm::TargetHost host;
  std::map<std::string, base::Bytes> secrets;  ///< Values by UUID.
  std::map<std::string, std::string> usages;   ///< UUIDs by usage name.
  std::map<std::string, std::string> defined;  ///< XML by UUID.
  std::set<std::string> running;
  std::string failing;  ///< The call that fails: "define_secret", "define", "start".
};

class FakeTarget final : public restore::Target {
 public:
  explicit FakeTarget(Cluster& cluster) : cluster_(cluster) {}

  base::Result<vm::TargetHost> survey() override { return cluster_.host; }

  base::Result<vm::SecretOnTarget> compare_secret(
      const vm::VtpmSecret& secret) override {
    const auto found = cluster_.secrets.find(secret.uuid.text());
    if (found == cluster_.secrets.end()) {
      return cluster_.usages.contains(secret.usage) ? vm::SecretOnTarget::kOtherValue
                                                    : vm::SecretOnTarget::kAbsent;
    }
    return keyvault::is_same(found->second, secret.value.view())
               ? vm::SecretOnTarget::kSameValue
               : vm::SecretOnTarget::kOtherValue;
  }
  base::Status define_secret(const vm::VtpmSecret& secret) override {
    RETURN_IF_ERROR(may("define_secret"));
    const base::ByteView value = secret.value.view();
    cluster_.secrets[secret.uuid.text()] = {value.begin(), value.end()};
    cluster_.usages[secret.usage] = secret.uuid.text();
    return base::Done{};
  }
  base::Status undefine_secret(const base::Uuid& uuid) override {
    RETURN_IF_ERROR(may("undefine_secret"));
    cluster_.secrets.erase(uuid.text());
    std::erase_if(cluster_.usages,
                  [&](const auto& usage) { return usage.second == uuid.text(); });
    return base::Done{};
  }
  base::Status define(const base::Uuid& uuid, const std::string& xml) override {
    RETURN_IF_ERROR(may("define"));
    cluster_.defined[uuid.text()] = xml;
    return base::Done{};
  }
  base::Status undefine(const base::Uuid& uuid) override {
    RETURN_IF_ERROR(may("undefine"));
    cluster_.defined.erase(uuid.text());
    return base::Done{};
  }
  base::Status start(const base::Uuid& uuid) override {
    RETURN_IF_ERROR(may("start"));
    cluster_.running.insert(uuid.text());
    return base::Done{};
  }

 private:
  base::Status may(const std::string& call) const {
    if (cluster_.failing != call) return base::Done{};
    return base::Error(base::ErrorCode::kHypervisor, "the test stopped this call");
  }
  Cluster& cluster_;
};

class RestoreScene {
 public:
  CatalogScene archives;
  ScratchFolder target;
  Cluster cluster;
  std::unique_ptr<catalog::Catalog> catalog = archives.memory();
  archive::Repository repository = archives.open();
  archive::RepositoryKeys keys = archives.keys();
  std::function<void(const std::string&)> progress;

  RestoreScene() {
    cluster.host.emulators = {"/usr/bin/qemu-system-x86_64"};
    cluster.host.machines = {"pc-q35-7.2"};
    cluster.host.domain_types = {"kvm"};
    cluster.host.networks = {"default"};
    cluster.host.image_directory = target.path() / "images";
    cluster.host.nvram_directory = target.path() / "nvram";
    cluster.host.swtpm_directory = target.path() / "swtpm";
    std::filesystem::create_directory(cluster.host.image_directory);
  }

  /// Backs `vm` up and finds it in the catalog.
  catalog::Snapshot back_up(const VmSnapshot& vm) {
    const auto writer = must(
        archive::ArchiveWriter::begin(repository, keys, archives.anna.key(), *catalog,
                                      must(archive::ArchiveWriter::draw_id()), at(100),
                                      {.volume_size = vm.volume_size}));
    must(writer->add_file("config", "domain.xml", base::as_bytes(domain_xml(vm)), {}));
    if (!vm.live_devices.empty()) {
      must(writer->add_file("config", "domain-active.xml",
                            base::as_bytes(domain_xml(vm, vm.live_devices)), {}));
    }
    if (vm.was_started) {
      must(writer->add_file("firmware-vars", "web_VARS.fd", nvram_content(), {}));
    }
    if (vm.has_vtpm && vm.was_started) {
      must(writer->add_file("guest-state", "tpm2-00.permall", vm.state, {}));
    }
    if (vm.kind != "state") write_disk(*writer, vm);
    const archive::CommittedSnapshot committed = commit(*writer, vm);
    must(archives.refresh(*catalog));
    return must(catalog->find(committed.id.hex())).snapshot;
  }

  restore::SnapshotPlace place() const {
    return {repository.source(), &keys, *catalog};
  }

  restore::RestoreEnvironment environment(std::size_t identity = 0) const {
    return {place(), recovery_key(identity), nullptr, progress};
  }

  base::Result<std::unique_ptr<restore::PreparedRestore>> prepare(
      const catalog::Snapshot& snapshot, std::size_t identity = 0,
      base::Filesystem& filesystem = base::real_filesystem()) {
    request.snapshot = snapshot;
    return restore::prepare_restore_on(std::make_unique<FakeTarget>(cluster),
                                       filesystem, environment(identity), request, {});
  }

  restore::RestoreRequest request;

  /// Everything that a restore may have made on the target, as paths below it.
  std::set<std::string> files_on_target() const {
    std::set<std::string> found;
    for (const auto& entry :
         std::filesystem::recursive_directory_iterator(target.path())) {
      found.insert(entry.path().lexically_relative(target.path()).string());
    }
    return found;
  }

  bool is_untouched() const {
    return files_on_target() == std::set<std::string>{"images"} &&
           cluster.secrets.empty() && cluster.defined.empty() &&
           cluster.running.empty();
  }

  std::vector<std::filesystem::path> volumes() const {
    std::vector<std::filesystem::path> found;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(
             archives.repository.folder.path())) {
      if (entry.path().extension() == ".tar") found.push_back(entry.path());
    }
    std::ranges::sort(found);
    return found;
  }

 private:
  static void write_disk(archive::ArchiveWriter& writer, const VmSnapshot& vm) {
    write_disk(writer, "vda", vm.disk_path);
    if (!vm.live_disk.empty()) write_disk(writer, vm.live_disk, "/srv/images/live.img");
  }

  static void write_disk(archive::ArchiveWriter& writer, const std::string& target,
                         const std::string& path) {
    const base::Bytes content = disk_content();
    const auto disk = must(
        writer.add_component("disk", target, archive::IdScope::kShared, kDiskSize));
    for (std::uint64_t chunk = 0; chunk * archive::kMinChunkSize < kDiskSize; ++chunk) {
      const std::uint64_t offset = chunk * archive::kMinChunkSize;
      const base::ByteView piece = base::ByteView(content).subspan(
          offset, std::min<std::uint64_t>(archive::kMinChunkSize, kDiskSize - offset));
      if (!base::is_all_zero(piece)) must(disk->put(chunk, piece));
    }
    must(disk->finish({{"format", "raw"}, {"path", path}}));
  }

  archive::CommittedSnapshot commit(archive::ArchiveWriter& writer,
                                    const VmSnapshot& vm) {
    archive::Manifest manifest =
        manifest_of({.vm = vm.name, .uuid = kVmUuid, .created = at(100)});
    manifest.kind = vm.kind;
    std::ranges::copy(vm.verdicts, std::back_inserter(manifest.verdicts));
    std::vector<archive::ProtectionKeyFile> key_files;
    if (!vm.key.empty()) {
      const keyvault::Recipient& recipient = recovery_key(vm.recipient).recipient();
      key_files.push_back({{.member = "",
                            .recipient = recipient.id(),
                            .key_name = kSecretUuid,
                            .usage = "web-vtpm",
                            .encoding = "RSA_AES_KEY_WRAP_256"},
                           must(keyvault::wrap_protection_key(
                               must(keyvault::Secret::copy_of(vm.key)), recipient))});
    }
    archive::CommittedSnapshot committed;
    must(archive::extend_chain_after(
        archives.anna.vault, repository.id(),
        [&] { return catalog->head(archives.anna.id()); },
        [&](archive::ChainPosition position) -> base::Result<archive::Sha256Digest> {
          ASSIGN_OR_RETURN(committed, writer.commit(std::move(manifest),
                                                    std::move(key_files), position));
          return committed.record_digest;
        }));
    return committed;
  }
};

inline const restore::PlanCheck* find_check(const restore::RestorePlan& plan,
                                            const std::string& name) {
  for (const restore::PlanCheck& check : plan.checks) {
    if (check.name == name) return &check;
  }
  return nullptr;
}

inline std::string blockers(const restore::RestorePlan& plan) {
  std::string names;
  for (const restore::PlanCheck& check : plan.checks) {
    if (check.state != restore::CheckState::kBlock) continue;
    names += (names.empty() ? "" : ", ") + check.name;
  }
  return names;
}

}  // namespace sealift::support
