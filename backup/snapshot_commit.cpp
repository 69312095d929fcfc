#include "backup/snapshot_commit.h"

#include <malloc.h>

#include "backup/fresh_catalog.h"

namespace sealift::backup {

archive::ArchiveOptions archive_options(const BackupEnvironment& environment,
                                        std::uint64_t volume_size) {
  archive::ArchiveOptions options;
  options.volume_size = volume_size;
  options.on_volume = [&environment](const archive::ObjectInfo& volume) {
    const bool is_known = static_cast<bool>(environment.catalog.add_own_volume(
        environment.repository, environment.keys,
        environment.vault.signing_key().public_key().id(), volume));
    // Each time another thread does it, in an arena of its own, which glibc keeps.
    ::malloc_trim(0);
    return is_known;
  };
  return options;
}

base::Result<archive::CommittedSnapshot> commit_snapshot(
    BackupEnvironment& environment, archive::ArchiveWriter& writer,
    archive::Manifest manifest, std::vector<archive::ProtectionKeyFile> keys) {
  const archive::SignerId own = environment.vault.signing_key().public_key().id();
  // Another process of this host, or an earlier VM of this run, may have published a
  // record that the vault does not remember: looked up under the lock, it cannot fork
  // the chain.
  const auto known = [&]() -> base::Result<keyvault::ChainHead> {
    RETURN_IF_ERROR(refresh_catalog(environment));
    return environment.catalog.head(own);
  };
  archive::CommittedSnapshot committed;
  const auto write =
      [&](archive::ChainPosition position) -> base::Result<archive::Sha256Digest> {
    ASSIGN_OR_RETURN(committed,
                     writer.commit(std::move(manifest), std::move(keys), position));
    return committed.record_digest;
  };
  RETURN_IF_ERROR(archive::extend_chain_after(
      environment.vault, environment.repository.id(), known, write));
  return committed;
}

}  // namespace sealift::backup
