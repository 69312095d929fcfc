// The ids that an archive speaks of.
#pragma once

#include "base/digest_id.h"
#include "keyvault/digest.h"
#include "keyvault/recovery_key.h"
#include "keyvault/signer.h"
#include "keyvault/vault.h"

namespace sealift::archive {

/// 16 random bytes. It is also the id of the snapshot that the archive holds.
using ArchiveId = base::DigestId<struct ArchiveMeaning, 16>;
/// HMAC-SHA-256(id key, kind || plaintext). All zero: a hole.
using ChunkId = base::DigestId<struct ChunkMeaning>;

using keyvault::KeyId;
using keyvault::RecipientId;
using keyvault::RepositoryId;
using keyvault::Sha256Digest;
using keyvault::SignerId;

}  // namespace sealift::archive
