// A word as it is typed into a shell.
#pragma once

#include <string>
#include <string_view>

namespace sealift::cli {

/// `text` as it is, if a POSIX shell takes it as one word unchanged; else in single
/// quotes.
std::string shell_word(std::string_view text);

}  // namespace sealift::cli
