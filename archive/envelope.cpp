#include "archive/envelope.h"

#include "archive/archive_keys.h"
#include "archive/rule.h"

namespace sealift::archive {

namespace {

constexpr std::string_view kAlgorithm = "RSA-OAEP-256";
constexpr std::size_t kMinWrappedSize = 256;
constexpr std::size_t kMaxWrappedSize = 2048;

base::Result<keyvault::Secret> open_one(const Envelope& envelope,
                                        const keyvault::RecoveryKey& identity) {
  if (envelope.algorithm != kAlgorithm) {
    return newer("E3", "an envelope of an unknown algorithm")
        .at("algorithm", envelope.algorithm);
  }
  auto key = identity.decrypt(envelope.wrapped, keyvault::OaepHash::kSha256);
  if (key && key.value().size() == kKeySize) return key;
  return base::Error(base::ErrorCode::kWrongKey,
                     "this recovery key does not open its own envelope")
      .at("rule", "E4")
      .at("key", envelope.key.hex());
}

base::Error not_for(const std::vector<Envelope>& envelopes, const KeyId& key,
                    const keyvault::RecoveryKey& identity) {
  base::Error error(base::ErrorCode::kWrongKey,
                    "this recovery key opens no envelope of the archive");
  error.at("rule", "E2").at("recovery key", identity.recipient().id().hex());
  bool names_any = false;
  for (const Envelope& envelope : envelopes) {
    if (envelope.key != key) continue;
    names_any = true;
    error.next("use the recovery key " + envelope.recipient.hex());
  }
  if (!names_any) error.at("key", key.hex());
  return error;
}

}  // namespace

base::Result<Envelope> seal_envelope(const keyvault::Secret& key,
                                     const keyvault::Recipient& recipient) {
  Envelope envelope;
  ASSIGN_OR_RETURN(envelope.key, keyvault::key_id_of(key));
  envelope.recipient = recipient.id();
  envelope.algorithm = kAlgorithm;
  ASSIGN_OR_RETURN(envelope.wrapped,
                   recipient.encrypt(key.view(), keyvault::OaepHash::kSha256));
  return envelope;
}

base::Result<keyvault::Secret> open_envelope(const std::vector<Envelope>& envelopes,
                                             const KeyId& key,
                                             const keyvault::RecoveryKey& identity) {
  std::optional<base::Error> first;
  for (const Envelope& envelope : envelopes) {
    if (envelope.key != key || envelope.recipient != identity.recipient().id())
      continue;
    auto opened = open_one(envelope, identity);
    if (!opened) {
      if (!first) first = std::move(opened).error();
      continue;
    }
    if (!check_key_id(opened.value(), key)) {
      return broken("E5", "an envelope holds another key than it names")
          .at("key", key.hex());
    }
    return opened;
  }
  if (first) return *std::move(first);
  return not_for(envelopes, key, identity);
}

base::Json to_json(const Envelope& envelope) {
  return {{"key", envelope.key.hex()},
          {"recipient", envelope.recipient.hex()},
          {"algorithm", envelope.algorithm},
          {"wrapped", base::to_hex(envelope.wrapped)}};
}

base::Result<Envelope> parse_envelope(const base::Json& json) {
  const auto parse = [&json]() -> base::Result<Envelope> {
    RETURN_IF_ERROR(
        base::refuse_other_members(json, {"key", "recipient", "algorithm", "wrapped"}));
    Envelope envelope;
    ASSIGN_OR_RETURN(const std::string key, base::json_string(json, "key"));
    ASSIGN_OR_RETURN(envelope.key, KeyId::parse(key));
    ASSIGN_OR_RETURN(const std::string recipient, base::json_string(json, "recipient"));
    ASSIGN_OR_RETURN(envelope.recipient, RecipientId::parse(recipient));
    ASSIGN_OR_RETURN(envelope.algorithm, base::json_string(json, "algorithm"));
    ASSIGN_OR_RETURN(const std::string wrapped, base::json_string(json, "wrapped"));
    ASSIGN_OR_RETURN(envelope.wrapped, base::from_hex(wrapped));
    const std::size_t size = envelope.wrapped.size();
    if (size < kMinWrappedSize || size > kMaxWrappedSize) {
      return base::Error(base::ErrorCode::kCorrupt,
                         "the wrapped key has an odd length");
    }
    return envelope;
  };
  auto envelope = parse();
  if (!envelope) {
    return broken_by("E1", "not an envelope", envelope.error());
  }
  return envelope;
}

}  // namespace sealift::archive
