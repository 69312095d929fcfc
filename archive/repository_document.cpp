#include "archive/repository_document.h"

#include <algorithm>
#include <bit>

#include "archive/rule.h"
#include "base/base64.h"
#include "base/strict_json.h"

namespace sealift::archive {

namespace {

using base::Error;
using base::ErrorCode;
using base::Json;

constexpr std::size_t kDocumentLimit = std::size_t{1024} * 1024;
constexpr std::uint64_t kFormat = 1;
constexpr std::string_view kIdAlgorithm = "HMAC-SHA-256";
constexpr std::size_t kMaxRecipients = 16;
constexpr std::size_t kKeySize = 32;

bool is_same_twice(const std::vector<keyvault::Recipient>& recipients) {
  for (auto one = recipients.begin(); one != recipients.end(); ++one) {
    if (std::any_of(recipients.begin(), one,
                    [&](const auto& other) { return other.id() == one->id(); })) {
      return true;
    }
  }
  return false;
}

// The one form of a document: these members, in this order, indented by two blanks.
std::string to_text(const RepositoryDocument& document, base::ByteView random) {
  Json json;
  json["format"] = kFormat;
  json["chunk_size"] = document.settings.chunk_size;
  json["id_algorithm"] = kIdAlgorithm;
  if (document.settings.zstd_level != RepositorySettings().zstd_level) {
    json["zstd_level"] = document.settings.zstd_level;
  }
  json["founder"] = base::to_base64(document.founder.spki());
  json["recipients"] = Json::array();
  for (const auto& recipient : document.recipients) {
    json["recipients"].push_back(base::to_base64(recipient.spki()));
  }
  for (const auto& recipient : document.key_recipients) {
    json["key_recipients"].push_back(base::to_base64(recipient.spki()));
  }
  json["repository_key"] = document.repository_key.hex();
  json["envelopes"] = Json::array();
  for (const Envelope& envelope : document.envelopes) {
    json["envelopes"].push_back(to_json(envelope));
  }
  json["random"] = base::to_hex(random);
  return json.dump(2) + '\n';
}

// D2: a newer format says so before anything else of it is judged.
base::Status check_format(const Json& json) {
  const auto format = base::json_unsigned(json, "format");
  if (!format) {
    return broken_by("D2", "repository.json does not say its format", format.error());
  }
  if (format.value() == kFormat) return base::Done{};
  return newer("D2", "the repository has format " + std::to_string(format.value()) +
                         ", this program reads format 1");
}

base::Result<RepositorySettings> parse_settings(const Json& json) {
  RepositorySettings settings;
  const auto chunk_size = base::json_unsigned(json, "chunk_size");
  if (!chunk_size || !is_chunk_size(chunk_size.value())) {
    return broken("D6", "repository.json has no chunk size from 64 KiB to 4 MiB");
  }
  settings.chunk_size = static_cast<std::uint32_t>(chunk_size.value());
  const auto algorithm = base::json_string(json, "id_algorithm");
  if (!algorithm || algorithm.value() != kIdAlgorithm) {
    return broken("D6", "repository.json names an unknown id algorithm");
  }
  if (!json.contains("zstd_level")) return settings;
  const auto level = base::json_unsigned(json, "zstd_level");
  if (!level || !is_zstd_level(level.value())) {
    return broken("D6", "repository.json names a zstd level that is not 1 to 19");
  }
  settings.zstd_level = static_cast<unsigned>(level.value());
  return settings;
}

base::Status parse_founder(const Json& json, RepositoryDocument& document) {
  ASSIGN_OR_RETURN(const std::string text, base::json_string(json, "founder"));
  ASSIGN_OR_RETURN(const base::Bytes spki, base::from_base64(text));
  ASSIGN_OR_RETURN(document.founder, keyvault::SignerPublicKey::parse_spki(spki));
  return base::Done{};
}

bool opens_archives(const keyvault::Recipient& recipient) {
  return recipient.bits() >= kMinRecipientBits;
}

base::Result<std::vector<keyvault::Recipient>> parse_recipients(const Json& json,
                                                                const char* member) {
  ASSIGN_OR_RETURN(const Json list, base::json_array(json, member));
  if (list.empty() || list.size() > kMaxRecipients) {
    return Error(ErrorCode::kCorrupt, "there are none, or too many");
  }
  std::vector<keyvault::Recipient> recipients;
  for (const Json& entry : list) {
    if (!entry.is_string()) return Error(ErrorCode::kCorrupt, "one is not a string");
    ASSIGN_OR_RETURN(const base::Bytes spki,
                     base::from_base64(entry.get<std::string>()));
    ASSIGN_OR_RETURN(keyvault::Recipient recipient,
                     keyvault::Recipient::parse_spki(spki));
    recipients.push_back(std::move(recipient));
  }
  if (is_same_twice(recipients)) {
    return Error(ErrorCode::kCorrupt, "one stands there twice");
  }
  return recipients;
}

base::Status parse_all_recipients(const Json& json, RepositoryDocument& document) {
  ASSIGN_OR_RETURN(document.recipients, parse_recipients(json, "recipients"));
  if (!std::ranges::all_of(document.recipients, opens_archives)) {
    return Error(ErrorCode::kCorrupt, "one has fewer than 3072 bits");
  }
  if (!json.contains("key_recipients")) return base::Done{};
  ASSIGN_OR_RETURN(document.key_recipients, parse_recipients(json, "key_recipients"));
  if (std::ranges::any_of(document.key_recipients, opens_archives)) {
    return Error(ErrorCode::kCorrupt, "one for keys alone has 3072 bits or more");
  }
  return base::Done{};
}

base::Status parse_envelopes(const Json& json, RepositoryDocument& document) {
  ASSIGN_OR_RETURN(const std::string key, base::json_string(json, "repository_key"));
  ASSIGN_OR_RETURN(document.repository_key, KeyId::parse(key));
  ASSIGN_OR_RETURN(const Json envelopes, base::json_array(json, "envelopes"));
  if (envelopes.size() != document.recipients.size()) {
    return Error(ErrorCode::kCorrupt, "there is not one for each recipient");
  }
  for (std::size_t i = 0; i < envelopes.size(); ++i) {
    ASSIGN_OR_RETURN(Envelope envelope, parse_envelope(envelopes[i]));
    if (envelope.key != document.repository_key ||
        envelope.recipient != document.recipients[i].id()) {
      return Error(ErrorCode::kCorrupt, "one is for another key or recipient");
    }
    document.envelopes.push_back(std::move(envelope));
  }
  return base::Done{};
}

}  // namespace

bool is_chunk_size(std::uint64_t size) {
  return size >= kMinChunkSize && size <= kMaxChunkSize && std::has_single_bit(size);
}

bool is_zstd_level(std::uint64_t level) { return level >= 1 && level <= 19; }

base::Result<RepositoryDocument> parse_repository_document(base::ByteView text,
                                                           base::ByteView signature) {
  if (text.size() > kDocumentLimit) {
    return broken("D1", "repository.json is too long");
  }
  auto parsed = base::parse_strict_json(base::as_text(text));
  if (!parsed) {
    return broken_by("D1", "repository.json is not strict JSON", parsed.error());
  }
  const Json& json = parsed.value();
  RETURN_IF_ERROR(check_format(json));
  const auto members = base::refuse_other_members(
      json, {"format", "chunk_size", "id_algorithm", "zstd_level", "founder",
             "recipients", "key_recipients", "repository_key", "envelopes", "random"});
  if (!members) {
    return broken_by("D3", "repository.json has an unknown member", members.error());
  }
  RepositoryDocument document;
  if (const auto founder = parse_founder(json, document); !founder) {
    return broken_by("D4", "repository.json names no founder", founder.error());
  }
  // From here on it is what its founder wrote; whether it is the right one, the
  // caller's id says.
  if (!document.founder.verify(text, signature)) {
    return broken("D5", "the founder's signature does not fit repository.json");
  }
  ASSIGN_OR_RETURN(document.settings, parse_settings(json));
  if (const auto recipients = parse_all_recipients(json, document); !recipients) {
    return broken_by("D7", "the recipients of repository.json are not as they must be",
                     recipients.error());
  }
  if (const auto envelopes = parse_envelopes(json, document); !envelopes) {
    return broken_by("D8", "the envelopes of repository.json are not as they must be",
                     envelopes.error());
  }
  const auto random = base::json_string(json, "random");
  const auto random_bytes = base::from_hex(random ? random.value() : "x");
  if (!random_bytes || random_bytes.value().size() != kKeySize) {
    return broken("D9", "repository.json lacks its 32 random bytes");
  }
  if (to_text(document, random_bytes.value()) != base::as_text(text)) {
    return broken("D9", "repository.json is not in its one form");
  }
  document.text.assign(text.begin(), text.end());
  document.id = RepositoryId(keyvault::sha256(text).bytes());
  return document;
}

base::Result<NewRepositoryDocument> make_repository_document(
    std::vector<keyvault::Recipient> recipients, const keyvault::SigningKey& founder,
    const RepositorySettings& settings) {
  if (recipients.empty() || recipients.size() > kMaxRecipients) {
    return Error(ErrorCode::kUsage, "a repository has from 1 to 16 recipients")
        .next(
            "name one with --recipient KEY.pub.pem; `sealift keyvault "
            "new-recovery-key` makes one");
  }
  if (is_same_twice(recipients)) {
    return Error(ErrorCode::kUsage, "the same recipient is named twice")
        .next("name every recovery key once");
  }
  if (std::ranges::none_of(recipients, opens_archives)) {
    return Error(ErrorCode::kUsage,
                 "archives want a recipient of at least 3072 bits, this one has " +
                     std::to_string(recipients.front().bits()))
        .at("recipient", recipients.front().id().hex())
        .next("make one with `sealift keyvault new-recovery-key --out KEY.pem`");
  }
  if (!is_chunk_size(settings.chunk_size)) {
    return Error(ErrorCode::kUsage,
                 "the chunk size is not a power of two from 64 KiB to 4 MiB")
        .at("chunk size", std::to_string(settings.chunk_size));
  }
  if (!is_zstd_level(settings.zstd_level)) {
    return Error(ErrorCode::kUsage, "the zstd level is not 1 to 19")
        .at("zstd level", std::to_string(settings.zstd_level));
  }
  NewRepositoryDocument made;
  RepositoryDocument& document = made.document;
  document.settings = settings;
  std::ranges::partition_copy(recipients, std::back_inserter(document.recipients),
                              std::back_inserter(document.key_recipients),
                              opens_archives);
  document.founder = founder.public_key();
  ASSIGN_OR_RETURN(made.repository_key, keyvault::Secret::random(kKeySize));
  ASSIGN_OR_RETURN(document.repository_key, keyvault::key_id_of(made.repository_key));
  for (const keyvault::Recipient& recipient : document.recipients) {
    ASSIGN_OR_RETURN(Envelope envelope, seal_envelope(made.repository_key, recipient));
    document.envelopes.push_back(std::move(envelope));
  }
  std::array<std::byte, kKeySize> random{};
  RETURN_IF_ERROR(keyvault::fill_random(random));
  const std::string text = to_text(document, random);
  const base::ByteView bytes = base::as_bytes(text);
  document.text.assign(bytes.begin(), bytes.end());
  document.id = RepositoryId(keyvault::sha256(bytes).bytes());
  ASSIGN_OR_RETURN(made.signature, founder.sign(bytes));
  // What every reader will do, once, before anything depends on it.
  RETURN_IF_ERROR(parse_repository_document(document.text, made.signature));
  return made;
}

base::Result<RepositoryKeys> derive_repository_keys(
    const RepositoryDocument& document, const keyvault::Secret& repository_key) {
  ASSIGN_OR_RETURN(const KeyId id, keyvault::key_id_of(repository_key));
  if (id != document.repository_key) {
    return broken("K1", "the repository key is not the one that repository.json names")
        .at("found", id.hex())
        .at("expected", document.repository_key.hex());
  }
  RepositoryKeys keys;
  ASSIGN_OR_RETURN(keys.id_key,
                   keyvault::hkdf_sha256(repository_key, document.id.view(),
                                         "sealift 1 id key", kKeySize));
  ASSIGN_OR_RETURN(keys.metadata_wrapping_key,
                   keyvault::hkdf_sha256(repository_key, document.id.view(),
                                         "sealift 1 metadata wrapping key", kKeySize));
  return keys;
}

}  // namespace sealift::archive
