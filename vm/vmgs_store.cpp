#include "vm/vmgs_store.h"

#include <algorithm>
#include <vector>

#include "vm/crc.h"
#include "vm/rule.h"

namespace sealift::vm {

namespace {

constexpr std::uint64_t kFewestBlocks = 4;
constexpr std::uint64_t kMostBlocks = std::uint64_t{1} << 20U;

// Footer, as in the first table of docs/format/vmgs.md, section 2.
constexpr std::uint64_t kFooterSize = 512;
constexpr std::string_view kCookie = "conectix";
constexpr std::size_t kFooterVersionAt = 12;
constexpr std::size_t kCurrentSizeAt = 48;
constexpr std::size_t kDiskTypeAt = 60;
constexpr std::size_t kFooterChecksumAt = 64;
constexpr std::uint32_t kFooterVersion = 0x00010000;
constexpr std::uint32_t kFixedDisk = 2;

// Header.
constexpr std::uint64_t kSmallSector = 512;
constexpr std::string_view kSignature = "GUESTRTS";
constexpr std::size_t kVersionAt = 8;
constexpr std::size_t kChecksumAt = 12;
constexpr std::size_t kSequenceAt = 16;
constexpr std::size_t kHeaderSizeAt = 20;
constexpr std::size_t kTableAt = 24;
constexpr std::size_t kTableBlocksAt = 28;
constexpr std::size_t kEncryptionAt = 32;
constexpr std::size_t kMarkersAt = 34;
constexpr std::uint32_t kVersion = 0x00030000;
constexpr unsigned kReprovisioned = 1;

// File table.
constexpr std::size_t kBlocksAt = 4;
constexpr std::size_t kValidAt = 8;
constexpr std::size_t kNonceAt = 16;
constexpr std::size_t kTagAt = 28;
constexpr std::size_t kAttributesAt = 44;
constexpr std::uint64_t kFirstBlock = 2;

enum class HeaderState { kZero, kValid, kOtherVersion, kInvalid };

bool starts_with(base::ByteView bytes, std::string_view text) {
  return base::as_text(bytes).starts_with(text);
}

base::Result<bool> has_footer(const base::ByteSource& file) {
  if (file.size() < kFooterSize) return false;
  const std::uint64_t data = file.size() - kFooterSize;
  ASSIGN_OR_RETURN(base::Bytes footer, file.read(data, std::size_t{kFooterSize}));
  if (!starts_with(footer, kCookie)) return false;
  const std::uint32_t stated = base::read_be32(footer, kFooterChecksumAt);
  base::write_be32(footer, kFooterChecksumAt, 0);
  std::uint32_t sum = 0;
  for (const std::byte byte : footer) sum += std::to_integer<std::uint32_t>(byte);
  if (~sum != stated || base::read_be32(footer, kFooterVersionAt) != kFooterVersion ||
      base::read_be64(footer, kCurrentSizeAt) != data ||
      base::read_be32(footer, kDiskTypeAt) != kFixedDisk) {
    return broken("G2", "the footer of the guest-state file is damaged");
  }
  return true;
}

HeaderState judge(const VmgsHeader& header, std::uint64_t blocks) {
  if (base::is_all_zero(header)) return HeaderState::kZero;
  if (!starts_with(header, kSignature) ||
      base::read_le32(header, kChecksumAt) !=
          checksum_without<Crc32>(header, kChecksumAt)) {
    return HeaderState::kInvalid;
  }
  if (base::read_le32(header, kVersionAt) != kVersion) {
    return HeaderState::kOtherVersion;
  }
  const std::uint32_t table = base::read_le32(header, kTableAt);
  const bool is_sound = base::read_le32(header, kHeaderSizeAt) == sizeof(VmgsHeader) &&
                        base::read_le32(header, kTableBlocksAt) == 1 &&
                        table >= kFirstBlock && table < blocks;
  return is_sound ? HeaderState::kValid : HeaderState::kInvalid;
}

base::Status choose_header(VmgsStore& store) {
  const std::uint64_t second_at = store.has_footer ? kSmallSector : kVmgsBlock;
  std::array<VmgsHeader, 2> headers{};
  RETURN_IF_ERROR(store.file->read(0, headers[0]));
  RETURN_IF_ERROR(store.file->read(second_at, headers[1]));
  const std::array states{judge(headers[0], store.blocks),
                          judge(headers[1], store.blocks)};
  const auto is = [&](HeaderState state) {
    return std::array{states[0] == state, states[1] == state};
  };
  const auto zero = is(HeaderState::kZero);
  const auto valid = is(HeaderState::kValid);
  const auto other = is(HeaderState::kOtherVersion);
  // Without a footer it is no store of Hyper-V's, but a copy that was broken off.
  if (zero[0] && zero[1] && store.has_footer) {
    store.is_empty = true;
    return base::Done{};
  }
  if (valid[0] && valid[1]) {
    const std::uint32_t first = base::read_le32(headers[0], kSequenceAt);
    const std::uint32_t second = base::read_le32(headers[1], kSequenceAt);
    if (first != second + 1 && second != first + 1) {
      return broken("G7", "the headers of the guest-state file contradict each other");
    }
    const std::size_t active = first == second + 1 ? 0 : 1;
    store.active = headers.at(active);
    store.inactive = headers.at(1 - active);
    return base::Done{};
  }
  if (!valid[0] && !valid[1]) {
    if (other[0] || other[1]) {
      return broken("G5", "the guest-state file has another version",
                    base::ErrorCode::kUnsupported);
    }
    return broken("G6", "the guest-state file has no valid header");
  }
  const std::size_t active = valid[0] ? 0 : 1;
  store.active = headers.at(active);
  store.is_torn = !zero.at(1 - active);
  return base::Done{};
}

VmgsEntry decode_entry(base::ByteView bytes) {
  VmgsEntry entry;
  entry.first = base::read_le32(bytes, 0);
  entry.blocks = base::read_le32(bytes, kBlocksAt);
  entry.size = base::read_le64(bytes, kValidAt);
  entry.attributes = base::read_le32(bytes, kAttributesAt);
  std::ranges::copy(bytes.subspan(kNonceAt, entry.nonce.size()), entry.nonce.begin());
  std::ranges::copy(bytes.subspan(kTagAt, entry.tag.size()), entry.tag.begin());
  return entry;
}

base::Status check_entries(const VmgsStore& store) {
  std::vector<const VmgsEntry*> in_order;
  for (std::size_t number = 0; number < kVmgsFiles; ++number) {
    const VmgsEntry& entry = store.entries.at(number);
    if (!entry.is_there()) continue;
    if (entry.first < kFirstBlock || entry.first + entry.blocks > store.blocks ||
        entry.size > entry.blocks * kVmgsBlock) {
      return broken("G9", "a file of the guest-state file does not lie inside it")
          .at("file", std::to_string(number));
    }
    in_order.push_back(&entry);
  }
  const VmgsEntry& table = store.entries.front();
  const VmgsEntry& extended = store.entries.at(kVmgsExtendedTable);
  if (table.first != base::read_le32(store.active, kTableAt) || table.blocks != 1 ||
      extended.blocks != 1 || extended.size != kVmgsBlock) {
    return broken("G10", "the file tables of the guest-state file contradict it");
  }
  std::ranges::sort(in_order, {}, &VmgsEntry::first);
  for (std::size_t i = 1; i < in_order.size(); ++i) {
    const VmgsEntry& before = *in_order[i - 1];
    if (before.first + before.blocks > in_order[i]->first) {
      return broken("G11", "two files of the guest-state file share a block")
          .at("block", std::to_string(in_order[i]->first));
    }
  }
  return base::Done{};
}

}  // namespace

bool VmgsStore::is_encrypted() const {
  return base::read_le16(active, kEncryptionAt) != 0;
}

bool VmgsStore::is_reprovisioned() const {
  return (base::read_le16(active, kMarkersAt) & kReprovisioned) != 0;
}

std::uint32_t VmgsStore::sequence() const {
  return base::read_le32(active, kSequenceAt);
}

base::Result<base::Bytes> VmgsStore::read(const VmgsEntry& entry) const {
  return file->read(entry.first * kVmgsBlock, static_cast<std::size_t>(entry.size));
}

base::Result<VmgsStore> open_vmgs_store(const base::ByteSource& file) {
  VmgsStore store;
  store.file = &file;
  ASSIGN_OR_RETURN(store.has_footer, has_footer(file));
  const std::uint64_t data = file.size() - (store.has_footer ? kFooterSize : 0);
  store.blocks = data / kVmgsBlock;
  if (data % kVmgsBlock != 0 || store.blocks < kFewestBlocks ||
      store.blocks > kMostBlocks) {
    return broken("G1", "not a guest-state file: it has no size that one can have");
  }
  ASSIGN_OR_RETURN(const base::Bytes second,
                   file.read(kSmallSector, kSignature.size()));
  if (starts_with(second, "EFI PART")) {
    return broken("G3", "the guest-state file has the form of version 1",
                  base::ErrorCode::kUnsupported);
  }
  if (!store.has_footer && starts_with(second, kSignature)) {
    return broken("G4", "the guest-state file was cut off: its footer is missing");
  }
  RETURN_IF_ERROR(choose_header(store));
  if (store.is_empty) return store;
  if (base::read_le16(store.active, kEncryptionAt) > 1) {
    return broken("G8", "the guest-state file is encrypted in a way that is not known",
                  base::ErrorCode::kUnsupported);
  }
  ASSIGN_OR_RETURN(const base::Bytes table,
                   file.read(base::read_le32(store.active, kTableAt) * kVmgsBlock,
                             std::size_t{kVmgsBlock}));
  for (std::size_t number = 0; number < kVmgsFiles; ++number) {
    store.entries.at(number) = decode_entry(
        base::ByteView(table).subspan(number * kVmgsEntrySize, kVmgsEntrySize));
  }
  RETURN_IF_ERROR(check_entries(store));
  return store;
}

}  // namespace sealift::vm
