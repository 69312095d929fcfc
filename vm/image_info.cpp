#include "vm/image_info.h"

#include <chrono>

#include "base/strict_json.h"
#include "base/subprocess.h"

namespace sealift::vm {

namespace {

constexpr auto kLimit = std::chrono::seconds(60);

base::Result<ImageInfo> read_json(const std::string& text) {
  ASSIGN_OR_RETURN(const base::Json image, base::parse_strict_json(text));
  ImageInfo info;
  ASSIGN_OR_RETURN(info.size, base::json_unsigned(image, "virtual-size"));
  if (image.contains("encrypted") && image["encrypted"] == true) {
    return base::Error(base::ErrorCode::kRefused,
                       "a disk image is encrypted by QEMU (LUKS)");
  }
  if (!image.contains("backing-filename")) return info;
  const char* name = image.contains("full-backing-filename") ? "full-backing-filename"
                                                             : "backing-filename";
  ASSIGN_OR_RETURN(const std::string backing, base::json_string(image, name));
  if (!backing.starts_with('/')) {
    return base::Error(base::ErrorCode::kRefused,
                       "a disk image lies on something that is no file")
        .at("backing file", backing);
  }
  info.backing = backing;
  if (image.contains("backing-filename-format")) {
    ASSIGN_OR_RETURN(info.backing_format,
                     base::json_string(image, "backing-filename-format"));
  }
  return info;
}

}  // namespace

base::Result<ImageInfo> read_image_info(const std::filesystem::path& path,
                                        const std::string& format) {
  // `--` is no way out for names like "nbd:x": with --image-opts a file name is a file
  // name, but commas need doubling, so an absolute path is demanded instead.
  if (!path.is_absolute()) {
    return base::Error(base::ErrorCode::kRefused,
                       "the path of an image is not absolute")
        .at("file", path.string());
  }
  ASSIGN_OR_RETURN(const base::ProgramOutput run,
                   base::run_program({"qemu-img", "info", "-U", "--output=json", "-f",
                                      format, path.string()},
                                     kLimit));
  if (run.exit_status != 0) {
    std::string words = run.error_output;
    while (words.ends_with('\n')) words.pop_back();
    return base::Error(base::ErrorCode::kIo, "cannot read a disk image")
        .at("file", path.string())
        .because(words);
  }
  auto info = read_json(run.output);
  if (!info) return std::move(info).error().at("file", path.string());
  return info;
}

}  // namespace sealift::vm
