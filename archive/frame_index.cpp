#include "archive/frame_index.h"

#include <algorithm>

#include "archive/archive_keys.h"
#include "archive/frame.h"
#include "archive/frame_opener.h"
#include "archive/limits.h"
#include "archive/metadata_frame.h"
#include "archive/rule.h"

namespace sealift::archive {

namespace {

// Offsets as in the tables of index.md, section 2.
constexpr std::size_t kCountAt = 0;
constexpr std::size_t kReservedAt = 4;
constexpr std::size_t kEntriesAt = 8;
constexpr std::size_t kKeyAt = 32;
constexpr std::size_t kKindAt = 36;
constexpr std::size_t kOffsetAt = 40;
constexpr std::size_t kStoredSizeAt = 48;
constexpr std::size_t kPlainSizeAt = 52;
constexpr std::size_t kEntrySize = 56;

base::Result<IndexEntry> decode_entry(base::ByteView bytes, const IndexBounds& bounds) {
  if (!base::is_all_zero(bytes.subspan(kKindAt + 1, 3))) {
    return broken("I2", "a reserved field of an index entry is not zero");
  }
  IndexEntry entry;
  entry.id = ChunkId::from(bytes.first(ChunkId::kSize));
  const auto kind = std::to_integer<unsigned>(bytes[kKindAt]);
  if (kind != 1 && kind != 2) {
    return broken("I3", "an index entry is of an unknown kind");
  }
  entry.key = base::read_be32(bytes, kKeyAt);
  if (entry.key >= bounds.keys.size() ||
      bounds.keys[entry.key].is_metadata == (kind == 1)) {
    return broken("I4", "an index entry names a key that cannot be its own");
  }
  entry.kind = static_cast<FrameKind>(kind);
  entry.offset = base::read_be64(bytes, kOffsetAt);
  entry.stored_size = base::read_be32(bytes, kStoredSizeAt);
  entry.plain_size = base::read_be32(bytes, kPlainSizeAt);
  if (entry.plain_size < 1 || entry.plain_size > kMaxPlainSize ||
      entry.stored_size <= kFrameOverhead ||
      entry.stored_size > kFrameOverhead + entry.plain_size) {
    return broken("I5", "an index entry has a size that cannot be");
  }
  if (entry.offset < bounds.begin || entry.offset > bounds.end ||
      entry.stored_size > bounds.end - entry.offset) {
    return broken("I6", "an index entry names a place that cannot be");
  }
  return entry;
}

}  // namespace

IndexEntry entry_of(const FrameHeader& header, std::uint32_t key,
                    std::uint64_t offset) {
  IndexEntry entry;
  entry.id = header.id;
  entry.kind = header.kind;
  entry.key = key;
  entry.offset = offset;
  entry.stored_size = static_cast<std::uint32_t>(header.frame_size());
  entry.plain_size = header.plain_size;
  return entry;
}

base::Bytes encode_index_entries(std::span<const IndexEntry> entries) {
  base::Bytes bytes(kEntriesAt + entries.size() * kEntrySize);
  base::write_be32(bytes, kCountAt, static_cast<std::uint32_t>(entries.size()));
  std::size_t at = kEntriesAt;
  for (const IndexEntry& entry : entries) {
    const auto place = std::span(bytes).subspan(at, kEntrySize);
    std::ranges::copy(entry.id.bytes(), place.begin());
    base::write_be32(place, kKeyAt, entry.key);
    place[kKindAt] = static_cast<std::byte>(entry.kind);
    base::write_be64(place, kOffsetAt, entry.offset);
    base::write_be32(place, kStoredSizeAt, entry.stored_size);
    base::write_be32(place, kPlainSizeAt, entry.plain_size);
    at += kEntrySize;
  }
  return bytes;
}

base::Result<std::vector<IndexEntry>> decode_index_entries(base::ByteView bytes,
                                                           const IndexBounds& bounds) {
  if (bytes.size() < kEntriesAt || base::read_be32(bytes, kReservedAt) != 0) {
    return broken("I2", "an index frame is not as it must be");
  }
  const std::uint32_t count = base::read_be32(bytes, kCountAt);
  if (count > kMaxIndexEntriesInFrame ||
      bytes.size() != kEntriesAt + std::size_t{count} * kEntrySize) {
    return broken("I2", "an index frame is not as long as it must be");
  }
  std::vector<IndexEntry> entries;
  entries.reserve(count);
  IndexBounds left = bounds;
  for (std::size_t at = kEntriesAt; at < bytes.size(); at += kEntrySize) {
    ASSIGN_OR_RETURN(const IndexEntry entry,
                     decode_entry(bytes.subspan(at, kEntrySize), left));
    left.begin = entry.offset + entry.stored_size;
    entries.push_back(entry);
  }
  return entries;
}

namespace {

base::Result<std::vector<IndexEntry>> read_index(const Volume& volume,
                                                 base::Result<MetadataFrames> reader) {
  const auto told = [&volume](base::Error error) {
    return std::move(error).at("member", "index").at("volume", volume.name);
  };
  if (!reader) return told(std::move(reader).error());

  std::vector<IndexEntry> entries;
  IndexBounds bounds{volume.keys, 0, volume.size};
  base::ByteView left = volume.index_frames;
  for (std::uint32_t frames = 0; !left.empty() || frames == 0; ++frames) {
    const auto header = decode_frame_header(left);
    if (!header || frames == kMaxIndexFrames ||
        header.value().frame_size() > left.size()) {
      return told(broken("I1", "the index is not a row of frames"));
    }
    const base::ByteView frame = left.first(header.value().frame_size());
    left = left.subspan(frame.size());
    auto plain = reader.value().open_frame(frame, FrameKind::kIndex);
    if (!plain) return told(std::move(plain).error());
    auto decoded = decode_index_entries(plain.value(), bounds);
    if (!decoded) return told(std::move(decoded).error());
    if (decoded.value().empty() && !(left.empty() && frames == 0)) {
      return told(broken("I2", "an index frame is empty"));
    }
    for (const IndexEntry& entry : decoded.value()) {
      bounds.begin = entry.offset + entry.stored_size;
      entries.push_back(entry);
    }
  }
  return entries;
}

}  // namespace

base::Result<std::vector<IndexEntry>> open_index(const Volume& volume,
                                                 const RepositoryKeys& keys) {
  return read_index(volume, MetadataFrames::open(volume, keys));
}

base::Result<std::vector<IndexEntry>> open_index(const Volume& volume,
                                                 const keyvault::Secret& metadata_key,
                                                 const keyvault::Secret& id_key) {
  return read_index(volume, MetadataFrames::open(metadata_key, id_key));
}

}  // namespace sealift::archive
