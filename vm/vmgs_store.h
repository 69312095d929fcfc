// The guest-state file as a store of numbered files: footer, headers, file table.
// docs/format/vmgs.md.
#pragma once

#include <array>
#include <optional>

#include "base/byte_source.h"
#include "keyvault/aead.h"

namespace sealift::vm {

constexpr std::uint64_t kVmgsBlock = 4096;
constexpr std::size_t kVmgsFiles = 64;
constexpr std::size_t kVmgsEntrySize = 64;
constexpr std::uint32_t kVmgsSecured = 3;  ///< Attributes: encrypted or authenticated.
constexpr std::uint32_t kVmgsExtendedTable = 63;

/// A file of the store, as the file table has it.
struct VmgsEntry {
  std::uint64_t first = 0;  ///< Block.
  std::uint64_t blocks = 0;
  std::uint64_t size = 0;  ///< Bytes that are valid.
  std::uint32_t attributes = 0;
  keyvault::GcmNonce nonce{};
  std::array<std::byte, keyvault::kGcmTagSize> tag{};

  bool is_there() const { return blocks > 0; }
};

using VmgsHeader = std::array<std::byte, 168>;

/// The store with its active header and its file table.
struct VmgsStore {
  const base::ByteSource* file = nullptr;
  std::uint64_t blocks = 0;
  bool has_footer = false;
  bool is_empty = false;  ///< Then there is no header and no table.
  bool is_torn = false;   ///< The inactive header is neither valid nor zero.
  VmgsHeader active{};
  std::optional<VmgsHeader> inactive;  ///< If it is valid.
  std::array<VmgsEntry, kVmgsFiles> entries;

  bool is_encrypted() const;
  bool is_reprovisioned() const;
  std::uint32_t sequence() const;

  /// errors  kIo.
  base::Result<base::Bytes> read(const VmgsEntry& entry) const;
};

/// `file` outlives the store.
/// errors  kCorrupt, kUnsupported: rules G1 to G11.  kIo.
base::Result<VmgsStore> open_vmgs_store(const base::ByteSource& file);

}  // namespace sealift::vm
