#include "vm/image_info.h"

#include <chrono>

#include "base/strict_json.h"
#include "base/subprocess.h"

namespace sealift::vm {

namespace {

constexpr auto kLimit = std::chrono::seconds(60);

// "0.10" is version 2 of qcow2, without room for bitmaps.
void read_bitmaps(const base::Json& image, ImageInfo& info) {
  const auto specific = image.find("format-specific");
  if (specific == image.end() || !specific->contains("data")) return;
  const base::Json& data = (*specific)["data"];
  info.can_hold_bitmaps = data.is_object() && data.value("compat", "") == "1.1";
  if (!data.is_object() || !data.contains("bitmaps")) return;
  for (const base::Json& bitmap : data["bitmaps"]) {
    if (const auto name = base::json_string(bitmap, "name")) {
      info.bitmaps.push_back(name.value());
    }
  }
}

base::Result<ImageInfo> read_json(const std::string& text) {
  ASSIGN_OR_RETURN(const base::Json image, base::parse_strict_json(text));
  ImageInfo info;
  ASSIGN_OR_RETURN(info.size, base::json_unsigned(image, "virtual-size"));
  if (image.contains("encrypted") && image["encrypted"] == true) {
    return base::Error(base::ErrorCode::kRefused,
                       "a disk image is encrypted by QEMU (LUKS)");
  }
  if (image.contains("cluster-size")) {
    ASSIGN_OR_RETURN(info.cluster_size, base::json_unsigned(image, "cluster-size"));
  }
  read_bitmaps(image, info);
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
    base::Error error(base::ErrorCode::kIo, "cannot read a disk image");
    error.at("file", path.string());
    std::error_code unknown;
    if (!std::filesystem::exists(path, unknown) && !unknown) {
      error.next("put the file back, or take the disk out of the VM's definition");
    }
    return std::move(error).because(words);
  }
  auto info = read_json(run.output);
  if (!info) return std::move(info).error().at("file", path.string());
  return info;
}

}  // namespace sealift::vm
