// SIGINT, SIGTERM and SIGHUP as a request to stop, once; the second one ends the
// process.
#pragma once

#include <stop_token>
#include <thread>

#include "base/file_descriptor.h"
#include "base/result.h"

namespace sealift::cli {

/// Handlers rather than a blocked mask: programs that we start inherit the mask, and
/// qemu-nbd must die when it is told to. One at a time in a process.
class Interruption {
 public:
  static base::Result<Interruption> install();
  Interruption(Interruption&&) noexcept = default;
  Interruption& operator=(Interruption&&) = delete;
  ~Interruption();

  std::stop_token token() const { return source_.get_token(); }

  /// `status`, or 143 in place of 130 when it was SIGTERM or SIGHUP that interrupted.
  static int exit_status(int status);

 private:
  Interruption(base::FileDescriptor reading, base::FileDescriptor writing);

  std::stop_source source_;
  base::FileDescriptor writing_;
  std::jthread waiting_;
};

}  // namespace sealift::cli
