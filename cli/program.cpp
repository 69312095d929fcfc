#include "cli/program.h"

#include <algorithm>
#include <csignal>
#include <exception>
#include <optional>

#include "cli/command.h"
#include "cli/configuration.h"
#include "cli/help.h"

namespace sealift::cli {

namespace options = boost::program_options;

namespace {

constexpr int kDefect = 1;
// What a shell says of git or restic, which the signal SIGPIPE ends.
constexpr int kReaderGone = 128 + SIGPIPE;

using Words = std::vector<std::string>;

int exit_status_of(base::ErrorCode code) { return static_cast<int>(code); }

base::Error wrong(std::string what) {
  return {base::ErrorCode::kUsage, std::move(what)};
}

bool is_option(const std::string& word) { return word.size() > 1 && word[0] == '-'; }

// Words come first, then options; options that every command has may also stand before.
// Moves those behind the words, each with its value.
Words words_first(const Words& arguments) {
  options::options_description described;
  add_global_options(described);
  Words leading;
  auto at = arguments.begin();
  while (at != arguments.end() && is_option(*at)) {
    const auto* known =
        at->starts_with("--") ? described.find_nothrow(at->substr(2), false) : nullptr;
    leading.push_back(*at++);
    const bool has_value = known != nullptr && known->semantic()->max_tokens() > 0;
    if (has_value && at != arguments.end()) leading.push_back(*at++);
  }
  Words ordered(at, arguments.end());
  ordered.insert(ordered.end(), leading.begin(), leading.end());
  return ordered;
}

struct Chosen {
  const Command* command;
  Words rest;
};

// Whether commands of two words begin with it: `repo`, `keyvault`.
bool is_family(const std::string& word) {
  return std::ranges::any_of(all_commands(), [&](const Command* command) {
    return command->words.starts_with(word + " ");
  });
}

base::Result<Chosen> choose(const Words& words) {
  const std::string& first = words.front();
  const std::string both = words.size() > 1 ? first + " " + words[1] : first;
  for (const Command* command : all_commands()) {
    if (command->words == first)
      return Chosen{command, {words.begin() + 1, words.end()}};
    if (command->words == both)
      return Chosen{command, {words.begin() + 2, words.end()}};
  }
  if (!is_family(first)) {
    return wrong("there is no such command")
        .at("command", first)
        .next("`sealift --help` lists the commands");
  }
  if (words.size() == 1 || is_option(words[1])) {
    return wrong("this command needs a second word")
        .at("command", first)
        .next("`sealift " + first + " --help` lists them");
  }
  return wrong("there is no such command")
      .at("command", both)
      .next("`sealift " + first + " --help` lists those there are");
}

bool is_empty(const boost::any& value) {
  if (const auto* one = boost::any_cast<std::string>(&value)) return one->empty();
  const auto* several = boost::any_cast<Words>(&value);
  return several != nullptr && std::ranges::find(*several, "") != several->end();
}

// An option's value that is empty comes from a variable that a script did not set.
base::Status check_values(const options::options_description& described,
                          const options::variables_map& map) {
  for (const auto& [name, value] : map) {
    const bool takes_value = described.find(name, false).semantic()->max_tokens() > 0;
    if (!takes_value || name == Values::kArgument || !is_empty(value.value())) continue;
    return wrong("the option's value is empty").at("option", "--" + name);
  }
  return base::Done{};
}

// Boost throws on a bad command line; this is the only place that catches it.
base::Result<Values> parse(const Command& command, const Words& rest) try {
  options::options_description described;
  command.add_options(described);
  add_global_options(described);
  described.add_options()(Values::kArgument, options::value<Words>());
  options::positional_options_description positions;
  positions.add(Values::kArgument, -1);
  // Whole names only: an abbreviation would change its meaning with the next option.
  namespace style = options::command_line_style;
  options::variables_map map;
  options::store(options::command_line_parser(rest)
                     .options(described)
                     .positional(positions)
                     .style(style::default_style & ~style::allow_guessing)
                     .run(),
                 map);
  options::notify(map);
  RETURN_IF_ERROR(check_values(described, map));
  return Values(std::move(map));
} catch (const options::error& error) {
  return wrong(error.what())
      .next("`sealift " + std::string(command.words) + " --help` lists its options");
}

base::Status check_arguments(const Command& command, const Values& values) {
  const auto count = static_cast<int>(values.arguments().size());
  const Arguments& wanted = command.arguments;
  if (count >= wanted.least && (wanted.most == kAnyNumber || count <= wanted.most)) {
    return base::Done{};
  }
  const char* what = count < wanted.least ? "an argument is missing"
                     : wanted.most == 0   ? "this command takes no argument"
                                          : "there are too many arguments";
  const std::string words(command.words);
  return wrong(what)
      .at("command", words)
      .next("use it as: sealift " + words + " " + std::string(command.synopsis));
}

base::Result<ExitStatus> run_command(const Command& command, const Words& rest,
                                     const Surroundings& surroundings) {
  ASSIGN_OR_RETURN(const Values values, parse(command, rest));
  RETURN_IF_ERROR(check_arguments(command, values));
  ASSIGN_OR_RETURN(const GlobalOptions chosen,
                   read_global_options(values.map(), surroundings));
  const Session session(chosen, surroundings);
  // Settings that were named are read by every command, so that a wrong name shows.
  if (chosen.configuration) RETURN_IF_ERROR(read_configuration(session));
  auto result = command.run(session, values);
  if (!result && result.error().code() == base::ErrorCode::kUsage &&
      result.error().next_steps().empty()) {
    return std::move(result).error().next("`sealift " + std::string(command.words) +
                                          " --help` says how it is used");
  }
  return result;
}

bool asks_for_help(const Words& words) {
  return std::ranges::any_of(
      words, [](const std::string& word) { return word == "--help" || word == "-h"; });
}

base::Result<ExitStatus> run_words(const Words& arguments,
                                   const Surroundings& surroundings) {
  const Words words = words_first(arguments);
  if (words.empty()) {
    return wrong("no command is named").next("`sealift --help` lists the commands");
  }
  if (words.front() == "help") {
    Words meant(words.begin() + 1, words.end());
    meant.emplace_back("--help");
    return run_words(meant, surroundings);
  }
  if (words.front() == "--version") {
    surroundings.output << "sealift " SEALIFT_VERSION "\n";
    return ExitStatus::kDone;
  }
  if (is_option(words.front())) {
    if (asks_for_help(words)) {
      print_overview(surroundings.output);
      return ExitStatus::kDone;
    }
    return wrong("no command is named")
        .at("option", words.front())
        .next("`sealift --help` lists the commands");
  }
  if (is_family(words.front()) && words.size() > 1 && asks_for_help({words[1]})) {
    print_family(surroundings.output, words.front());
    return ExitStatus::kDone;
  }
  ASSIGN_OR_RETURN(const Chosen chosen, choose(words));
  if (asks_for_help(chosen.rest)) {
    print_help(surroundings.output, *chosen.command);
    return ExitStatus::kDone;
  }
  return run_command(*chosen.command, chosen.rest, surroundings);
}

int report_defect(const Surroundings& surroundings, const char* words) {
  surroundings.error << "error: sealift has a defect and stopped\n  cause: "
                     << base::printable(words)
                     << "\n  next:  report it with the command line and this text\n";
  return kDefect;
}

}  // namespace

int run(const Words& arguments, const Surroundings& surroundings) try {
  const base::Result<ExitStatus> result = run_words(arguments, surroundings);
  surroundings.output.flush();
  if (!result) {
    surroundings.error << shown(result.error());
    return exit_status_of(result.error().code());
  }
  if (surroundings.output) return static_cast<int>(result.value());
  if (surroundings.is_reader_gone()) return kReaderGone;
  surroundings.error << "error: the answer could not be written\n"
                        "  where: standard output\n"
                        "  next:  look whether there is room where it goes; what the "
                        "command was to do is done\n";
  return exit_status_of(base::ErrorCode::kIo);
} catch (const std::exception& exception) {
  return report_defect(surroundings, exception.what());
} catch (...) {
  return report_defect(surroundings, "something that is no std::exception was thrown");
}

}  // namespace sealift::cli
