// Words about a long run while it lasts.
#pragma once

#include <chrono>
#include <functional>
#include <mutex>
#include <string>

#include "cli/session.h"

namespace sealift::cli {

/// On a screen one line that is written again and again, and cleared at the end; with
/// --verbose and no screen a line each; else, and with --quiet, nothing.
/// Threads: show() from several at once.
class Progress {
 public:
  explicit Progress(const Session& session);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress() { clear(); }

  void show(const std::string& words);
  /// Takes the line away before something else is said.
  void clear();

 private:
  enum class Way { kNone, kLine, kLines };
  const Session& session_;
  Way way_;
  std::mutex mutex_;
  bool is_shown_ = false;
  std::chrono::steady_clock::time_point last_;
};

}  // namespace sealift::cli
