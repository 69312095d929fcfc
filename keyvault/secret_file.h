// Files that hold a secret, read without leaving copies behind.
#pragma once

#include <filesystem>

#include "base/result.h"
#include "keyvault/secret.h"

namespace sealift::keyvault {

/// Where the operator may have put a secret file.
enum class SecretFilePlace {
  kAnywhere,  ///< Named by the operator: a pipe, a device or a symlink will do.
  kRegular,   ///< Named by the operator or found: a regular file, or a symlink to one.
  kPrivate,  ///< A regular file, no symlink, that its owner (this user) alone can read.
};

/// The whole file, every byte, straight into protected memory.
///
/// limit   bytes, less than 1 MiB.
/// errors  kNotFound: no such file.  kRefused: larger than `limit`, or not as `place`
///         asks.  kIo.
base::Result<Secret> read_secret_file(const std::filesystem::path& path,
                                      std::size_t limit, SecretFilePlace place);

/// The first line of the file without its line end (LF or CRLF), as passphrase files
/// have it.
/// errors  as read_secret_file(); kWrongKey: the line is empty.
base::Result<Secret> read_passphrase_file(const std::filesystem::path& path);

}  // namespace sealift::keyvault
