#include "cli/backup_answer.h"

#include <algorithm>
#include <optional>

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

// The error of the whole run: VMs that failed among others that did not make it only
// "not everything"; but a run that was interrupted, or in which every VM failed for the
// same reason, ends as that.
std::optional<base::ErrorCode> code_of(const std::vector<backup::VmOutcome>& outcomes) {
  std::optional<base::ErrorCode> common;
  bool is_common = true;
  for (const backup::VmOutcome& outcome : outcomes) {
    if (!outcome.error) {
      is_common = false;
      continue;
    }
    const base::ErrorCode code = outcome.error->code();
    if (code == base::ErrorCode::kInterrupted) return code;
    is_common = is_common && common.value_or(code) == code;
    common = code;
  }
  return is_common ? common : std::nullopt;
}

}  // namespace

base::Result<ExitStatus> answer_backup(const Session& session,
                                       const std::vector<backup::VmOutcome>& outcomes) {
  std::size_t failed = 0;
  bool is_incomplete = false;
  const std::optional<base::ErrorCode> code = code_of(outcomes);
  std::optional<base::Error> ending;
  for (const backup::VmOutcome& outcome : outcomes) {
    for (const std::string& warning : outcome.warnings) {
      session.warn(base::printable(outcome.vm) + ": " + base::printable(warning));
    }
    if (session.wants_json()) print_json(session, outcome);
    if (!outcome.error) {
      if (!session.wants_json()) print_text(session, outcome);
      is_incomplete = is_incomplete || outcome.snapshot.verdict != "complete";
      continue;
    }
    ++failed;
    if (ending) session.report(*ending);
    ending = naming_vm(outcome);
    if (ending->code() == code) continue;
    session.report(*ending);
    ending.reset();
  }
  session.output().flush();
  if (outcomes.size() > 1) {
    session.say(std::to_string(outcomes.size() - failed) + " of " +
                std::to_string(outcomes.size()) + " VMs backed up");
  }
  if (ending) return *ending;
  return failed > 0 || is_incomplete ? ExitStatus::kNotEverything : ExitStatus::kDone;
}

}  // namespace sealift::cli
