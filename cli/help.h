// What `--help` prints.
#pragma once

#include <ostream>

#include "cli/command.h"

namespace sealift::cli {

/// Every command by group, and where to read on.
void print_overview(std::ostream& output);

/// Synopsis, what it does, its options, those of every command, an example.
void print_help(std::ostream& output, const Command& command);

/// The commands that begin with `word`, for `sealift repo --help`.
void print_family(std::ostream& output, std::string_view word);

}  // namespace sealift::cli
