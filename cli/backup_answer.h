// How a backup went, for a person or a script.
#pragma once

#include <set>

#include "backup/backup.h"
#include "cli/progress.h"
#include "cli/session.h"

namespace sealift::cli {

/// Says how each VM went, as soon as it is known: a run may last for hours, and be
/// killed. A line or a JSON object each, warnings, and what failed.
class BackupAnswer {
 public:
  /// Both outlive it.
  BackupAnswer(const Session& session, Progress& progress)
      : session_(session), progress_(progress) {}

  void add(const backup::VmOutcome& outcome);

  /// return  kNotEverything: some VM failed, or its snapshot is incomplete. But a run
  ///         that was interrupted, or in which every VM failed for the same reason,
  ///         ends as that.
  ExitStatus end() const;

 private:
  const Session& session_;
  Progress& progress_;
  std::size_t vms_ = 0;
  std::size_t failed_ = 0;
  bool is_incomplete_ = false;
  std::set<base::ErrorCode> codes_;  ///< Of what failed.
};

}  // namespace sealift::cli
