// This host's chain of records in a repository: one process at a time, no fork.
#include "archive/repository.h"

namespace sealift::archive {

namespace {

// Another backup of this host holds the lock while it writes its last volume.
constexpr std::chrono::seconds kChainWait{600};

using Write = std::function<base::Result<Sha256Digest>(ChainPosition)>;

base::Result<keyvault::ChainHead> newest_head(const keyvault::ChainHead& remembered,
                                              const keyvault::ChainHead& known) {
  if (known.sequence == remembered.sequence && known.digest != remembered.digest) {
    return base::Error(base::ErrorCode::kCorrupt,
                       "the key vault and the repository disagree about this host's "
                       "newest record")
        .at("sequence", std::to_string(known.sequence))
        .next(
            "find out whether the repository or the key vault was put back from an "
            "older copy; this host's chain of records has forked");
  }
  // A process that died between the two steps left the vault behind: the repository's
  // is newer then, and it wins.
  return known.sequence > remembered.sequence ? known : remembered;
}

}  // namespace

base::Status extend_chain_after(
    keyvault::KeyVault& vault, const RepositoryId& repository,
    const std::function<base::Result<keyvault::ChainHead>()>& known,
    const Write& write) {
  ASSIGN_OR_RETURN(const keyvault::ChainLock lock,
                   vault.lock_chain(repository, kChainWait));
  ASSIGN_OR_RETURN(const keyvault::ChainHead shown, known());
  ASSIGN_OR_RETURN(const keyvault::ChainHead remembered, vault.head(repository));
  ASSIGN_OR_RETURN(const keyvault::ChainHead head, newest_head(remembered, shown));
  const ChainPosition position{head.sequence + 1, head.digest};
  ASSIGN_OR_RETURN(const Sha256Digest written, write(position));
  auto moved = vault.set_head(repository, {position.sequence, written});
  if (moved) return moved;
  return std::move(moved)
      .error()
      .at("key vault", vault.folder().string())
      .next("make room there; record " + std::to_string(position.sequence) +
            " is durable in the repository, and the next run goes on from it");
}

base::Status extend_chain(keyvault::KeyVault& vault, const RepositoryId& repository,
                          const keyvault::ChainHead& known, const Write& write) {
  return extend_chain_after(
      vault, repository, [&] { return base::Result<keyvault::ChainHead>(known); },
      write);
}

}  // namespace sealift::archive
