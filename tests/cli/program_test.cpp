// Words, options, help and exit statuses of the program as a whole.
#include <algorithm>

#include "cli/commands.h"
#include "tests/cli/command_line.h"

namespace sealift::cli {

TEST_CASE("without a command it says where the commands are", "[cli]") {
  CommandLine host;
  const Outcome outcome = host.run({});
  CHECK(outcome.status == 2);
  CHECK(outcome.output.empty());
  CHECK(outcome.error ==
        "error: no command is named\n"
        "  next:  `sealift --help` lists the commands\n");
}

TEST_CASE("an unknown command is named", "[cli]") {
  CommandLine host;
  const Outcome outcome = host.run({"teleport", "web-01"});
  CHECK(outcome.status == 2);
  CHECK(outcome.output.empty());
  CHECK(outcome.error ==
        "error: there is no such command\n"
        "  where: command teleport\n"
        "  next:  `sealift --help` lists the commands\n");
}

TEST_CASE("commands of later versions are unknown", "[cli]") {
  CommandLine host;
  for (const char* word :
       {"check", "stop", "history", "mount", "import", "forget", "protect", "prune",
        "drill", "status", "report", "config", "job"}) {
    CAPTURE(word);
    CHECK(host.run({word}).status == 2);
    CHECK(host.run({word, "--help"}).status == 2);
  }
  CHECK(host.run({"repo", "revoke", "x"}).status == 2);
  CHECK(host.run({"repo", "copy", "--to", "x"}).status == 2);
}

TEST_CASE("the first of two words asks for the second", "[cli]") {
  CommandLine host;
  const Outcome outcome = host.run({"repo"});
  CHECK(outcome.status == 2);
  CHECK(outcome.error ==
        "error: this command needs a second word\n"
        "  where: command repo\n"
        "  next:  `sealift repo --help` lists them\n");
  CHECK(host.run({"repo", "paint"}).error ==
        "error: there is no such command\n"
        "  where: command repo paint\n"
        "  next:  `sealift repo --help` lists those there are\n");
}

TEST_CASE("a wrong option is named, with the help that lists the right ones", "[cli]") {
  CommandLine host;
  const Outcome outcome = host.run({"list", "--colour"});
  CHECK(outcome.status == 2);
  CHECK(outcome.output.empty());
  CHECK(outcome.error ==
        "error: unrecognised option '--colour'\n"
        "  next:  `sealift list --help` lists its options\n");
}

TEST_CASE("options are not abbreviated", "[cli]") {
  CommandLine host;
  CHECK(host.run({"list", "--verb"}).status == 2);
}

TEST_CASE("too many arguments and too few are refused", "[cli]") {
  CommandLine host;
  CHECK(host.run({"list", "a", "b"}).error ==
        "error: there are too many arguments\n"
        "  where: command list\n"
        "  next:  use it as: sealift list [VM]\n");
  CHECK(host.run({"show"}).error ==
        "error: an argument is missing\n"
        "  where: command show\n"
        "  next:  use it as: sealift show SNAPSHOT\n");
  CHECK(host.run({"keyvault", "init", "x"}).error ==
        "error: this command takes no argument\n"
        "  where: command keyvault init\n"
        "  next:  use it as: sealift keyvault init [--keyvault DIR]\n");
}

TEST_CASE("options of every command may stand before its words", "[cli]") {
  CommandLine host;
  const Outcome outcome =
      host.run({"--keyvault", host.path("other"), "--quiet", "keyvault", "init"});
  CHECK(outcome.status == 0);
  CHECK(std::filesystem::exists(host.path("other") + "/signing-key.pem"));
  CHECK(outcome.error.empty());
}

TEST_CASE("--quiet and --verbose do not go together", "[cli]") {
  CommandLine host;
  CHECK(host.run({"list", "--quiet", "--verbose"}).status == 2);
}

TEST_CASE("the overview names every command and goes to standard output", "[cli]") {
  CommandLine host;
  const Outcome outcome = host.run({"--help"});
  CHECK(outcome.status == 0);
  CHECK(outcome.error.empty());
  for (const Command* command : all_commands()) {
    CHECK_THAT(outcome.output, Contains("  " + std::string(command->words) + "  "));
  }
}

TEST_CASE("help is found under its usual names", "[cli]") {
  CommandLine host;
  const std::string overview = host.run({"--help"}).output;
  CHECK(host.run({"help"}).output == overview);
  CHECK(host.run({"-h"}).output == overview);
  CHECK(host.run({"list", "-h"}).output == host.run({"list", "--help"}).output);
  CHECK(host.run({"repo", "-h"}).output == host.run({"repo", "--help"}).output);
}

TEST_CASE("settings that were named are read by every command", "[cli]") {
  CommandLine host;
  static_cast<void>(host.make_repository());
  const Outcome outcome = host.run({"list", "--config", host.path("no-such.conf")});
  CHECK(outcome.status == 10);
  CHECK_THAT(outcome.error, Contains("no-such.conf"));
  host.write("odd.conf", "colour = red\n");
  CHECK(host.run({"list", "--config", host.path("odd.conf")}).status == 2);
}

TEST_CASE("every help fits 80 columns and ends with an example of its command",
          "[cli]") {
  CommandLine host;
  for (const Command* command : all_commands()) {
    std::istringstream words{std::string(command->words)};
    std::vector<std::string> line;
    for (std::string word; words >> word;) line.push_back(word);
    line.emplace_back("--help");
    const Outcome outcome = host.run(line);
    CAPTURE(command->words, outcome.output);
    CHECK(outcome.status == 0);
    CHECK(outcome.error.empty());
    std::istringstream lines(outcome.output);
    for (std::string text; std::getline(lines, text);) CHECK(text.size() <= 80);
    const std::string example = outcome.output.substr(outcome.output.rfind("Example:"));
    CHECK_THAT(example, Contains("sealift " + std::string(command->words)));
  }
}

TEST_CASE("--version says which program it is", "[cli]") {
  CommandLine host;
  const Outcome outcome = host.run({"--version"});
  CHECK(outcome.status == 0);
  CHECK_THAT(outcome.output, StartsWith("sealift "));
}

TEST_CASE("an answer that cannot be written is an error", "[cli]") {
  std::ostringstream error;
  std::ostream full(nullptr);
  const FixedClock clock;
  Surroundings surroundings{
      .output = full,
      .error = error,
      .variable = [](const std::string&) { return std::optional<std::string>(); },
      .terminal = nullptr,
      .screen = Screen::kNone,
      .clock = clock,
      .host = "host-a",
      .stop = {}};
  CHECK(cli::run({"--version"}, surroundings) == 15);
  CHECK(error.str() ==
        "error: the answer could not be written\n"
        "  where: standard output\n"
        "  next:  look whether there is room where it goes; what the command was to do "
        "is done\n");

  SECTION("but not if whoever reads has seen enough") {
    error.str({});
    surroundings.is_reader_gone = [] { return true; };
    CHECK(cli::run({"--version"}, surroundings) == 141);
    CHECK(error.str().empty());
  }
}

}  // namespace sealift::cli
