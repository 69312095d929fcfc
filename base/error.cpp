#include "base/error.h"

#include <array>
#include <cstdio>
#include <cstring>
#include <utility>

namespace sealift::base {

namespace {

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xc0U) == 0x80; }

// The length of the UTF-8 sequence at the front of `text`, or 0 when it is none that
// may be printed (RFC 3629; C1 control characters count as none).
std::size_t printable_sequence(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text.front());
  if (lead >= 0x20 && lead < 0x7f) return 1;
  const std::size_t length = lead >= 0xc2 && lead <= 0xdf   ? 2
                             : lead >= 0xe0 && lead <= 0xef ? 3
                             : lead >= 0xf0 && lead <= 0xf4 ? 4
                                                            : 0;
  if (length == 0 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if (!is_continuation(text[i])) return 0;
  }
  const auto second = static_cast<unsigned char>(text[1]);
  const bool is_c1_control = lead == 0xc2 && second < 0xa0;
  const bool is_overlong =
      (lead == 0xe0 && second < 0xa0) || (lead == 0xf0 && second < 0x90);
  const bool is_surrogate = lead == 0xed && second >= 0xa0;
  const bool is_beyond = lead == 0xf4 && second >= 0x90;
  return is_c1_control || is_overlong || is_surrogate || is_beyond ? 0 : length;
}

}  // namespace

Error::Error(ErrorCode code, std::string what) : code_(code), what_(std::move(what)) {}

Error& Error::at(std::string_view kind, std::string_view name) & {
  for (const Place& place : places_) {
    if (place.kind == kind && place.name == name) return *this;
  }
  places_.push_back({std::string(kind), std::string(name)});
  return *this;
}

Error&& Error::at(std::string_view kind, std::string_view name) && {
  return std::move(this->at(kind, name));
}

Error&& Error::because(std::string_view cause) && {
  cause_ = cause;
  return std::move(*this);
}

Error& Error::next(std::string_view step) & {
  next_steps_.emplace_back(step);
  return *this;
}

Error&& Error::next(std::string_view step) && { return std::move(this->next(step)); }

std::string printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const std::size_t length = printable_sequence(text);
    if (length == 0) {
      std::array<char, 5> escaped{};
      static_cast<void>(std::snprintf(escaped.data(), escaped.size(), "\\x%02x",
                                      static_cast<unsigned char>(text.front())));
      out += escaped.data();
      text.remove_prefix(1);
      continue;
    }
    out += text.substr(0, length);
    text.remove_prefix(length);
  }
  return out;
}

std::string render(const Error& error) {
  std::string out = "error: " + printable(error.what()) + "\n";
  if (!error.places().empty()) {
    out += "  where: ";
    for (auto place = error.places().rbegin(); place != error.places().rend();
         ++place) {
      if (place != error.places().rbegin()) out += ", ";
      out += printable(place->kind) + " " + printable(place->name);
    }
    out += "\n";
  }
  if (!error.cause().empty()) out += "  cause: " + printable(error.cause()) + "\n";
  for (const std::string& step : error.next_steps()) {
    out += "  next:  " + printable(step) + "\n";
  }
  return out;
}

std::string one_line(const Error& error) {
  return error.cause().empty() ? error.what() : error.what() + ": " + error.cause();
}

Error system_error(int error_number, std::string what) {
  std::array<char, 256> words{};
  // The GNU form returns the text, which need not lie in `words`.
  const char* text = strerror_r(error_number, words.data(), words.size());
  return Error(ErrorCode::kIo, std::move(what)).because(text);
}

}  // namespace sealift::base
