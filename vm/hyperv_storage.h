// Hyper-V's key-value files, .vmcx and .VMRS, as a tree. docs/format/hyperv-storage.md.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/byte_source.h"

namespace sealift::vm {

/// A value that lies in a file object of its own, and is not read.
struct StoredElsewhere {
  std::uint64_t size = 0;  ///< Bytes.
};

/// A node has none (monostate); a text is UTF-8.
using StorageValue = std::variant<std::monostate, std::int64_t, std::uint64_t, double,
                                  bool, std::string, base::Bytes, StoredElsewhere>;

struct StorageKey {
  std::string name;
  StorageValue value;
  std::vector<StorageKey>
      children;  ///< In the order of their places; names may repeat.

  /// The first key at `path`, names with '/' between them; null if there is none.
  const StorageKey* find(std::string_view path) const;

  /// What find() gives, if it is of this type.
  template <typename T>
  const T* get(std::string_view path) const {
    const StorageKey* const key = find(path);
    return key == nullptr ? nullptr : std::get_if<T>(&key->value);
  }
};

/// The root, which has no name. Changes that wait in the file's replay log are read as
/// if they were made; nothing is written to `file`.
/// errors  kCorrupt, kUnsupported: rules H1 to H13.  kIo.
base::Result<StorageKey> read_hyperv_storage(const base::ByteSource& file);

/// Whether there are such changes: the file was copied before Hyper-V had ended its
/// writing.
/// errors  kCorrupt, kUnsupported: rules H1 to H3.  kIo.
base::Result<bool> has_waiting_changes(const base::ByteSource& file);

}  // namespace sealift::vm
