// Runs commands in this process, in a scratch folder, as nobody's environment.
#pragma once

#include <sys/stat.h>

#include <cstdlib>
#include <deque>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "cli/program.h"
#include "keyvault/recovery_key.h"
#include "tests/support/catch.h"
#include "tests/support/scratch_folder.h"

namespace sealift::cli {

using Catch::Matchers::EndsWith;
using Catch::Matchers::StartsWith;
#ifdef SEALIFT_CATCH2_V3
inline auto Contains(const std::string& part) {
  return Catch::Matchers::ContainsSubstring(part);
}
#else
using Catch::Matchers::Contains;
#endif

struct Outcome {
  int status = 0;
  std::string output;
  std::string error;
};

class FixedClock final : public base::Clock {
 public:
  base::Timestamp now() const override { return base::Timestamp(1'800'000'000); }
};

/// A person with answers, and none left is an error.
class ScriptedTerminal final : public Terminal {
 public:
  explicit ScriptedTerminal(std::deque<std::string> answers)
      : answers_(std::move(answers)) {}

  base::Result<std::string> ask(const std::string& question) override {
    asked += question;
    if (answers_.empty()) return base::Error(base::ErrorCode::kIo, "no answer");
    std::string answer = answers_.front();
    answers_.pop_front();
    return answer;
  }
  base::Result<keyvault::Secret> ask_secret(const std::string& question) override {
    ASSIGN_OR_RETURN(const std::string answer, ask(question));
    return keyvault::Secret::copy_of(base::as_bytes(answer));
  }

  std::string asked;

 private:
  std::deque<std::string> answers_;
};

/// A host of its own: key vault and catalog lie in the scratch folder, whatever the
/// environment of the tests says.
class CommandLine {
 public:
  CommandLine() {
    for (const char* name :
         {"SEALIFT_REPO", "SEALIFT_REPO_ID", "SEALIFT_KEYVAULT", "SEALIFT_CATALOG",
          "SEALIFT_CONNECT", "SEALIFT_PASSPHRASE_FILE"}) {
      ::unsetenv(name);
    }
    variables = {{"SEALIFT_KEYVAULT", path("vault")},
                 {"SEALIFT_CATALOG", path("catalog.db")},
                 {"SEALIFT_REPO", path("repository")}};
  }

  std::string path(const std::string& name) const {
    return (scratch.path() / name).string();
  }

  Outcome run(const std::vector<std::string>& arguments) {
    std::ostringstream output;
    std::ostringstream error;
    const FixedClock clock;
    const Surroundings surroundings{
        .output = output,
        .error = error,
        .variable = [&](const std::string& name) -> std::optional<std::string> {
          const auto found = variables.find(name);
          if (found == variables.end() || found->second.empty()) return std::nullopt;
          return found->second;
        },
        .terminal = terminal,
        .screen = Screen::kNone,
        .clock = clock,
        .host = "host-a",
        .stop = stop.get_token(),
    };
    const int status = cli::run(arguments, surroundings);
    return {status, output.str(), error.str()};
  }

  void write(const std::string& name, std::string_view text) const {
    std::ofstream(path(name), std::ios::binary) << text;
  }
  std::string read(const std::string& name) const {
    std::ifstream file(path(name), std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
  }
  mode_t mode(const std::string& name) const {
    struct stat found {};
    REQUIRE(::stat(path(name).c_str(), &found) == 0);
    return found.st_mode & 07777U;
  }

  /// Recovery keys are slow to draw: the same few serve the whole program. Writes
  /// key-N.pem and key-N.pub.pem.
  void write_recovery_key(unsigned number) const {
    const keyvault::RecoveryKey& key = recovery_key(number);
    const std::string name = "key-" + std::to_string(number);
    write(name + ".pem", base::as_text(key.to_pem(nullptr).value().view()));
    write(name + ".pub.pem", key.recipient().spki_pem());
  }
  static const keyvault::RecoveryKey& recovery_key(unsigned number) {
    constexpr unsigned kBits = 3072;
    static std::map<unsigned, keyvault::RecoveryKey> keys;
    const auto found = keys.find(number);
    if (found != keys.end()) return found->second;
    return keys.emplace(number, keyvault::RecoveryKey::generate(kBits).value())
        .first->second;
  }

  /// A key vault, key-1, and a repository readable with it; returns the repository id.
  std::string make_repository() {
    write_recovery_key(1);
    REQUIRE(run({"keyvault", "init"}).status == 0);
    const Outcome made = run({"repo", "init", "--recipient", path("key-1.pub.pem")});
    CAPTURE(made.error);
    REQUIRE(made.status == 0);
    constexpr std::size_t kIdDigits = 64;
    return made.output.substr(0, kIdDigits);
  }

  /// From now on a host that has nothing but what options name.
  void become_fresh_host() {
    variables["SEALIFT_KEYVAULT"] = path("no-vault");
    variables["SEALIFT_CATALOG"] = path("fresh-catalog.db");
  }

  support::ScratchFolder scratch;
  std::map<std::string, std::string> variables;
  Terminal* terminal = nullptr;
  std::stop_source stop;
};

}  // namespace sealift::cli
