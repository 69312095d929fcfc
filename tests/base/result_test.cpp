#include "base/result.h"

#include <memory>

#include "tests/support/catch.h"

namespace sealift::base {
namespace {

Result<int> half_of(int number) {
  if (number % 2 != 0) return Error(ErrorCode::kUsage, "an odd number");
  return number / 2;
}

Result<int> quarter_of(int number) {
  ASSIGN_OR_RETURN(const int half, half_of(number));
  ASSIGN_OR_RETURN(const int quarter, half_of(half));
  return quarter;
}

Status check_even(int number) {
  RETURN_IF_ERROR(half_of(number));
  return Done{};
}

}  // namespace

TEST_CASE("a result holds a value or an error", "[base]") {
  CHECK(half_of(4));
  CHECK(half_of(4).value() == 2);
  REQUIRE_FALSE(half_of(3));
  CHECK(half_of(3).error().code() == ErrorCode::kUsage);
}

TEST_CASE("a result gives its value away once", "[base]") {
  Result<std::unique_ptr<int>> result(std::make_unique<int>(7));
  CHECK(**result.operator->() == 7);
  const std::unique_ptr<int> taken = std::move(result).value();
  CHECK(*taken == 7);
}

TEST_CASE("the macros return the first error", "[base]") {
  CHECK(quarter_of(8).value() == 2);
  CHECK(quarter_of(6).error().what() == "an odd number");
  CHECK(quarter_of(5).error().what() == "an odd number");
  CHECK(check_even(2));
  CHECK_FALSE(check_even(3));
}

}  // namespace sealift::base
