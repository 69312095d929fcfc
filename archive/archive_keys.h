// The keys of one archive, derived from its content key. docs/format/keys.md.
#pragma once

#include "archive/ids.h"

namespace sealift::archive {

constexpr std::size_t kKeySize = 32;

/// In memory only; the content key itself is not kept.
struct ArchiveKeys {
  KeyId content_id;
  keyvault::Secret data;
  KeyId data_id;
  keyvault::Secret metadata;
  KeyId metadata_id;
  keyvault::Secret private_id;  ///< Ids of private chunks.
};

base::Result<ArchiveKeys> derive_archive_keys(const keyvault::Secret& content_key,
                                              const ArchiveId& archive);

/// Unwraps a metadata key and checks its id; rules K1 and K2.
/// errors  kWrongKey, kCorrupt.
base::Result<keyvault::Secret> unwrap_metadata_key(
    const keyvault::Secret& metadata_wrapping_key, base::ByteView wrapped,
    const KeyId& expected);

/// Rule K1. errors  kCorrupt.
base::Status check_key_id(const keyvault::Secret& key, const KeyId& expected);

}  // namespace sealift::archive
