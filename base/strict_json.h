// JSON read so that two readers cannot disagree about it.
#pragma once

#include <nlohmann/json.hpp>
#include <string_view>

#include "base/result.h"

namespace sealift::base {

using Json = nlohmann::ordered_json;

/// Parses one JSON value. Unlike common parsers it refuses a name that stands twice in
/// an object, NaN, comments, invalid UTF-8, nesting deeper than 64 and anything after
/// the value.
///
/// errors  kCorrupt: with its byte; of the text only the name that stands twice.
Result<Json> parse_strict_json(std::string_view text);

/// Members of an object by name and type.
/// errors  kCorrupt: the member is missing or of another type; the error names it.
Result<std::string> json_string(const Json& object, std::string_view name);
Result<std::uint64_t> json_unsigned(const Json& object, std::string_view name);
Result<bool> json_bool(const Json& object, std::string_view name);
Result<Json> json_array(const Json& object, std::string_view name);
Result<Json> json_object(const Json& object, std::string_view name);

/// errors  kCorrupt: `object` is no object, or has a member that is not in `allowed`.
Status refuse_other_members(const Json& object,
                            std::initializer_list<std::string_view> allowed);

}  // namespace sealift::base
