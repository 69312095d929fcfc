// sealift: the process around cli::run().
#include <malloc.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include "cli/interruption.h"
#include "cli/program.h"
#include "cli/standard_descriptors.h"
#include "cli/terminal.h"
#include "keyvault/secret.h"
#include "vm/capture.h"

namespace {

namespace cli = sealift::cli;

constexpr mode_t kNobodyElse = 077;
constexpr int kDefect = 1;

std::optional<std::string> environment_variable(const std::string& name) {
  const char* value = std::getenv(name.c_str());  // NOLINT(concurrency-mt-unsafe)
  if (value == nullptr || *value == '\0') return std::nullopt;
  return value;
}

std::string host_name() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) return "localhost";
  return name.data();
}

int fail(const sealift::base::Error& error) {
  std::cerr << sealift::base::render(error);
  return static_cast<int>(error.code());
}

int run_process(const std::vector<std::string>& arguments) {
  // The catalog's pages come and go under a lock, on whichever thread looks something
  // up: in an arena for each thread they would take their memory several times.
  ::mallopt(M_ARENA_MAX, 1);
  if (const auto opened = cli::open_standard_descriptors(); !opened) {
    return fail(opened.error());
  }
  if (const auto hardened = sealift::keyvault::harden_process(); !hardened) {
    return fail(hardened.error());
  }
  // The guard of a capture is this program started anew; it goes its own way.
  if (const auto status = sealift::vm::run_as_capture_guard(arguments)) return *status;
  ::umask(kNobodyElse);
  // A closed pipe or socket is an error of the write, not the end of a backup.
  static_cast<void>(std::signal(SIGPIPE, SIG_IGN));
  const auto interruption = cli::Interruption::install();
  if (!interruption) return fail(interruption.error());

  const auto terminal = cli::open_terminal(interruption->token());
  const sealift::base::SystemClock clock;
  const cli::Surroundings surroundings{
      .output = std::cout,
      .error = std::cerr,
      .variable = environment_variable,
      .terminal = terminal.get(),
      .screen = ::isatty(STDERR_FILENO) == 1 ? cli::Screen::kLive : cli::Screen::kNone,
      .clock = clock,
      .host = host_name(),
      .stop = interruption->token(),
      .is_reader_gone = [] { return cli::is_reader_gone(STDOUT_FILENO); },
  };
  return cli::Interruption::exit_status(cli::run(arguments, surroundings));
}

}  // namespace

int main(int count, char** words) try {
  return run_process(
      std::vector<std::string>(words + (count > 0 ? 1 : 0), words + count));
} catch (const std::exception& exception) {
  std::cerr << "error: sealift has a defect and stopped\n  cause: " << exception.what()
            << "\n";
  return kDefect;
}
