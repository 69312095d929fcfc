// The pages of docs/format/ and the emergency reader, as they were when this program
// was built: every repository carries them, so that it can be read when nothing else is
// left.
#pragma once

#include <span>
#include <string_view>

namespace sealift::archive {

struct FormatPage {
  std::string_view name;  ///< "volume.md", "emergency-restore.py".
  std::string_view text;
};

/// Sorted by name. The views live as long as the program.
std::span<const FormatPage> format_pages();

}  // namespace sealift::archive
