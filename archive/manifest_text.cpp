#include "archive/manifest_text.h"

#include "archive/archive_keys.h"
#include "archive/rule.h"

namespace sealift::archive {

namespace {

using base::Json;

constexpr std::uint64_t kFormat = 1;

std::string_view word_for(IdScope scope) {
  return scope == IdScope::kShared ? "shared" : "private";
}

Json to_json(const Component& component) {
  return {{"kind", component.kind},
          {"name", component.name},
          {"scope", word_for(component.scope)},
          {"size", component.size},
          {"depth", component.depth},
          {"root", component.root.hex()},
          {"stored_bytes", component.stored_bytes},
          {"attributes", component.attributes}};
}

Json to_json(const ProtectionKeyEntry& key) {
  return {{"member", key.member},
          {"recipient", key.recipient.hex()},
          {"key_name", key.key_name},
          {"usage", key.usage},
          {"encoding", key.encoding}};
}

Json to_json(const Verdict& verdict) {
  return {{"component", verdict.component},
          {"state", verdict.state},
          {"reason", verdict.reason}};
}

template <typename Item>
Json to_json_array(const std::vector<Item>& items) {
  Json array = Json::array();
  for (const Item& item : items) array.push_back(to_json(item));
  return array;
}

base::Error malformed(const base::Error& error) {
  return broken_by("M1", "the manifest is not as it must be", error);
}

base::Error wrong_form(const base::Error& error) {
  return broken_by("M3", "a word of the manifest has another form than it must", error);
}

base::Result<std::string> text_of(const Json& json, std::string_view name) {
  auto text = base::json_string(json, name);
  if (!text) return malformed(text.error());
  return text;
}

base::Result<std::uint64_t> number_of(const Json& json, std::string_view name) {
  auto number = base::json_unsigned(json, name);
  if (!number) return malformed(number.error());
  return number;
}

base::Result<std::uint32_t> small_number_of(const Json& json, std::string_view name) {
  ASSIGN_OR_RETURN(const std::uint64_t number, number_of(json, name));
  if (number > UINT32_MAX) {
    return broken("M4", "a number of the manifest cannot be").at("member", name);
  }
  return static_cast<std::uint32_t>(number);
}

template <typename Id>
base::Result<Id> id_of(const Json& json, std::string_view name) {
  ASSIGN_OR_RETURN(const std::string text, text_of(json, name));
  auto id = Id::parse(text);
  if (!id) return wrong_form(id.error());
  return id;
}

base::Result<std::map<std::string, std::string>> map_of(const Json& json,
                                                        std::string_view name) {
  auto object = base::json_object(json, name);
  if (!object) return malformed(object.error());
  std::map<std::string, std::string> map;
  for (const auto& member : object.value().items()) {
    ASSIGN_OR_RETURN(map[member.key()], text_of(object.value(), member.key()));
  }
  return map;
}

base::Status only(const Json& json, std::initializer_list<std::string_view> allowed) {
  auto checked = base::refuse_other_members(json, allowed);
  if (!checked) return malformed(checked.error());
  return checked;
}

base::Result<Component> parse_component(const Json& json) {
  RETURN_IF_ERROR(only(json, {"kind", "name", "scope", "size", "depth", "root",
                              "stored_bytes", "attributes"}));
  Component component;
  ASSIGN_OR_RETURN(component.kind, text_of(json, "kind"));
  ASSIGN_OR_RETURN(component.name, text_of(json, "name"));
  ASSIGN_OR_RETURN(const std::string scope, text_of(json, "scope"));
  if (scope != "shared" && scope != "private") {
    return broken("M3", "a component's scope is unknown").at("scope", scope);
  }
  component.scope = scope == "shared" ? IdScope::kShared : IdScope::kPrivate;
  ASSIGN_OR_RETURN(component.size, number_of(json, "size"));
  ASSIGN_OR_RETURN(component.depth, small_number_of(json, "depth"));
  ASSIGN_OR_RETURN(component.root, id_of<ChunkId>(json, "root"));
  ASSIGN_OR_RETURN(component.stored_bytes, number_of(json, "stored_bytes"));
  ASSIGN_OR_RETURN(component.attributes, map_of(json, "attributes"));
  return component;
}

base::Result<ProtectionKeyEntry> parse_protection_key(const Json& json) {
  RETURN_IF_ERROR(only(json, {"member", "recipient", "key_name", "usage", "encoding"}));
  ProtectionKeyEntry key;
  ASSIGN_OR_RETURN(key.member, text_of(json, "member"));
  ASSIGN_OR_RETURN(key.recipient, id_of<RecipientId>(json, "recipient"));
  ASSIGN_OR_RETURN(key.key_name, text_of(json, "key_name"));
  ASSIGN_OR_RETURN(key.usage, text_of(json, "usage"));
  ASSIGN_OR_RETURN(key.encoding, text_of(json, "encoding"));
  return key;
}

base::Result<Verdict> parse_verdict(const Json& json) {
  RETURN_IF_ERROR(only(json, {"component", "state", "reason"}));
  Verdict verdict;
  ASSIGN_OR_RETURN(verdict.component, text_of(json, "component"));
  ASSIGN_OR_RETURN(verdict.state, text_of(json, "state"));
  ASSIGN_OR_RETURN(verdict.reason, text_of(json, "reason"));
  return verdict;
}

template <typename Parse>
auto parse_list(const Json& json, std::string_view name, Parse parse)
    -> base::Result<std::vector<std::decay_t<decltype(parse(json).value())>>> {
  auto array = base::json_array(json, name);
  if (!array) return malformed(array.error());
  std::vector<std::decay_t<decltype(parse(json).value())>> items;
  for (const Json& item : array.value()) {
    ASSIGN_OR_RETURN(auto parsed, parse(item));
    items.push_back(std::move(parsed));
  }
  return items;
}

base::Status parse_counts(const Json& json, Manifest& manifest) {
  ASSIGN_OR_RETURN(manifest.source_bytes, number_of(json, "source_bytes"));
  ASSIGN_OR_RETURN(manifest.changed_bytes, number_of(json, "changed_bytes"));
  ASSIGN_OR_RETURN(manifest.stored_bytes, number_of(json, "stored_bytes"));
  ASSIGN_OR_RETURN(manifest.chunk_size, small_number_of(json, "chunk_size"));
  return base::Done{};
}

base::Result<Manifest> parse_members(const Json& json) {
  Manifest manifest;
  ASSIGN_OR_RETURN(manifest.vm_name, text_of(json, "vm_name"));
  ASSIGN_OR_RETURN(manifest.vm_uuid, text_of(json, "vm_uuid"));
  ASSIGN_OR_RETURN(manifest.platform, text_of(json, "platform"));
  ASSIGN_OR_RETURN(manifest.cluster, text_of(json, "cluster"));
  ASSIGN_OR_RETURN(manifest.host, text_of(json, "host"));
  ASSIGN_OR_RETURN(const std::string created, text_of(json, "created"));
  const auto time = base::Timestamp::parse_stored(created);
  if (!time) return wrong_form(time.error());
  manifest.created = time.value();
  ASSIGN_OR_RETURN(manifest.kind, text_of(json, "kind"));
  ASSIGN_OR_RETURN(manifest.read, text_of(json, "read"));
  RETURN_IF_ERROR(parse_counts(json, manifest));
  ASSIGN_OR_RETURN(manifest.components,
                   parse_list(json, "components", parse_component));
  ASSIGN_OR_RETURN(manifest.protection_keys,
                   parse_list(json, "protection_keys", parse_protection_key));
  ASSIGN_OR_RETURN(manifest.verdicts, parse_list(json, "verdicts", parse_verdict));
  ASSIGN_OR_RETURN(manifest.consistency, map_of(json, "consistency"));
  ASSIGN_OR_RETURN(manifest.versions, map_of(json, "versions"));
  return manifest;
}

base::Result<keyvault::Secret> parse_id_key(const Json& json) {
  ASSIGN_OR_RETURN(const std::string text, text_of(json, "id_key"));
  auto bytes = base::from_hex(text);
  if (!bytes || bytes.value().size() != kKeySize) {
    return broken("M3", "the manifest's id key is not 32 bytes");
  }
  return keyvault::Secret::copy_of(bytes.value());
}

}  // namespace

std::string to_json_text(const Manifest& manifest, base::ByteView id_key) {
  const Json json{{"format", kFormat},
                  {"vm_name", manifest.vm_name},
                  {"vm_uuid", manifest.vm_uuid},
                  {"platform", manifest.platform},
                  {"cluster", manifest.cluster},
                  {"host", manifest.host},
                  {"created", manifest.created.text()},
                  {"kind", manifest.kind},
                  {"read", manifest.read},
                  {"source_bytes", manifest.source_bytes},
                  {"changed_bytes", manifest.changed_bytes},
                  {"stored_bytes", manifest.stored_bytes},
                  {"chunk_size", manifest.chunk_size},
                  {"id_key", base::to_hex(id_key)},
                  {"components", to_json_array(manifest.components)},
                  {"protection_keys", to_json_array(manifest.protection_keys)},
                  {"verdicts", to_json_array(manifest.verdicts)},
                  {"consistency", manifest.consistency},
                  {"versions", manifest.versions}};
  // Text from elsewhere that is no UTF-8 is replaced, not thrown about.
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

base::Result<ParsedManifest> parse_manifest(base::ByteView text) {
  auto json = base::parse_strict_json(base::as_text(text));
  if (!json) return malformed(json.error());
  ASSIGN_OR_RETURN(const std::uint64_t format, number_of(json.value(), "format"));
  if (format > kFormat) return newer("M2", "the manifest is of a newer format");
  if (format != kFormat) return broken("M1", "the manifest's format cannot be");
  RETURN_IF_ERROR(only(
      json.value(),
      {"format", "vm_name", "vm_uuid", "platform", "cluster", "host", "created", "kind",
       "read", "source_bytes", "changed_bytes", "stored_bytes", "chunk_size", "id_key",
       "components", "protection_keys", "verdicts", "consistency", "versions"}));
  ASSIGN_OR_RETURN(keyvault::Secret id_key, parse_id_key(json.value()));
  ASSIGN_OR_RETURN(Manifest manifest, parse_members(json.value()));
  RETURN_IF_ERROR(check_manifest(manifest));
  return ParsedManifest{std::move(manifest), std::move(id_key)};
}

}  // namespace sealift::archive
