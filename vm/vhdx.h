// Hyper-V's disk images: what they are, and which of their bytes count.
// docs/format/vhdx.md.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/byte_source.h"
#include "base/uuid.h"

namespace sealift::vm {

struct VhdxParent {
  base::Uuid linkage;       ///< The parent's data_write_id.
  std::string source_path;  ///< Where it was, as Windows writes it; may be empty.
};

/// A run of bytes of a file.
struct ByteRange {
  std::uint64_t offset = 0;
  std::uint64_t size = 0;

  friend bool operator==(const ByteRange&, const ByteRange&) = default;
};

struct Vhdx {
  std::uint64_t virtual_size = 0;  ///< Bytes of the disk.
  std::uint32_t block_size = 0;
  std::uint32_t sector_size = 0;  ///< Logical.
  bool is_fixed = false;
  bool has_log = false;  ///< Not closed properly: all of its bytes count.
  base::Uuid data_write_id;
  base::Uuid disk_id;  ///< Page 83; zero if there is none.
  std::optional<VhdxParent> parent;
  std::uint64_t block_bytes = 0;  ///< Bytes of blocks that hold data; 0 with a log.
  /// Whole MiB that a structure refers to, in order, without gaps between them joined.
  std::vector<ByteRange> referenced;
};

/// Memory: a bit for each MiB of the file, and `referenced`.
/// errors  kCorrupt, kUnsupported: rules X1 to X11.  kIo.
base::Result<Vhdx> read_vhdx(const base::ByteSource& file);

}  // namespace sealift::vm
