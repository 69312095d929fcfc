// Ownership of C objects in one line each.
#pragma once

#include <memory>

namespace sealift::base {

template <auto Release>
struct ReleaseWith {
  void operator()(auto* object) const noexcept { static_cast<void>(Release(object)); }
};

/// Sole owner of a C object; empty when null. The release status is dropped: a writer
/// whose close can lose data is closed explicitly and its status checked before this.
template <typename T, auto Release>
using Handle = std::unique_ptr<T, ReleaseWith<Release>>;

}  // namespace sealift::base
