#include "base/strict_json.h"

#include <set>
#include <string>
#include <vector>

namespace sealift::base {

namespace {

constexpr int kDepthLimit = 64;

Error broken(std::string_view what) {
  return Error(ErrorCode::kCorrupt, std::string(what));
}

Error wrong_member(std::string_view name, std::string_view type) {
  return broken("the member is missing or not " + std::string(type)).at("member", name);
}

const Json* find_member(const Json& object, std::string_view name) {
  if (!object.is_object()) return nullptr;
  const auto member = object.find(std::string(name));
  return member == object.end() ? nullptr : &*member;
}

}  // namespace

Result<Json> parse_strict_json(std::string_view text) {
  std::vector<std::set<std::string>> names;
  std::string duplicate;
  bool is_too_deep = false;
  const auto watch = [&](int depth, Json::parse_event_t event, Json& parsed) {
    // `depth` counts what is open already.
    const bool is_start = event == Json::parse_event_t::object_start ||
                          event == Json::parse_event_t::array_start;
    is_too_deep = is_too_deep || (is_start && depth >= kDepthLimit);
    if (is_too_deep) return false;
    if (event == Json::parse_event_t::object_start) names.emplace_back();
    if (event == Json::parse_event_t::object_end && !names.empty()) names.pop_back();
    if (event == Json::parse_event_t::key && !names.empty()) {
      auto name = parsed.get<std::string>();
      if (!names.back().insert(name).second) duplicate = std::move(name);
    }
    return true;
  };
  // What the parser says cites the text, which may be a secret.
  try {
    Json value = Json::parse(text, watch);
    if (is_too_deep) return broken("the JSON text is nested too deeply");
    if (!duplicate.empty()) {
      return broken("a name stands twice in a JSON object").at("member", duplicate);
    }
    return value;
  } catch (const Json::parse_error& error) {
    return broken("the text is not JSON")
        .because("at byte " + std::to_string(error.byte));
  } catch (const Json::exception&) {
    return broken("the text is not JSON").because("a number is out of range");
  }
}

Result<std::string> json_string(const Json& object, std::string_view name) {
  const Json* member = find_member(object, name);
  if (member == nullptr || !member->is_string()) return wrong_member(name, "a string");
  return member->get<std::string>();
}

Result<std::uint64_t> json_unsigned(const Json& object, std::string_view name) {
  const Json* member = find_member(object, name);
  if (member == nullptr || !member->is_number_unsigned()) {
    return wrong_member(name, "an unsigned integer");
  }
  return member->get<std::uint64_t>();
}

Result<bool> json_bool(const Json& object, std::string_view name) {
  const Json* member = find_member(object, name);
  if (member == nullptr || !member->is_boolean())
    return wrong_member(name, "true or false");
  return member->get<bool>();
}

Result<Json> json_array(const Json& object, std::string_view name) {
  const Json* member = find_member(object, name);
  if (member == nullptr || !member->is_array()) return wrong_member(name, "an array");
  return *member;
}

Result<Json> json_object(const Json& object, std::string_view name) {
  const Json* member = find_member(object, name);
  if (member == nullptr || !member->is_object()) return wrong_member(name, "an object");
  return *member;
}

Status refuse_other_members(const Json& object,
                            std::initializer_list<std::string_view> allowed) {
  if (!object.is_object()) return broken("not a JSON object");
  for (const auto& member : object.items()) {
    if (std::find(allowed.begin(), allowed.end(), member.key()) == allowed.end()) {
      return broken("an unknown member").at("member", member.key());
    }
  }
  return Done{};
}

}  // namespace sealift::base
