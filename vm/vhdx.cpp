#include "vm/vhdx.h"

#include <algorithm>
#include <array>
#include <bit>
#include <map>
#include <utility>

#include "base/byte_count.h"
#include "base/utf16.h"
#include "vm/crc.h"
#include "vm/microsoft_guid.h"
#include "vm/rule.h"

namespace sealift::vm {

namespace {

using base::kKiB;
using base::kMiB;

// docs/format/vhdx.md, section 2.
constexpr std::string_view kFileType = "vhdxfile";
constexpr std::array<std::uint64_t, 2> kHeadersAt{64 * kKiB, 128 * kKiB};
constexpr std::size_t kHeaderSize = 4096;
constexpr std::string_view kHeaderSignature = "head";
constexpr std::size_t kCrcAt = 4;
constexpr std::size_t kSequenceAt = 8;
constexpr std::size_t kDataWriteAt = 32;
constexpr std::size_t kLogIdAt = 48;
constexpr std::size_t kLogVersionAt = 64;
constexpr std::size_t kVersionAt = 66;
constexpr std::size_t kLogLengthAt = 68;
constexpr std::size_t kLogPlaceAt = 72;

constexpr std::array<std::uint64_t, 2> kRegionTablesAt{192 * kKiB, 256 * kKiB};
constexpr std::size_t kRegionTableSize = 64 * kKiB;
constexpr std::string_view kRegionSignature = "regi";
constexpr std::size_t kRegionsAt = 16;
constexpr std::size_t kMostEntries = 2047;
constexpr std::size_t kEntrySize = 32;
constexpr std::string_view kBat = "2dc27766-f623-4200-9d64-115e9bfd4a08";
constexpr std::string_view kMetadata = "8b7ca206-4790-4b9a-b8fe-575f050f886e";

constexpr std::size_t kMetadataTableSize = 64 * kKiB;
constexpr std::string_view kMetadataSignature = "metadata";
constexpr std::size_t kItemCountAt = 10;
constexpr std::uint32_t kMustBeKnown = 4;
constexpr std::string_view kFileParameters = "caa16737-fa36-4d43-b3b6-33f0aa44e76b";
constexpr std::string_view kDiskSize = "2fa54224-cd1b-4876-b211-5dbed83bf4b8";
constexpr std::string_view kLogicalSector = "8141bf1d-a96f-4709-ba47-f233a8faab5f";
constexpr std::string_view kPhysicalSector = "cda348c7-445d-4471-9cc9-e9885251c556";
constexpr std::string_view kPage83 = "beca12ab-b2e6-4523-93ef-c309e000c746";
constexpr std::string_view kParentLocator = "a8d35f2d-b30b-454d-abf7-d3d84834ab0c";
constexpr std::uint32_t kFixed = 1;
constexpr std::uint32_t kHasParent = 2;
constexpr std::uint64_t kLargestDisk = 64 * base::kGiB * 1024;
constexpr std::uint64_t kLargestFile = kLargestDisk + 2048 * base::kGiB;
constexpr std::uint64_t kLargestBlock = 256 * kMiB;

constexpr std::string_view kLocatorType = "b04aefb7-d19e-4a81-b789-25b8e9445913";
constexpr std::size_t kLocatorHeader = 20;
constexpr std::size_t kLocatorEntry = 12;
constexpr std::size_t kMostLocatorEntries = 64;
constexpr std::size_t kLargestItem = kMiB;

constexpr std::uint64_t kSectorsInBitmap = std::uint64_t{1} << 23U;
enum State : unsigned {
  kNotPresent = 0,
  kUnmapped = 3,
  kEarlyUnmapped = 5,
  kPresent = 6,
  kPartlyPresent = 7,
};

bool has_signature_and_checksum(base::ByteView bytes, std::string_view signature) {
  return base::as_text(bytes).starts_with(signature) &&
         base::read_le32(bytes, kCrcAt) == checksum_without<Crc32c>(bytes, kCrcAt);
}

/// What of a file is spoken for, MiB by MiB.
class Claims {
 public:
  explicit Claims(std::uint64_t size)
      : size_(size), claimed_((size + kMiB - 1) / kMiB) {}

  /// Whether `count` bytes from `offset` on lie inside and were free.
  bool claim(std::uint64_t offset, std::uint64_t count) {
    if (offset % kMiB != 0 || offset > size_ || count > size_ - offset) return false;
    for (std::uint64_t at = offset / kMiB; at * kMiB < offset + count; ++at) {
      if (claimed_[at]) return false;
      claimed_[at] = true;
    }
    return true;
  }

  void claim_all() { claimed_.assign(claimed_.size(), true); }

  std::vector<ByteRange> ranges() const {
    std::vector<ByteRange> found;
    for (std::uint64_t at = 0; at < claimed_.size(); ++at) {
      if (!claimed_[at]) continue;
      const std::uint64_t offset = at * kMiB;
      const std::uint64_t count = std::min<std::uint64_t>(kMiB, size_ - offset);
      if (!found.empty() && found.back().offset + found.back().size == offset) {
        found.back().size += count;
      } else {
        found.push_back({offset, count});
      }
    }
    return found;
  }

 private:
  std::uint64_t size_;
  std::vector<bool> claimed_;
};

using Items = std::map<std::string, base::Bytes>;

class VhdxReader {
 public:
  explicit VhdxReader(const base::ByteSource& file)
      : file_(file), claims_(std::min(file.size(), kLargestFile)) {}

  base::Result<Vhdx> read() {
    if (file_.size() < kMiB || file_.size() > kLargestFile) {
      return broken("X1", "not a VHDX file: it has no size that one can have");
    }
    ASSIGN_OR_RETURN(const base::Bytes type, file_.read(0, kFileType.size()));
    if (base::as_text(type) != kFileType) return broken("X1", "not a VHDX file");
    RETURN_IF_ERROR(read_headers());
    RETURN_IF_ERROR(read_regions());
    ASSIGN_OR_RETURN(const Items items, read_items());
    RETURN_IF_ERROR(take_items(items));
    if (vhdx_.has_log) {
      claims_.claim_all();
    } else {
      RETURN_IF_ERROR(read_bat());
    }
    vhdx_.referenced = claims_.ranges();
    return std::move(vhdx_);
  }

 private:
  base::Status read_headers() {
    std::optional<base::Bytes> current;
    for (const std::uint64_t at : kHeadersAt) {
      ASSIGN_OR_RETURN(base::Bytes header, file_.read(at, kHeaderSize));
      if (!has_signature_and_checksum(header, kHeaderSignature)) continue;
      const auto sequence = [](const base::Bytes& of) {
        return base::read_le64(of, kSequenceAt);
      };
      if (current && sequence(header) == sequence(*current) && header != *current) {
        return broken("X2", "the headers of the VHDX file contradict each other");
      }
      if (!current || sequence(header) > sequence(*current)) {
        current = std::move(header);
      }
    }
    if (!current) return broken("X2", "the VHDX file has no valid header");
    if (base::read_le16(*current, kVersionAt) != 1 ||
        base::read_le16(*current, kLogVersionAt) != 0) {
      return broken("X3", "the VHDX file has another version",
                    base::ErrorCode::kUnsupported);
    }
    vhdx_.data_write_id =
        microsoft_guid(base::ByteView(*current).subspan(kDataWriteAt));
    vhdx_.has_log = !base::is_all_zero(base::ByteView(*current).subspan(kLogIdAt, 16));
    claims_.claim(0, kMiB);
    const std::uint32_t log_length = base::read_le32(*current, kLogLengthAt);
    if (!claims_.claim(base::read_le64(*current, kLogPlaceAt), log_length)) {
      return broken("X6", "the log of the VHDX file does not lie inside it");
    }
    return base::Done{};
  }

  base::Status read_regions() {
    for (const std::uint64_t at : kRegionTablesAt) {
      ASSIGN_OR_RETURN(const base::Bytes table, file_.read(at, kRegionTableSize));
      if (has_signature_and_checksum(table, kRegionSignature) &&
          base::read_le32(table, 8) <= kMostEntries) {
        return take_regions(table);
      }
    }
    return broken("X4", "the VHDX file has no valid region table");
  }

  base::Status take_regions(base::ByteView table) {
    const std::uint32_t count = base::read_le32(table, 8);
    for (std::uint32_t i = 0; i < count; ++i) {
      const auto entry = table.subspan(kRegionsAt + i * kEntrySize, kEntrySize);
      const std::string id = microsoft_guid(entry).text();
      const ByteRange place{base::read_le64(entry, 16), base::read_le32(entry, 24)};
      ByteRange* const known = id == kBat        ? &bat_
                               : id == kMetadata ? &metadata_
                                                 : nullptr;
      if (known == nullptr && base::read_le32(entry, 28) != 0) {
        return broken("X5", "the VHDX file has a region that is not known",
                      base::ErrorCode::kUnsupported)
            .at("region", id);
      }
      if ((known != nullptr && known->size != 0) || place.size == 0 ||
          !claims_.claim(place.offset, place.size)) {
        return broken("X6", "a region of the VHDX file does not lie inside it")
            .at("region", id);
      }
      if (known != nullptr) *known = place;
    }
    if (bat_.size == 0 || metadata_.size < kMetadataTableSize) {
      return broken("X6", "a region of the VHDX file is missing");
    }
    return base::Done{};
  }

  base::Result<Items> read_items() {
    ASSIGN_OR_RETURN(const base::Bytes table,
                     file_.read(metadata_.offset, kMetadataTableSize));
    const unsigned count = base::read_le16(table, kItemCountAt);
    if (!base::as_text(table).starts_with(kMetadataSignature) || count > kMostEntries) {
      return broken("X7", "the metadata of the VHDX file are malformed");
    }
    Items items;
    for (unsigned i = 1; i <= count; ++i) {
      const auto entry = base::ByteView(table).subspan(i * kEntrySize, kEntrySize);
      const std::string id = microsoft_guid(entry).text();
      const std::uint64_t offset = base::read_le32(entry, 16);
      const std::uint64_t size = base::read_le32(entry, 20);
      if (!is_known(id)) {
        if ((base::read_le32(entry, 24) & kMustBeKnown) == 0) continue;
        return broken("X8", "the VHDX file has metadata that are not known",
                      base::ErrorCode::kUnsupported)
            .at("item", id);
      }
      if (offset < kMetadataTableSize || size > kLargestItem ||
          offset + size > metadata_.size) {
        return broken("X7", "the metadata of the VHDX file are malformed")
            .at("item", id);
      }
      ASSIGN_OR_RETURN(base::Bytes bytes, file_.read(metadata_.offset + offset,
                                                     static_cast<std::size_t>(size)));
      if (!items.emplace(id, std::move(bytes)).second) {
        return broken("X7", "the VHDX file has metadata twice").at("item", id);
      }
    }
    return items;
  }

  static bool is_known(std::string_view id) {
    constexpr std::array kKnown{kFileParameters, kDiskSize, kLogicalSector,
                                kPhysicalSector, kPage83,   kParentLocator};
    return std::ranges::find(kKnown, id) != kKnown.end();
  }

  base::Status take_items(const Items& items) {
    const auto item = [&](std::string_view id, std::size_t size) -> const base::Bytes* {
      const auto found = items.find(std::string(id));
      return found != items.end() && found->second.size() >= size ? &found->second
                                                                  : nullptr;
    };
    const auto* const parameters = item(kFileParameters, 8);
    const auto* const size = item(kDiskSize, 8);
    const auto* const sector = item(kLogicalSector, 4);
    if (parameters == nullptr || size == nullptr || sector == nullptr ||
        item(kPhysicalSector, 4) == nullptr) {
      return broken("X9", "the VHDX file does not say what disk it is");
    }
    vhdx_.block_size = base::read_le32(*parameters, 0);
    vhdx_.virtual_size = base::read_le64(*size, 0);
    vhdx_.sector_size = base::read_le32(*sector, 0);
    const bool is_sound =
        std::has_single_bit(vhdx_.block_size) && vhdx_.block_size >= kMiB &&
        vhdx_.block_size <= kLargestBlock &&
        (vhdx_.sector_size == 512 || vhdx_.sector_size == 4096) &&
        vhdx_.virtual_size > 0 && vhdx_.virtual_size <= kLargestDisk &&
        vhdx_.virtual_size % vhdx_.sector_size == 0;
    if (!is_sound) return broken("X9", "the VHDX file says what no disk can be");
    if (const auto* const id = item(kPage83, 16)) vhdx_.disk_id = microsoft_guid(*id);
    const std::uint32_t flags = base::read_le32(*parameters, 4);
    vhdx_.is_fixed = (flags & kFixed) != 0;
    if ((flags & kHasParent) == 0) return base::Done{};
    const auto* const locator = item(kParentLocator, kLocatorHeader);
    if (locator == nullptr) return broken("X10", "the VHDX file names no parent");
    return take_parent(*locator);
  }

  base::Status take_parent(base::ByteView locator) {
    const base::Error malformed =
        broken("X10", "what the VHDX file says of its parent is malformed");
    const std::size_t count = base::read_le16(locator, 18);
    if (microsoft_guid(locator).text() != kLocatorType || count > kMostLocatorEntries ||
        locator.size() < kLocatorHeader + count * kLocatorEntry) {
      return malformed;
    }
    std::map<std::string, std::string> values;
    for (std::size_t i = 0; i < count; ++i) {
      const auto entry =
          locator.subspan(kLocatorHeader + i * kLocatorEntry, kLocatorEntry);
      const auto text = [&](std::size_t place_at,
                            std::size_t size_at) -> std::optional<std::string> {
        const std::size_t place = base::read_le32(entry, place_at);
        const std::size_t size = base::read_le16(entry, size_at);
        if (place > locator.size() || size > locator.size() - place)
          return std::nullopt;
        auto read =
            base::utf8_of_utf16(locator.subspan(place, size), std::endian::little);
        if (!read) return std::nullopt;
        return std::move(read).value();
      };
      auto name = text(0, 8);
      auto value = text(4, 10);
      if (!name || !value) return malformed;
      if (!values.emplace(*std::move(name), *std::move(value)).second) return malformed;
    }
    const auto linkage = guid_of_text(values["parent_linkage"]);
    if (!linkage) return malformed;
    const std::string& absolute = values["absolute_win32_path"];
    vhdx_.parent =
        VhdxParent{*linkage, absolute.empty() ? values["relative_path"] : absolute};
    return base::Done{};
  }

  base::Status read_bat() {
    const std::uint64_t blocks =
        (vhdx_.virtual_size + vhdx_.block_size - 1) / vhdx_.block_size;
    const std::uint64_t ratio = kSectorsInBitmap * vhdx_.sector_size / vhdx_.block_size;
    const std::uint64_t entries = vhdx_.parent
                                      ? (blocks + ratio - 1) / ratio * (ratio + 1)
                                      : blocks + (blocks - 1) / ratio;
    if (entries > bat_.size / 8) {
      return broken("X11", "the block allocation table of the VHDX file is too short");
    }
    constexpr std::uint64_t kAtOnce = kMiB / 8;
    for (std::uint64_t first = 0; first < entries; first += kAtOnce) {
      const std::uint64_t count = std::min(kAtOnce, entries - first);
      ASSIGN_OR_RETURN(
          const base::Bytes bytes,
          file_.read(bat_.offset + first * 8, static_cast<std::size_t>(count) * 8));
      for (std::uint64_t i = 0; i < count; ++i) {
        const bool is_bitmap = (first + i) % (ratio + 1) == ratio;
        if (!take_entry(base::read_le64(bytes, i * 8), is_bitmap)) {
          return broken("X11", "the block allocation table of the VHDX file is damaged")
              .at("entry", std::to_string(first + i));
        }
      }
    }
    return base::Done{};
  }

  bool take_entry(std::uint64_t entry, bool is_bitmap) {
    const auto state = static_cast<unsigned>(entry & 7U);
    const std::uint64_t place = (entry >> 20U) * kMiB;
    if (is_bitmap) {
      const bool is_needed = std::exchange(needs_bitmap_, false);
      if (state == kNotPresent) return !is_needed;
      return state == kPresent && vhdx_.parent && claims_.claim(place, kMiB);
    }
    if (state <= kUnmapped || state == kEarlyUnmapped) return true;
    if (state != kPresent && !(state == kPartlyPresent && vhdx_.parent)) return false;
    needs_bitmap_ = needs_bitmap_ || state == kPartlyPresent;
    vhdx_.block_bytes += vhdx_.block_size;
    return place > 0 && claims_.claim(place, vhdx_.block_size);
  }

  const base::ByteSource& file_;
  Claims claims_;
  ByteRange bat_;
  ByteRange metadata_;
  bool needs_bitmap_ = false;  // A block of this group is partly present.
  Vhdx vhdx_;
};

}  // namespace

base::Result<Vhdx> read_vhdx(const base::ByteSource& file) {
  return VhdxReader(file).read();
}

}  // namespace sealift::vm
