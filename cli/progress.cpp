#include "cli/progress.h"

#include "cli/table.h"

namespace sealift::cli {

namespace {

// Often enough to look alive, seldom enough to cost nothing.
constexpr std::chrono::milliseconds kPause{100};
constexpr std::size_t kLineLimit = 78;
constexpr const char* kClearLine = "\r\x1b[K";

}  // namespace

Progress::Progress(const Session& session) : session_(session), way_(Way::kNone) {
  const Talk talk = session.chosen().talk;
  if (talk == Talk::kQuiet) return;
  if (session.surroundings().screen == Screen::kLive)
    way_ = Way::kLine;
  else if (talk == Talk::kVerbose)
    way_ = Way::kLines;
}

void Progress::show(const std::string& words) {
  const std::lock_guard guard(mutex_);
  std::ostream& error = session_.surroundings().error;
  if (way_ == Way::kLines) error << base::printable(words) << "\n";
  if (way_ != Way::kLine) return;
  const auto now = std::chrono::steady_clock::now();
  if (is_shown_ && now - last_ < kPause) return;
  last_ = now;
  is_shown_ = true;
  error << kClearLine << cut(base::printable(words), kLineLimit) << std::flush;
}

void Progress::clear() {
  const std::lock_guard guard(mutex_);
  if (!is_shown_) return;
  session_.surroundings().error << kClearLine << std::flush;
  is_shown_ = false;
}

}  // namespace sealift::cli
