// Points in time as records, listings and options write them.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace sealift::base {

/// Seconds since 1970-01-01T00:00:00Z, between the years 1970 and 9999.
class Timestamp {
 public:
  constexpr Timestamp() = default;
  constexpr explicit Timestamp(std::int64_t seconds) : seconds_(seconds) {}

  /// Reads exactly `2026-11-23T18:00:00Z`, the one stored form.
  /// errors  kUsage: any other text, or no such day.
  static Result<Timestamp> parse_stored(std::string_view text);

  /// Reads what a person types: RFC 3339 with an offset (seconds may have a fraction,
  /// which is dropped), or `2026-11-21 18:00[:30]` in this host's time zone, or
  /// `2026-11-21`, its midnight.
  /// errors  kUsage: any other text, or no such day.
  static Result<Timestamp> parse_typed(std::string_view text);

  constexpr std::int64_t seconds() const noexcept { return seconds_; }
  /// `2026-11-23T18:00:00Z`.
  std::string text() const;

  friend constexpr auto operator<=>(Timestamp, Timestamp) =
      default;  // NOLINT(modernize-use-nullptr): clang-tidy 14 errs

 private:
  std::int64_t seconds_ = 0;
};

/// The time of day, passed in so that tests can be exact.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual Timestamp now() const = 0;
};

class SystemClock final : public Clock {
 public:
  Timestamp now() const override;
};

}  // namespace sealift::base
