#include "keyvault/secret_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <string>

#include "base/file_descriptor.h"
#include "keyvault/privacy.h"

namespace sealift::keyvault {

namespace {

constexpr std::size_t kReadLimit = std::size_t{1024} * 1024;
constexpr std::size_t kPassphraseFileLimit = std::size_t{64} * 1024;

base::Error file_error(int error_number, std::string what,
                       const std::filesystem::path& path) {
  return base::system_error(error_number, std::move(what)).at("file", path.string());
}

base::Result<base::FileDescriptor> open_file(const std::filesystem::path& path,
                                             SecretFilePlace place) {
  // Without it, opening a pipe waits for a writer.
  int extra = place == SecretFilePlace::kAnywhere ? 0 : O_NONBLOCK;
  if (place == SecretFilePlace::kPrivate) extra |= O_NOFOLLOW;
  base::FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | extra));
  if (!file) {
    const int reason = errno;
    if (reason == ENOENT || reason == ENOTDIR) {
      return base::Error(base::ErrorCode::kNotFound, "the file is not there")
          .at("file", path.string());
    }
    if (reason == ELOOP) {
      return base::Error(base::ErrorCode::kRefused, "the file is a symbolic link")
          .at("file", path.string());
    }
    return file_error(reason, "cannot open a file", path);
  }
  struct stat found {};
  if (::fstat(file.get(), &found) != 0) {
    return file_error(errno, "cannot examine a file", path);
  }
  if (place == SecretFilePlace::kPrivate) {
    RETURN_IF_ERROR(check_private(path, found));
  }
  if (place != SecretFilePlace::kAnywhere && !S_ISREG(found.st_mode)) {
    return base::Error(base::ErrorCode::kRefused, "not a regular file")
        .at("file", path.string());
  }
  return file;
}

}  // namespace

base::Result<Secret> read_secret_file(const std::filesystem::path& path,
                                      std::size_t limit, SecretFilePlace place) {
  assert(limit < kReadLimit);
  ASSIGN_OR_RETURN(const base::FileDescriptor file, open_file(path, place));
  // One byte more than may come, so that more is noticed.
  ASSIGN_OR_RETURN(Secret content, Secret::allocate(limit + 1));
  std::size_t size = 0;
  while (size <= limit) {
    const std::span<std::byte> rest = content.writable().subspan(size);
    const ssize_t count = ::read(file.get(), rest.data(), rest.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return file_error(errno, "cannot read a file", path);
    if (count == 0) break;
    size += static_cast<std::size_t>(count);
  }
  if (size > limit) {
    return base::Error(base::ErrorCode::kRefused,
                       "the file is larger than the limit of " + std::to_string(limit) +
                           " bytes")
        .at("file", path.string());
  }
  content.shrink(size);
  return content;
}

base::Result<Secret> read_passphrase_file(const std::filesystem::path& path) {
  auto read = read_secret_file(path, kPassphraseFileLimit, SecretFilePlace::kAnywhere);
  if (!read && read.error().code() == base::ErrorCode::kNotFound) {
    return base::Error(base::ErrorCode::kNotFound, "the passphrase file is not there")
        .at("passphrase file", path.string())
        .next("name it with --passphrase-file or in SEALIFT_PASSPHRASE_FILE");
  }
  ASSIGN_OR_RETURN(Secret line, std::move(read));
  const base::ByteView bytes = line.view();
  const auto end = std::ranges::find(bytes, std::byte{'\n'});
  auto size = static_cast<std::size_t>(end - bytes.begin());
  if (end != bytes.end() && size > 0 && bytes[size - 1] == std::byte{'\r'}) --size;
  if (size == 0) {
    return base::Error(base::ErrorCode::kWrongKey,
                       "the first line of the passphrase file is empty")
        .at("file", path.string());
  }
  line.shrink(size);
  return line;
}

}  // namespace sealift::keyvault
