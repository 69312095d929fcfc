#include "archive/volume_header.h"

#include <algorithm>
#include <set>

#include "archive/limits.h"
#include "archive/rule.h"

namespace sealift::archive {

namespace {

using base::Json;

constexpr std::uint64_t kFormat = 1;
constexpr std::size_t kWrappedKeySize = 40;  // AES-KWP of 32 bytes.

base::Error refused(const base::Error& error) {
  return broken_by("V9", "header.json is not as it must be", error);
}

template <typename Id>
base::Result<Id> id_of(const Json& json, std::string_view name) {
  const auto text = base::json_string(json, name);
  if (!text) return refused(text.error());
  auto id = Id::parse(text.value());
  if (!id) return refused(id.error());
  return id;
}

Json to_json(const FrameKey& key) {
  return {{"id", key.id.hex()},
          {"use", key.is_metadata ? "metadata" : "data"},
          {"archive", key.archive.hex()},
          {"content_key", key.content_key.hex()},
          {"signer", key.signer.hex()}};
}

base::Result<FrameKey> parse_key(const Json& json) {
  const auto checked = base::refuse_other_members(
      json, {"id", "use", "archive", "content_key", "signer"});
  if (!checked) return refused(checked.error());
  FrameKey key;
  ASSIGN_OR_RETURN(key.id, id_of<KeyId>(json, "id"));
  const auto use = base::json_string(json, "use");
  if (!use) return refused(use.error());
  if (use.value() != "data" && use.value() != "metadata") {
    return broken("V9", "a key of header.json has an unknown use");
  }
  key.is_metadata = use.value() == "metadata";
  ASSIGN_OR_RETURN(key.archive, id_of<ArchiveId>(json, "archive"));
  ASSIGN_OR_RETURN(key.content_key, id_of<KeyId>(json, "content_key"));
  ASSIGN_OR_RETURN(key.signer, id_of<SignerId>(json, "signer"));
  return key;
}

using MetadataEnvelope = std::pair<KeyId, base::Bytes>;

base::Result<MetadataEnvelope> parse_metadata_envelope(const Json& json) {
  const auto checked = base::refuse_other_members(json, {"key", "wrapped"});
  if (!checked) return refused(checked.error());
  ASSIGN_OR_RETURN(const KeyId key, id_of<KeyId>(json, "key"));
  const auto text = base::json_string(json, "wrapped");
  if (!text) return refused(text.error());
  auto wrapped = base::from_hex(text.value());
  if (!wrapped || wrapped.value().size() != kWrappedKeySize) {
    return broken("V9", "a wrapped metadata key is not 40 bytes");
  }
  return MetadataEnvelope(key, std::move(wrapped).value());
}

base::Result<AddedKey> parse_added_key(const Json& json) {
  const auto checked = base::refuse_other_members(json, {"of", "recipient", "text"});
  if (!checked) return refused(checked.error());
  const auto of = base::json_string(json, "of");
  if (!of) return refused(of.error());
  const auto text = base::json_string(json, "text");
  if (!text) return refused(text.error());
  if (text->size() > kMaxProtectionKeySize) {
    return broken("V12", "a key that was added to header.json is too long");
  }
  ASSIGN_OR_RETURN(const RecipientId recipient, id_of<RecipientId>(json, "recipient"));
  return AddedKey{of.value(), recipient, text.value()};
}

base::Result<Envelope> parse_one_envelope(const Json& json) {
  auto envelope = parse_envelope(json);
  if (!envelope) return refused(envelope.error());
  return envelope;
}

template <typename Item, typename Parse>
base::Status parse_list(const Json& json, std::string_view name, std::size_t limit,
                        Parse parse, std::vector<Item>& items) {
  const auto array = base::json_array(json, name);
  if (!array) return refused(array.error());
  if (array.value().size() > limit) {
    return broken("V12", "a list of header.json is too long").at("list", name);
  }
  for (const Json& item : array.value()) {
    ASSIGN_OR_RETURN(Item parsed, parse(item));
    items.push_back(std::move(parsed));
  }
  return base::Done{};
}

base::Status check_keys(const VolumeHeader& header) {
  std::set<KeyId> seen;
  std::size_t own_metadata_keys = 0;
  for (const FrameKey& key : header.keys) {
    if (!seen.insert(key.id).second) {
      return broken("V12", "a key stands twice in header.json").at("key", key.id.hex());
    }
    if (!key.is_metadata || key.archive != header.archive) continue;
    ++own_metadata_keys;
    if (key.content_key != header.content_key) {
      return broken("V12", "a metadata key comes from another content key")
          .at("key", key.id.hex());
    }
  }
  if (own_metadata_keys != 1) {
    return broken("V12", "header.json does not name one metadata key of its archive");
  }
  return base::Done{};
}

base::Status parse_scalars(const Json& json, VolumeHeader& header) {
  ASSIGN_OR_RETURN(header.repository, id_of<RepositoryId>(json, "repository"));
  ASSIGN_OR_RETURN(header.archive, id_of<ArchiveId>(json, "archive"));
  const auto number = base::json_unsigned(json, "volume");
  if (!number) return refused(number.error());
  if (number.value() < 1 || number.value() > kMaxVolumes) {
    return broken("V9", "the number of the volume cannot be");
  }
  header.number = static_cast<std::uint32_t>(number.value());
  const auto created = base::json_string(json, "created");
  if (!created) return refused(created.error());
  const auto time = base::Timestamp::parse_stored(created.value());
  if (!time) return refused(time.error());
  header.created = time.value();
  ASSIGN_OR_RETURN(header.signer, id_of<SignerId>(json, "signer"));
  ASSIGN_OR_RETURN(header.content_key, id_of<KeyId>(json, "content_key"));
  return base::Done{};
}

}  // namespace

std::string to_json_text(const VolumeHeader& header) {
  Json envelopes = Json::array();
  for (const Envelope& envelope : header.envelopes) {
    envelopes.push_back(to_json(envelope));
  }
  Json keys = Json::array();
  for (const FrameKey& key : header.keys) keys.push_back(to_json(key));
  Json metadata_envelopes = Json::array();
  for (const auto& [key, wrapped] : header.metadata_envelopes) {
    metadata_envelopes.push_back(
        {{"key", key.hex()}, {"wrapped", base::to_hex(wrapped)}});
  }
  Json json{{"format", kFormat},
            {"repository", header.repository.hex()},
            {"archive", header.archive.hex()},
            {"volume", header.number},
            {"created", header.created.text()},
            {"signer", header.signer.hex()},
            {"content_key", header.content_key.hex()},
            {"envelopes", std::move(envelopes)},
            {"keys", std::move(keys)},
            {"metadata_envelopes", std::move(metadata_envelopes)}};
  for (const AddedKey& key : header.added_keys) {
    json["added_keys"].push_back(
        {{"of", key.of}, {"recipient", key.recipient.hex()}, {"text", key.text}});
  }
  return json.dump() + "\n";
}

base::Result<VolumeHeader> parse_volume_header(base::ByteView text) {
  const auto json = base::parse_strict_json(base::as_text(text));
  if (!json) return refused(json.error());
  const auto format = base::json_unsigned(json.value(), "format");
  if (!format) return refused(format.error());
  if (format.value() > kFormat) return newer("V9", "header.json is of a newer format");
  if (format.value() != kFormat) return broken("V9", "header.json's format cannot be");
  const auto checked = base::refuse_other_members(
      json.value(),
      {"format", "repository", "archive", "volume", "created", "signer", "content_key",
       "envelopes", "keys", "metadata_envelopes", "added_keys"});
  if (!checked) return refused(checked.error());

  VolumeHeader header;
  RETURN_IF_ERROR(parse_scalars(json.value(), header));
  RETURN_IF_ERROR(parse_list(json.value(), "envelopes", kMaxEnvelopes,
                             parse_one_envelope, header.envelopes));
  RETURN_IF_ERROR(parse_list(json.value(), "keys", kMaxKeys, parse_key, header.keys));
  RETURN_IF_ERROR(parse_list(json.value(), "metadata_envelopes", kMaxKeys,
                             parse_metadata_envelope, header.metadata_envelopes));
  if (json->contains("added_keys")) {
    RETURN_IF_ERROR(parse_list(json.value(), "added_keys", kMaxProtectionKeys,
                               parse_added_key, header.added_keys));
  }
  RETURN_IF_ERROR(check_keys(header));
  return header;
}

}  // namespace sealift::archive
