#include "restore/undo.h"

#include <utility>

namespace sealift::restore {

void Undo::add(std::string what, std::function<base::Status()> take_away) {
  made_.push_back({std::move(what), std::move(take_away)});
}

base::Error Undo::roll_back(base::Error error) {
  std::vector<std::string> left;
  while (!made_.empty()) {
    const Made last = std::move(made_.back());
    made_.pop_back();
    const base::Status status = last.take_away();
    // Somebody else took it away: there is nothing left.
    if (!status && status.error().code() != base::ErrorCode::kNotFound) {
      const std::string& cause = status.error().cause();
      left.push_back(last.what + " (" +
                     (cause.empty() ? status.error().what() : cause) + ")");
    }
  }
  if (left.empty()) {
    return std::move(error).next(
        error.code() == base::ErrorCode::kCorrupt
            ? "nothing was left behind; bring a good copy of the volume, or restore "
              "another snapshot"
            : "nothing was left behind; when the cause is gone, run the restore again");
  }
  for (const std::string& what : left) error.next("left behind, remove it: " + what);
  return error;
}

}  // namespace sealift::restore
