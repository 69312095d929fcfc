// A value or the Error that prevented it.
#pragma once

#include <cassert>
#include <utility>
#include <variant>

#include "base/error.h"

namespace sealift::base {

/// Holds a T or an Error. Asking for the one it does not hold is a programmer's
/// mistake and asserts.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : held_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : held_(std::in_place_index<1>, std::move(error)) {}

  explicit operator bool() const noexcept { return held_.index() == 0; }

  T& value() & {
    assert(*this);
    return *std::get_if<0>(&held_);
  }
  const T& value() const& {
    assert(*this);
    return *std::get_if<0>(&held_);
  }
  T&& value() && {
    assert(*this);
    return std::move(*std::get_if<0>(&held_));
  }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  Error& error() & {
    assert(!*this);
    return *std::get_if<1>(&held_);
  }
  const Error& error() const& {
    assert(!*this);
    return *std::get_if<1>(&held_);
  }
  Error&& error() && {
    assert(!*this);
    return std::move(*std::get_if<1>(&held_));
  }

 private:
  std::variant<T, Error> held_;
};

/// The value of a call that only succeeds or fails.
struct Done {};
using Status = Result<Done>;

}  // namespace sealift::base

/// Evaluates a Result and returns its Error from the enclosing function, if it has one.
#define RETURN_IF_ERROR(expression)                                               \
  do {                                                                            \
    if (auto status_ = (expression); !status_) return std::move(status_).error(); \
  } while (false)

/// ASSIGN_OR_RETURN(const Header header, decode(bytes)); declares `header`, or returns.
#define ASSIGN_OR_RETURN(declaration, expression) \
  ASSIGN_OR_RETURN_AS_(RESULT_NAME_(__LINE__), declaration, expression)
#define ASSIGN_OR_RETURN_AS_(result, declaration, expression) \
  auto result = (expression);                                 \
  if (!result) return std::move(result).error();              \
  declaration = std::move(result).value()
#define RESULT_NAME_(line) RESULT_NAME_PASTED_(line)
#define RESULT_NAME_PASTED_(line) result_on_line_##line
