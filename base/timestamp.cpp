#include "base/timestamp.h"

#include <array>
#include <cstdio>
#include <ctime>
#include <optional>

namespace sealift::base {

namespace {

// Takes `count` digits off the front of `text`; nothing when they are not there.
std::optional<int> take_digits(std::string_view& text, std::size_t count) {
  if (text.size() < count) return std::nullopt;
  int value = 0;
  for (const char digit : text.substr(0, count)) {
    if (digit < '0' || digit > '9') return std::nullopt;
    value = value * 10 + (digit - '0');
  }
  text.remove_prefix(count);
  return value;
}

bool take(std::string_view& text, char expected) {
  if (text.empty() || text.front() != expected) return false;
  text.remove_prefix(1);
  return true;
}

struct Fields {
  std::chrono::year_month_day day;
  int hour = 0;
  int minute = 0;
  int second = 0;
};

std::optional<std::chrono::year_month_day> take_day(std::string_view& text) {
  const auto year = take_digits(text, 4);
  if (!year || *year < 1970 || !take(text, '-')) return std::nullopt;
  const auto month = take_digits(text, 2);
  if (!month || !take(text, '-')) return std::nullopt;
  const auto day = take_digits(text, 2);
  if (!day) return std::nullopt;
  const std::chrono::year_month_day date(
      std::chrono::year(*year), std::chrono::month(static_cast<unsigned>(*month)),
      std::chrono::day(static_cast<unsigned>(*day)));
  return date.ok() ? std::optional(date) : std::nullopt;
}

enum class Seconds { kRequired, kOptional };

bool take_time(std::string_view& text, Fields& fields, Seconds seconds) {
  const auto hour = take_digits(text, 2);
  if (!hour || *hour > 23 || !take(text, ':')) return false;
  const auto minute = take_digits(text, 2);
  if (!minute || *minute > 59) return false;
  fields.hour = *hour;
  fields.minute = *minute;
  if (seconds == Seconds::kOptional && (text.empty() || text.front() != ':'))
    return true;
  if (!take(text, ':')) return false;
  const auto second = take_digits(text, 2);
  if (!second || *second > 59) return false;
  fields.second = *second;
  return true;
}

std::int64_t as_utc_seconds(const Fields& fields) {
  const std::chrono::sys_days days = fields.day;
  return std::chrono::duration_cast<std::chrono::seconds>(days.time_since_epoch())
             .count() +
         std::int64_t{fields.hour} * 3600 + std::int64_t{fields.minute} * 60 +
         fields.second;
}

std::optional<std::int64_t> as_local_seconds(const Fields& fields) {
  std::tm local{};
  local.tm_year = static_cast<int>(fields.day.year()) - 1900;
  local.tm_mon = static_cast<int>(static_cast<unsigned>(fields.day.month())) - 1;
  local.tm_mday = static_cast<int>(static_cast<unsigned>(fields.day.day()));
  local.tm_hour = fields.hour;
  local.tm_min = fields.minute;
  local.tm_sec = fields.second;
  local.tm_isdst = -1;
  const std::time_t seconds = std::mktime(&local);
  return seconds < 0 ? std::nullopt : std::optional<std::int64_t>(seconds);
}

// The seconds to subtract for "Z", "+01:30" or "-05:00", which is all that is left.
std::optional<std::int64_t> read_offset(std::string_view text) {
  if (text == "Z" || text == "z") return 0;
  if (text.empty() || (text.front() != '+' && text.front() != '-')) return std::nullopt;
  const bool is_east = text.front() == '+';
  text.remove_prefix(1);
  Fields offset;
  if (!take_time(text, offset, Seconds::kOptional) || !text.empty() ||
      offset.second != 0) {
    return std::nullopt;
  }
  const std::int64_t seconds = offset.hour * 3600 + offset.minute * 60;
  return is_east ? seconds : -seconds;
}

Error no_time(std::string_view text) {
  return Error(ErrorCode::kUsage, "not a time")
      .at("text", text)
      .next(
          "write it as 2026-11-21T18:00:00Z, or as \"2026-11-21 18:00\" in local time");
}

}  // namespace

Result<Timestamp> Timestamp::parse_stored(std::string_view text) {
  std::string_view rest = text;
  Fields fields;
  const auto day = take_day(rest);
  if (!day || !take(rest, 'T')) return no_time(text);
  fields.day = *day;
  if (!take_time(rest, fields, Seconds::kRequired) || rest != "Z") return no_time(text);
  return Timestamp(as_utc_seconds(fields));
}

Result<Timestamp> Timestamp::parse_typed(std::string_view text) {
  std::string_view rest = text;
  Fields fields;
  const auto day = take_day(rest);
  if (!day) return no_time(text);
  fields.day = *day;
  if (rest.empty() || rest.front() == ' ') {
    const bool has_time = take(rest, ' ');
    if (has_time && !take_time(rest, fields, Seconds::kOptional)) return no_time(text);
    const auto seconds = as_local_seconds(fields);
    if (!rest.empty() || !seconds) return no_time(text);
    return Timestamp(*seconds);
  }
  if (!take(rest, 'T') && !take(rest, 't')) return no_time(text);
  if (!take_time(rest, fields, Seconds::kRequired)) return no_time(text);
  if (take(rest, '.')) {
    const std::size_t end = rest.find_first_not_of("0123456789");
    if (end == 0 || end == std::string_view::npos) return no_time(text);
    rest.remove_prefix(end);
  }
  const auto offset = read_offset(rest);
  if (!offset || as_utc_seconds(fields) < *offset) return no_time(text);
  return Timestamp(as_utc_seconds(fields) - *offset);
}

std::string Timestamp::text() const {
  const std::chrono::sys_seconds point{std::chrono::seconds(seconds_)};
  const auto days = std::chrono::floor<std::chrono::days>(point);
  const std::chrono::year_month_day date(days);
  const std::chrono::hh_mm_ss time(point - days);
  std::array<char, 32> text{};
  static_cast<void>(std::snprintf(
      text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02dZ",
      static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
      static_cast<unsigned>(date.day()), static_cast<int>(time.hours().count()),
      static_cast<int>(time.minutes().count()),
      static_cast<int>(time.seconds().count())));
  return text.data();
}

Timestamp SystemClock::now() const {
  return Timestamp(std::chrono::duration_cast<std::chrono::seconds>(
                       std::chrono::system_clock::now().time_since_epoch())
                       .count());
}

}  // namespace sealift::base
