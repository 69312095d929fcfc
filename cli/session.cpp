#include "cli/session.h"

#include <algorithm>

namespace sealift::cli {

std::string shown(const base::Error& error) {
  base::Error plain(error.code(), error.what());
  std::vector<base::Error::Place> seen;
  for (const base::Error::Place& place : error.places()) {
    if (std::ranges::find(seen, place) != seen.end()) continue;
    seen.push_back(place);
    plain.at(place.kind, place.name);
  }
  for (const std::string& step : error.next_steps()) plain.next(step);
  if (error.code() == base::ErrorCode::kDefect) {
    plain.next("this is a defect of sealift: report it with the command line");
  }
  return base::render(std::move(plain).because(error.cause()));
}

void Session::say(const std::string& words) const {
  if (chosen_.talk != Talk::kQuiet) surroundings_.error << words << "\n";
}

void Session::mention(const std::string& words) const {
  if (chosen_.talk == Talk::kVerbose) surroundings_.error << words << "\n";
}

void Session::warn(const std::string& words) const {
  surroundings_.error << "warning: " << words << "\n";
}

void Session::report(const base::Error& error) const {
  surroundings_.error << shown(error);
}

void Session::answer(const base::Json& value) const {
  constexpr int kIndent = 2;
  // Names come from outside: what is no UTF-8 must not end the run.
  surroundings_.output << value.dump(kIndent, ' ', false,
                                     base::Json::error_handler_t::replace)
                       << "\n";
}

}  // namespace sealift::cli
