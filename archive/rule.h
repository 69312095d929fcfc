// Errors that name the reading rule that was broken (docs/format/).
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"

namespace sealift::archive {

/// kCorrupt, with the rule as innermost place.
inline base::Error broken(std::string_view rule, std::string what) {
  return base::Error(base::ErrorCode::kCorrupt, std::move(what)).at("rule", rule);
}

/// kUnsupported, with the rule as innermost place and the way out.
inline base::Error newer(std::string_view rule, std::string what) {
  return base::Error(base::ErrorCode::kUnsupported, std::move(what))
      .at("rule", rule)
      .next("read it with a newer sealift");
}

/// `error` of a general reader (JSON, hexadecimal), told as a broken rule: its words
/// become the cause, and its code kCorrupt.
inline base::Error broken_by(std::string_view rule, std::string what,
                             const base::Error& error) {
  std::string cause = error.what();
  for (const auto& place : error.places()) {
    cause += ", " + place.kind + " " + place.name;
  }
  return broken(rule, std::move(what)).because(cause);
}

/// `error` of Trust::find(), told as the rule of what its signer wrote: whom, since
/// when and what to compare go along.
inline base::Error untrusted(std::string_view rule, std::string what,
                             const base::Error& error) {
  base::Error told = broken(rule, std::move(what)).because(error.what());
  for (const auto& place : error.places()) {
    if (place.kind != "rule") told.at(place.kind, place.name);
  }
  for (const std::string& step : error.next_steps()) told.next(step);
  return told;
}

}  // namespace sealift::archive
