#include "cli/scratch_folder.h"

namespace sealift::cli {

namespace fs = std::filesystem;

base::Result<std::optional<fs::path>> scratch_folder(const Values& values) {
  const auto said = values.one("scratch-dir");
  if (!said) return std::optional<fs::path>();
  std::error_code failure;
  const fs::path folder = fs::absolute(*said, failure).lexically_normal();
  const fs::file_status status = fs::status(folder, failure);
  if (fs::is_directory(status)) return std::optional(folder);
  const std::string option = "--scratch-dir " + *said;
  constexpr const char* kNext =
      "name a folder that QEMU's user may write into, or leave the option out";
  if (status.type() == fs::file_type::not_found) {
    return base::Error(base::ErrorCode::kNotFound, "the folder is not there")
        .at("option", option)
        .next(kNext);
  }
  if (fs::exists(status)) {
    return base::Error(base::ErrorCode::kRefused, "this is no folder")
        .at("option", option)
        .next(kNext);
  }
  return base::system_error(failure.value(), "cannot look at the folder")
      .at("option", option)
      .next(kNext);
}

}  // namespace sealift::cli
