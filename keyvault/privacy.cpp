#include "keyvault/privacy.h"

#include <unistd.h>

#include <string>

namespace sealift::keyvault {

namespace {

constexpr mode_t kOthers = S_IRWXG | S_IRWXO;

// As a shell reads it back, whatever the name holds.
std::string quoted(const std::string& name) {
  std::string text = "'";
  for (const char c : name) {
    if (c == '\'') {
      text += "'\\''";
    } else {
      text += c;
    }
  }
  return text + "'";
}

}  // namespace

base::Status check_private(const std::filesystem::path& path,
                           const struct stat& found) {
  const char* kind = S_ISDIR(found.st_mode) ? "folder" : "file";
  if (S_ISLNK(found.st_mode)) {
    return base::Error(base::ErrorCode::kRefused,
                       "a symbolic link stands where keys are kept")
        .at(kind, path.string())
        .next("put the folder itself there, or name the place it points to");
  }
  if (!S_ISDIR(found.st_mode) && !S_ISREG(found.st_mode)) {
    return base::Error(base::ErrorCode::kRefused, "neither a file nor a folder")
        .at(kind, path.string());
  }
  if (found.st_uid != ::geteuid() && ::geteuid() != 0) {
    return base::Error(base::ErrorCode::kIo, "these keys are another user's")
        .at(kind, path.string())
        .because("Permission denied")
        .next("run it as the user whose keys they are, usually root");
  }
  if (found.st_uid != ::geteuid()) {
    return base::Error(base::ErrorCode::kRefused, "keys that belong to another user")
        .at(kind, path.string())
        .next("run as the user who owns it, or check who put it there");
  }
  if ((found.st_mode & kOthers) != 0) {
    return base::Error(base::ErrorCode::kRefused,
                       "others can read or write what must be private")
        .at(kind, path.string())
        .next(std::string("run: chmod ") +
              (S_ISDIR(found.st_mode) ? "0700 " : "0600 ") + quoted(path.string()))
        .next("if others could read it, treat its keys as exposed");
  }
  return base::Done{};
}

}  // namespace sealift::keyvault
