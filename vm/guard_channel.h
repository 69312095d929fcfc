// What a capture and its guard tell each other: whole messages, with open files.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "base/file_descriptor.h"
#include "base/strict_json.h"
#include "vm/capture_traces.h"

namespace sealift::vm {

/// One end of a socket pair that keeps messages apart. What was sent arrives even if
/// the sender is dead by then, descriptors too. One thread at a time.
class GuardChannel {
 public:
  explicit GuardChannel(base::FileDescriptor socket) : socket_(std::move(socket)) {}

  struct Pair {
    base::FileDescriptor ours;
    base::FileDescriptor of_guard;
  };
  static base::Result<Pair> make_pair();

  /// `passed`  A descriptor to go along, or -1; it stays open here.
  /// errors  kIo: the other side is gone.
  base::Status send(const base::Json& message, int passed = -1);

  // NOLINTNEXTLINE(bugprone-exception-escape): the JSON library clears up with a list
  struct Message {
    base::Json json;
    base::FileDescriptor passed;
  };
  enum class Arrival { kMessage, kNothing, kEnd };
  /// Waits at most `limit`. kEnd: the other side is gone.
  Arrival receive(Message& message, std::chrono::milliseconds limit);

 private:
  base::FileDescriptor socket_;
};

base::Json to_json(const CaptureTraces& traces);
base::Result<CaptureTraces> traces_from_json(const base::Json& json);

}  // namespace sealift::vm
