// What the repository should have and has not.
#pragma once

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"

namespace sealift::catalog {

/// The next step of an error about something that is missing.
constexpr const char* kRestoreTheRest =
    "what does not need it can be restored meanwhile: see what that is with `sealift "
    "verify --all`, and name a snapshot by its id, with --accept-loss";

/// Whether the error says that something is missing, not that two things contradict
/// each other.
inline bool is_loss(const base::Error& error) {
  return std::ranges::find(error.next_steps(), kRestoreTheRest) !=
         error.next_steps().end();
}

/// Collects what is missing where the operator accepts that; else the first is an
/// error. Of very many the first few stand for all.
class Losses {
 public:
  explicit Losses(bool are_accepted) : are_accepted_(are_accepted) {}

  base::Status add(base::Error error) {
    if (!are_accepted_ || !is_loss(error)) return error;
    if (errors_.size() < kMostSaid) {
      errors_.push_back(std::move(error));
    } else {
      ++unsaid_;
    }
    return base::Done{};
  }

  /// As add(), of a volume that was known.
  base::Status add_volume(const std::string& name, base::Error error) {
    volumes_.insert(name);
    return add(std::move(error));
  }

  const std::set<std::string>& volumes() const { return volumes_; }
  bool is_empty() const { return errors_.empty(); }

  std::vector<base::Error> take() {
    if (unsaid_ > 0) {
      errors_.emplace_back(base::ErrorCode::kCorrupt,
                           std::to_string(unsaid_) +
                               " more volumes or records are "
                               "missing or changed");
    }
    return std::move(errors_);
  }

 private:
  static constexpr std::size_t kMostSaid = 20;

  bool are_accepted_;
  std::vector<base::Error> errors_;
  std::size_t unsaid_ = 0;
  std::set<std::string> volumes_;
};

}  // namespace sealift::catalog
