// What a repository asks of storage: whole-object put, ranged get, list. Nothing that
// an object store could not honour.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace sealift::archive {

struct ObjectInfo {
  std::string name;  ///< As is_object_name() wants it.
  std::uint64_t size = 0;
};

/// Whether `name` is `[A-Za-z0-9/_.-]+`, at most 512 bytes, with no part that is empty
/// or begins with a dot.
bool is_object_name(std::string_view name);

/// Threads: every member, from several threads at once.
class ObjectReader {
 public:
  virtual ~ObjectReader() = default;

  /// What messages call this storage: "/backup", "s3://bucket/prefix".
  virtual std::string place() const = 0;

  /// Every object whose name begins with `prefix`, sorted by name. Files that no writer
  /// of ours makes (partial files, names with other characters) are left out.
  /// errors  kNotFound: the storage itself is not there.  kIo.
  virtual base::Result<std::vector<ObjectInfo>> list(std::string_view prefix) const = 0;

  /// Whether nothing at all is there, not even a file that list() leaves out.
  /// errors  as list().
  virtual base::Result<bool> is_empty() const;

  /// errors  kNotFound: no such object.  kIo.
  virtual base::Result<ObjectInfo> examine(std::string_view name) const = 0;

  /// Exactly `size` bytes from `offset`, into `bytes` (of that size).
  /// errors  kNotFound: no such object.  kCorrupt: it ends before that.  kIo.
  virtual base::Status read(std::string_view name, std::uint64_t offset,
                            std::span<std::byte> bytes) const = 0;
};

/// An object being written. Not there until publish(). One thread at a time.
class PendingObject {
 public:
  virtual ~PendingObject() = default;
  /// errors  kIo: the object is lost; nothing visible changed.
  virtual base::Status append(base::ByteView bytes) = 0;
  /// Durable and visible, whole. errors  kBusy: there is one of that name; untouched.
  virtual base::Status publish() = 0;
};

/// Backing up only creates objects. It outlives what create() gives. Threads: as
/// ObjectReader.
class ObjectStore : public ObjectReader {
 public:
  /// errors  kDefect: no object can have that name.  kNotFound: the storage itself is
  ///         not there.  kIo.
  virtual base::Result<std::unique_ptr<PendingObject>> create(
      std::string_view name) = 0;
};

/// The whole object, which must not be larger than `limit`.
/// errors  as examine() and read().  kCorrupt: it is larger.
base::Result<base::Bytes> read_object(const ObjectReader& store, std::string_view name,
                                      std::uint64_t limit);

/// create, append, publish. errors  as those.
base::Status put_object(ObjectStore& store, std::string_view name,
                        base::ByteView bytes);

}  // namespace sealift::archive
