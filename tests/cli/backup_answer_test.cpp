#include "cli/backup_answer.h"

#include <sstream>

#include "tests/cli/command_line.h"

namespace sealift::cli {

namespace {

// A file or pipe: what is not flushed nobody reads.
class BufferedFile final : public std::stringbuf {
 public:
  std::string arrived;

 private:
  int sync() override {
    arrived = str();
    return 0;
  }
};

backup::VmOutcome outcome_of(const std::string& vm) {
  backup::VmOutcome outcome;
  outcome.vm = vm;
  outcome.snapshot.vm_name = vm;
  outcome.snapshot.verdict = "complete";
  return outcome;
}

}  // namespace

TEST_CASE("what became of a VM is written before the next one begins", "[cli]") {
  const Form form = GENERATE(Form::kText, Form::kJson);
  BufferedFile file;
  std::ostream output(&file);
  std::ostringstream error;
  const FixedClock clock;
  const Surroundings surroundings{
      .output = output,
      .error = error,
      .variable = [](const std::string&) -> std::optional<std::string> { return {}; },
      .terminal = nullptr,
      .screen = Screen::kNone,
      .clock = clock,
      .host = "host-a",
      .stop = {},
  };
  GlobalOptions chosen;
  chosen.form = form;
  const Session session(chosen, surroundings);
  Progress progress(session);
  BackupAnswer answer(session, progress);

  answer.add(outcome_of("web-01"));
  CHECK_THAT(file.arrived, Contains("web-01") && EndsWith("\n"));
  CHECK_THAT(file.arrived, !Contains("db-01"));
  answer.add(outcome_of("db-01"));
  CHECK_THAT(file.arrived, Contains("db-01") && EndsWith("\n"));

  backup::VmOutcome failed;
  failed.vm = "mail-01";
  failed.error = base::Error(base::ErrorCode::kIo, "cannot read a disk");
  answer.add(failed);
  CHECK_THAT(error.str(), Contains("vm mail-01"));
  if (form == Form::kJson) CHECK_THAT(file.arrived, Contains("mail-01"));
}

}  // namespace sealift::cli
