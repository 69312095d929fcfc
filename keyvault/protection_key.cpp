#include "keyvault/protection_key.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <optional>

#include "base/strict_json.h"
#include "keyvault/base64url.h"
#include "keyvault/field_text.h"
#include "keyvault/key_wrap.h"

namespace sealift::keyvault {

namespace {

constexpr std::string_view kPublicKey = "public-key";
constexpr std::string_view kPrivateKey = "private-key";
constexpr std::string_view kWrappingInfo = "private-key-wrapping-info";
constexpr std::string_view kKeyName = "key-name";
constexpr std::string_view kEncoding = "enc";
constexpr std::string_view kNoWrap = "NO_KEY_WRAP";

constexpr std::size_t kTextLimit = std::size_t{1024} * 1024;
constexpr std::size_t kKeyLimit = std::size_t{64} * 1024;
constexpr std::size_t kEphemeralSize = 32;

// Errors name the rule of docs/format/key-json.md that was broken.
base::Error broken(std::string_view rule, std::string what) {
  return base::Error(base::ErrorCode::kCorrupt, std::move(what)).at("rule", rule);
}

base::Error broken_by(std::string_view rule, std::string what,
                      const base::Error& error) {
  std::string cause = error.what();
  for (const auto& place : error.places()) {
    cause += ", " + place.kind + " " + place.name;
  }
  if (!error.cause().empty()) cause += ": " + error.cause();
  return broken(rule, std::move(what)).because(cause);
}

// The hash that an "enc" implies; nothing for one that is not known.
std::optional<OaepHash> implied_hash(std::string_view encoding) {
  if (encoding == "CKM_RSA_AES_KEY_WRAP") return OaepHash::kSha1;
  if (encoding == kOurEncoding) return OaepHash::kSha256;
  if (encoding == "RSA_AES_KEY_WRAP_384") return OaepHash::kSha384;
  return std::nullopt;
}

base::Result<std::string> text_member(const base::Json& object, std::string_view name) {
  auto text = base::json_string(object, name);
  if (!text) return broken_by("J5", "the key JSON lacks a member", text.error());
  return text;
}

base::Result<base::Bytes> bytes_member(const base::Json& object,
                                       std::string_view name) {
  ASSIGN_OR_RETURN(const std::string text, text_member(object, name));
  auto bytes = from_base64url(text);
  if (!bytes) {
    return broken_by("J5", "a member of the key JSON is damaged", bytes.error())
        .at("member", name);
  }
  return bytes;
}

// J1: the text as a JSON value.
base::Result<base::Json> read_json(base::ByteView text) {
  if (text.size() > kTextLimit) return broken("J1", "too long for a key JSON");
  const auto plain = read_field_text(text);
  if (!plain) return broken_by("J1", "not a key JSON", plain.error());
  auto json = base::parse_strict_json(plain.value());
  if (json) return json;
  // Without its places: a member's name may be a key in the wrong place.
  const base::Error& error = json.error();
  return broken("J1", "not a key JSON")
      .because(error.what() + (error.cause().empty() ? "" : ", " + error.cause()));
}

// J2 to J4: how the key is wrapped.
base::Status check_encoding(const base::Result<base::Json>& info,
                            const base::Result<std::string>& encoding) {
  if (!info) return broken_by("J2", "not a key JSON", info.error());
  if (!encoding) return broken_by("J2", "not a key JSON", encoding.error());
  if (encoding.value() == kNoWrap) {
    return base::Error(base::ErrorCode::kRefused, "the key JSON holds a plaintext key")
        .at("rule", "J3")
        .next("treat that key as exposed, and export it again with a wrapping key");
  }
  if (!implied_hash(encoding.value())) {
    return base::Error(base::ErrorCode::kUnsupported,
                       "the key JSON is wrapped in a way that is not known")
        .at("rule", "J4")
        .at(kEncoding, encoding.value())
        .next("read it with a newer sealift");
  }
  return base::Done{};
}

}  // namespace

base::Result<KeyJson> parse_key_json(base::ByteView text) {
  ASSIGN_OR_RETURN(const base::Json object, read_json(text));
  const auto info = base::json_object(object, kWrappingInfo);
  auto encoding = base::json_string(info ? info.value() : base::Json(), kEncoding);
  RETURN_IF_ERROR(check_encoding(info, encoding));

  KeyJson json;
  json.encoding = std::move(encoding).value();
  ASSIGN_OR_RETURN(json.wrapping_key_name, text_member(info.value(), kKeyName));
  ASSIGN_OR_RETURN(json.wrapping_key_pkcs1, bytes_member(info.value(), kPublicKey));
  ASSIGN_OR_RETURN(json.wrapped, bytes_member(object, kPrivateKey));
  ASSIGN_OR_RETURN(base::Bytes other, bytes_member(object, kPublicKey));
  // Microsoft's SDK has two fields for one wrapped AES key and does not say which.
  json.member = json.wrapped.empty() ? kPublicKey : kPrivateKey;
  json.is_ambiguous = !json.wrapped.empty() && !other.empty() && other != json.wrapped;
  if (json.wrapped.empty()) json.wrapped = std::move(other);
  if (json.wrapped.empty()) return broken("J6", "the key JSON holds no wrapped key");
  return json;
}

namespace {

// The envelope of a fresh key, and `key` wrapped by that: key-json.md, section 3.
base::Result<base::Bytes> wrap_to(const Recipient& recipient, OaepHash hash,
                                  const Secret& key) {
  ASSIGN_OR_RETURN(const Secret ephemeral, Secret::random(kEphemeralSize));
  ASSIGN_OR_RETURN(base::Bytes wrapped, recipient.encrypt(ephemeral.view(), hash));
  ASSIGN_OR_RETURN(const base::Bytes target, wrap_key(ephemeral, key));
  wrapped.insert(wrapped.end(), target.begin(), target.end());
  return wrapped;
}

}  // namespace

base::Result<std::string> wrap_protection_key(const Secret& key,
                                              const Recipient& recipient) {
  assert(key.size() >= 1 && key.size() <= kKeyLimit);
  ASSIGN_OR_RETURN(const base::Bytes wrapped,
                   wrap_to(recipient, OaepHash::kSha256, key));
  ASSIGN_OR_RETURN(const base::Bytes wrapping_key, recipient.pkcs1());

  base::Json info;
  info[kKeyName] = "";
  info[kPublicKey] = to_base64url(wrapping_key);
  info[kEncoding] = kOurEncoding;
  base::Json object;
  object[kPublicKey] = "";
  object[kPrivateKey] = to_base64url(wrapped);
  object[kWrappingInfo] = std::move(info);
  return object.dump();
}

namespace {

std::string advice(const KeyJson& json, const RecoveryKey& identity) {
  const auto wrapped_to = Recipient::parse_pkcs1(json.wrapping_key_pkcs1);
  if (!wrapped_to) return "try the other recovery keys";
  if (wrapped_to->id() == identity.recipient().id()) {
    return "it says that it is wrapped to this very key, so it is damaged: take "
           "another copy";
  }
  return "give the recovery key that it is wrapped to, " + wrapped_to->id().hex();
}

}  // namespace

base::Result<UnwrappedProtectionKey> unwrap_protection_key(
    const KeyJson& json, const RecoveryKey& identity) {
  const base::Error wrong =
      base::Error(base::ErrorCode::kWrongKey,
                  "this recovery key does not open the protection key")
          .at("rule", "J7")
          .at("recovery key", identity.recipient().id().hex())
          .next(advice(json, identity));
  const std::size_t modulus = identity.recipient().modulus_size();
  if (json.wrapped.size() <= modulus) return wrong;
  const base::ByteView envelope = base::ByteView(json.wrapped).first(modulus);
  const base::ByteView target = base::ByteView(json.wrapped).subspan(modulus);

  const OaepHash implied = implied_hash(json.encoding).value_or(OaepHash::kSha1);
  std::array hashes{OaepHash::kSha1, OaepHash::kSha256, OaepHash::kSha384};
  std::stable_partition(hashes.begin(), hashes.end(),
                        [implied](OaepHash hash) { return hash == implied; });
  for (const OaepHash hash : hashes) {
    auto ephemeral = identity.decrypt(envelope, hash);
    if (!ephemeral || ephemeral->size() != kEphemeralSize) continue;
    auto key = unwrap_key(ephemeral.value(), target);
    if (key) return UnwrappedProtectionKey{std::move(key).value(), hash};
  }
  return wrong;
}

base::Result<RewrappedKey> rewrap_key_json(
    base::ByteView text, const RecoveryKey& identity, const Recipient& target,
    const std::string& wrapping_key_name,
    const std::function<base::Status(const Secret& key)>& check) {
  ASSIGN_OR_RETURN(const KeyJson parsed, parse_key_json(text));
  ASSIGN_OR_RETURN(const UnwrappedProtectionKey opened,
                   unwrap_protection_key(parsed, identity));
  if (check) RETURN_IF_ERROR(check(opened.key));
  ASSIGN_OR_RETURN(const base::Bytes wrapped, wrap_to(target, opened.hash, opened.key));
  ASSIGN_OR_RETURN(const base::Bytes wrapping_key, target.pkcs1());
  ASSIGN_OR_RETURN(base::Json object, read_json(text));
  ASSIGN_OR_RETURN(const base::Bytes in_private, bytes_member(object, kPrivateKey));
  object[in_private.empty() ? kPublicKey : kPrivateKey] = to_base64url(wrapped);
  base::Json& info = object[kWrappingInfo];
  info[kKeyName] = wrapping_key_name;
  info[kPublicKey] = to_base64url(wrapping_key);
  return RewrappedKey{object.dump(), opened.hash, opened.key.size()};
}

}  // namespace sealift::keyvault
