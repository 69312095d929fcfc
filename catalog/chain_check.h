// Whether a signer's records and snapshots are one unbroken chain.
#pragma once

#include <string>
#include <vector>

#include "archive/ids.h"
#include "base/result.h"
#include "keyvault/vault.h"

namespace sealift::catalog {

/// One numbered text of a signer: a record, a snapshot, or what a keeper's record says
/// of a snapshot that was removed.
struct ChainLink {
  std::uint64_t sequence = 0;
  archive::Sha256Digest previous;
  archive::Sha256Digest digest;
  std::string what;  ///< For messages: "snapshot 2a7f…", "record enrolled".
};

/// The newest link of the chain (sequence 0 for none), which runs from 1 without a gap
/// or a fork, each naming the digest of the one before.
/// errors  kCorrupt: signer and sequence in its places (R15, R16 of record.md).
base::Result<keyvault::ChainHead> check_chain(const archive::SignerId& signer,
                                              std::vector<ChainLink> links);

/// The head of as much of the chain as is unbroken: for a signer that was revoked, of
/// whom later links are held.
keyvault::ChainHead unbroken_head(std::vector<ChainLink> links);

/// errors  kCorrupt (R17): the repository shows less of the chain, or another one, than
///         `remembered`; `memory` says whose memory that is.
base::Status check_head(const archive::SignerId& signer,
                        const keyvault::ChainHead& remembered,
                        const std::vector<ChainLink>& links, const std::string& memory);

}  // namespace sealift::catalog
