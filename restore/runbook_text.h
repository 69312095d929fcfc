// Text from a snapshot, which somebody hostile may have written, made fit for the
// runbook: printable, and unable to leave its code span or its command.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sealift::restore::runbook {

/// `text` as a Markdown code span, in a paragraph or in a table.
std::string code(std::string_view text);

/// Code spans with commas between them.
std::string code_list(const std::vector<std::string>& texts);

/// `text` as one PowerShell expression on one line: '...', and [char]0x000a for what
/// does not show. It needs brackets where it is an argument.
std::string powershell_text(std::string_view text);

/// The file at `path`, which is below $folder and has `/`, as such an expression.
std::string powershell_in_folder(std::string path);

/// The same without its folder: a path as Windows writes it.
std::string powershell_path(std::string path);

/// `text` for a POSIX shell; `?` where it would not show.
std::string shell_text(std::string_view text);

/// The first letters and digits of `text`: enough of an id for the name of a folder.
std::string short_id(std::string_view text);

}  // namespace sealift::restore::runbook
