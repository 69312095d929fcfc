// Writes a volume's tar through libarchive, front to back, into an object.
#pragma once

#include <memory>
#include <string_view>

#include "archive/object_store.h"

namespace sealift::archive {

/// Never seeks, so the storage may be anything that takes bytes in order.
/// One thread at a time.
class TarStream {
 public:
  virtual ~TarStream() = default;

  /// `object` outlives the stream.
  static base::Result<std::unique_ptr<TarStream>> begin(PendingObject& object);

  /// One whole member. errors  kIo: what the object says; the object is lost.
  virtual base::Status add(std::string_view name, base::ByteView content) = 0;

  /// The end of the tar. Called once, last.
  virtual base::Status end() = 0;
};

}  // namespace sealift::archive
