#include "cli/help.h"

#include <array>
#include <iomanip>
#include <sstream>

#include "cli/global_options.h"

namespace sealift::cli {

namespace options = boost::program_options;

namespace {

constexpr unsigned kWidth = 79;
constexpr unsigned kDescriptionWidth = 48;
constexpr int kWordsWidth = 29;

struct Heading {
  Group group;
  const char* title;
};
constexpr std::array<Heading, 5> kHeadings{{
    {Group::kKeys, "Keys"},
    {Group::kRepository, "Repository"},
    {Group::kBackUp, "Back up"},
    {Group::kBringBack, "Bring back"},
    {Group::kKeep, "Keep"},
}};

void print_line(std::ostream& output, const Command& command) {
  output << "  " << std::left << std::setw(kWordsWidth) << command.words
         << command.summary << "\n";
}

// Boost ends every list with blank-padded lines; a terminal need not see the blanks.
void print_options(std::ostream& output, const options::options_description& list) {
  std::ostringstream printed;
  printed << list;
  std::istringstream lines(printed.str());
  for (std::string line; std::getline(lines, line);) {
    line.erase(line.find_last_not_of(' ') + 1);
    output << line << "\n";
  }
}

}  // namespace

void print_overview(std::ostream& output) {
  output << "sealift backs up Trusted Launch VMs and brings them back on another\n"
            "cluster, vTPM and secrets included.\n\n"
            "usage: sealift COMMAND [ARGUMENTS] [OPTIONS]\n";
  for (const Heading& heading : kHeadings) {
    output << "\n" << heading.title << "\n";
    for (const Command* command : all_commands()) {
      if (command->group == heading.group) print_line(output, *command);
    }
  }
  output << "\n`sealift COMMAND --help` tells more, and so does `man sealift`.\n"
            "`sealift --version` prints the version.\n\n"
            "Example:\n"
            "  sealift backup web-01 --repo /mnt/backup\n";
}

void print_family(std::ostream& output, std::string_view word) {
  output << "usage: sealift " << word << " COMMAND [OPTIONS]\n\n";
  std::string_view example;
  for (const Command* command : all_commands()) {
    if (!command->words.starts_with(std::string(word) + " ")) continue;
    print_line(output, *command);
    if (example.empty()) example = command->examples;
  }
  output << "\nExample:\n" << example;
}

void print_help(std::ostream& output, const Command& command) {
  output << "usage: sealift " << command.words;
  if (!command.synopsis.empty()) output << " " << command.synopsis;
  output << "\n\n" << command.details << "\n";
  options::options_description own("Options", kWidth, kDescriptionWidth);
  command.add_options(own);
  if (!own.options().empty()) print_options(output, own);
  options::options_description everywhere("Everywhere", kWidth, kDescriptionWidth);
  add_global_options(everywhere);
  if (!own.options().empty()) output << "\n";
  print_options(output, everywhere);
  output << "\nExample:\n" << command.examples;
}

}  // namespace sealift::cli
