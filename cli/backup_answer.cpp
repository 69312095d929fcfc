#include "cli/backup_answer.h"

#include <algorithm>

#include "base/byte_count.h"
#include "cli/snapshot_answer.h"

namespace sealift::cli {

namespace {

std::string seconds_text(std::chrono::milliseconds pause) {
  constexpr int kMillisecondsInHundredth = 10;
  const auto hundredths = pause.count() / kMillisecondsInHundredth;
  const std::string part = std::to_string(hundredths % 100);
  return std::to_string(hundredths / 100) + "." + (part.size() < 2 ? "0" : "") + part +
         " s";
}

void print_text(const Session& session, const backup::VmOutcome& outcome) {
  const catalog::Snapshot& snapshot = outcome.snapshot;
  session.output() << base::printable(outcome.vm) << ": snapshot "
                   << short_id(snapshot.id) << " is " << snapshot.verdict << ", "
                   << base::ByteCount(snapshot.changed_bytes).text() << " of "
                   << base::ByteCount(snapshot.source_bytes).text() << " read, "
                   << base::ByteCount(snapshot.stored_bytes).text() << " stored";
  if (outcome.pause.count() > 0) {
    session.output() << ", paused for " << seconds_text(outcome.pause);
  }
  session.output() << "\n";
}

// One object a line, so that the last lines of a run can be read as they are.
void print_json(const Session& session, const backup::VmOutcome& outcome) {
  base::Json object = to_json(outcome.snapshot);
  if (outcome.error) {
    object = {{"id", nullptr},
              {"vm", outcome.vm},
              {"vm_uuid", outcome.vm_uuid},
              {"verdict", "failed"},
              {"error", outcome.error->what()},
              {"reason", base::one_line(*outcome.error)},
              {"problems", outcome.error->next_steps()},
              {"exit_status", static_cast<int>(outcome.error->code())}};
  } else {
    object["pause_milliseconds"] = outcome.pause.count();
    object["warnings"] = outcome.warnings;
  }
  session.output() << object.dump(-1, ' ', false, base::Json::error_handler_t::replace)
                   << "\n";
}

bool names_vm(const base::Error& error) {
  return std::ranges::any_of(error.places(), [](const base::Error::Place& place) {
    return place.kind == "vm";
  });
}

base::Error naming_vm(const backup::VmOutcome& outcome) {
  base::Error error = *outcome.error;
  if (!names_vm(error)) error.at("vm", outcome.vm);
  return error;
}

}  // namespace

void BackupAnswer::add(const backup::VmOutcome& outcome) {
  progress_.clear();
  ++vms_;
  for (const std::string& warning : outcome.warnings) {
    session_.warn(base::printable(outcome.vm) + ": " + base::printable(warning));
  }
  if (session_.wants_json()) print_json(session_, outcome);
  if (outcome.error) {
    ++failed_;
    codes_.insert(outcome.error->code());
    session_.report(naming_vm(outcome));
  } else {
    if (!session_.wants_json()) print_text(session_, outcome);
    is_incomplete_ = is_incomplete_ || outcome.snapshot.verdict != "complete";
  }
  session_.output().flush();
}

ExitStatus BackupAnswer::end() const {
  if (vms_ > 1) {
    session_.say(std::to_string(vms_ - failed_) + " of " + std::to_string(vms_) +
                 " VMs backed up");
  }
  if (codes_.contains(base::ErrorCode::kInterrupted)) {
    return ended_with(base::ErrorCode::kInterrupted);
  }
  if (failed_ > 0 && failed_ == vms_ && codes_.size() == 1) {
    return ended_with(*codes_.begin());
  }
  return failed_ > 0 || is_incomplete_ ? ExitStatus::kNotEverything : ExitStatus::kDone;
}

}  // namespace sealift::cli
