#include "archive/archive_keys.h"

#include "archive/rule.h"
#include "keyvault/digest.h"
#include "keyvault/key_wrap.h"

namespace sealift::archive {

base::Result<ArchiveKeys> derive_archive_keys(const keyvault::Secret& content_key,
                                              const ArchiveId& archive) {
  const auto derive = [&](std::string_view info) {
    return keyvault::hkdf_sha256(content_key, archive.view(), info, kKeySize);
  };
  ArchiveKeys keys;
  ASSIGN_OR_RETURN(keys.content_id, keyvault::key_id_of(content_key));
  ASSIGN_OR_RETURN(keys.data, derive("sealift 1 data key"));
  ASSIGN_OR_RETURN(keys.data_id, keyvault::key_id_of(keys.data));
  ASSIGN_OR_RETURN(keys.metadata, derive("sealift 1 metadata key"));
  ASSIGN_OR_RETURN(keys.metadata_id, keyvault::key_id_of(keys.metadata));
  ASSIGN_OR_RETURN(keys.private_id, derive("sealift 1 private id key"));
  return keys;
}

base::Result<keyvault::Secret> unwrap_metadata_key(
    const keyvault::Secret& metadata_wrapping_key, base::ByteView wrapped,
    const KeyId& expected) {
  auto key = keyvault::unwrap_key(metadata_wrapping_key, wrapped);
  if (!key || key.value().size() != kKeySize) {
    return base::Error(
               base::ErrorCode::kWrongKey,
               "the repository key does not open the metadata key of an archive")
        .at("rule", "K2")
        .at("key", expected.hex());
  }
  RETURN_IF_ERROR(check_key_id(key.value(), expected));
  return key;
}

base::Status check_key_id(const keyvault::Secret& key, const KeyId& expected) {
  ASSIGN_OR_RETURN(const KeyId found, keyvault::key_id_of(key));
  if (found != expected) {
    return broken("K1", "a key is not the one that it was said to be")
        .at("key", expected.hex());
  }
  return base::Done{};
}

}  // namespace sealift::archive
