#include "vm/hyperv_storage.h"

#include <algorithm>
#include <array>
#include <bit>
#include <map>
#include <optional>
#include <set>
#include <tuple>

#include "base/byte_count.h"
#include "base/utf16.h"
#include "vm/crc.h"
#include "vm/hyperv_replay_log.h"
#include "vm/rule.h"

namespace sealift::vm {

namespace {

// Header and tables, as in docs/format/hyperv-storage.md, section 2.
constexpr std::array<std::uint64_t, 2> kHeadersAt{0, 4096};
constexpr std::size_t kHeaderSize = 46;
constexpr std::uint32_t kHeaderSignature = 0x01282014;
constexpr std::size_t kCrcAt = 4;
constexpr std::size_t kSequenceAt = 8;
constexpr std::size_t kVersionAt = 10;
constexpr std::size_t kAlignmentAt = 22;
constexpr std::size_t kLogAt = 26;
constexpr std::size_t kLogSizeAt = 34;
constexpr std::size_t kLogHeaderSizeAt = 42;
constexpr std::uint32_t kVersion = 0x0400;
constexpr std::uint32_t kPage = 4096;
constexpr std::uint32_t kLargestAlignment = 65536;

constexpr std::uint64_t kObjectTableAt = 8192;
constexpr std::size_t kObjectTableHeader = 8;
constexpr std::uint32_t kObjectTableSignature = 0x01110001;
constexpr std::size_t kObjectSize = 18;
constexpr std::size_t kObjectCrcAt = 1;
constexpr std::size_t kObjectPlaceAt = 5;
constexpr std::size_t kObjectSizeAt = 13;
constexpr std::uint64_t kMostObjects = std::uint64_t{1} << 22U;

enum Object : unsigned { kEmpty, kObjectTable, kKeyTable, kFileObject, kFree };

constexpr std::size_t kTableHeader = 10;
constexpr unsigned kTableSignature = 2;
constexpr std::size_t kIndexAt = 2;
constexpr std::size_t kTableSequenceAt = 4;
constexpr std::size_t kTableCrcAt = 6;
constexpr std::uint64_t kMostTableBytes = 64 * base::kMiB;

constexpr std::size_t kFlagsAt = 1;
constexpr std::size_t kSizeAt = 2;
constexpr std::size_t kParentTableAt = 6;
constexpr std::size_t kParentOffsetAt = 8;
constexpr std::size_t kEntryCrcAt = 12;
constexpr std::size_t kPlaceAt = 16;
constexpr std::size_t kNameSizeAt = 20;
constexpr std::size_t kNameAt = 21;
constexpr unsigned kElsewhere = 1;
constexpr int kDeepest = 64;

enum Type : unsigned {
  kUnused = 1,
  kSigned = 3,
  kUnsigned = 4,
  kDouble = 5,
  kText = 6,
  kBytes = 7,
  kBool = 8,
  kNode = 9,
};

bool has_checksum(base::ByteView bytes, std::size_t at) {
  return base::read_le32(bytes, at) == checksum_without<Crc32>(bytes, at);
}

bool is_alignment(std::uint32_t bytes) {
  return std::has_single_bit(bytes) && bytes >= kPage && bytes <= kLargestAlignment;
}

base::Result<base::Bytes> read_header(const base::ByteSource& file) {
  std::optional<base::Bytes> found;
  for (const std::uint64_t at : kHeadersAt) {
    if (!file.holds(at, kHeaderSize)) continue;
    ASSIGN_OR_RETURN(base::Bytes header, file.read(at, kHeaderSize));
    if (base::read_le32(header, 0) != kHeaderSignature ||
        !has_checksum(header, kCrcAt) ||
        !is_alignment(base::read_le32(header, kAlignmentAt))) {
      continue;
    }
    const auto is_later = [&] {
      const auto step = static_cast<std::uint16_t>(
          base::read_le16(header, kSequenceAt) - base::read_le16(*found, kSequenceAt));
      return step != 0 && step < 0x8000;
    };
    if (!found || is_later()) found = std::move(header);
  }
  if (!found) return broken("H1", "not a file of Hyper-V's key-value storage");
  if (base::read_le32(*found, kVersionAt) != kVersion) {
    return broken("H2", "the file is of another version of Hyper-V's storage",
                  base::ErrorCode::kUnsupported);
  }
  return *std::move(found);
}

base::Result<ReplayLogPlace> find_log(const base::ByteSource& file) {
  ASSIGN_OR_RETURN(const base::Bytes header, read_header(file));
  return ReplayLogPlace{base::read_le64(header, kLogAt),
                        base::read_le64(header, kLogSizeAt),
                        base::read_le32(header, kLogHeaderSizeAt)};
}

struct Place {
  std::uint64_t offset = 0;
  std::uint32_t size = 0;
};

// Finds the key tables through the chain of object tables.
class ObjectTables {
 public:
  explicit ObjectTables(const base::ByteSource& file) : file_(file) {}

  base::Result<std::vector<Place>> list_key_tables() {
    waiting_.push_back(kObjectTableAt);
    while (!waiting_.empty()) {
      const std::uint64_t at = waiting_.back();
      waiting_.pop_back();
      if (!seen_.insert(at).second || seen_.size() > file_.size() / kPage) {
        return broken("H5", "the object tables of the file go in a circle");
      }
      RETURN_IF_ERROR(read_table(at));
    }
    return std::move(key_tables_);
  }

 private:
  base::Status read_table(std::uint64_t at) {
    const base::Error damaged = broken("H5", "an object table of the file is damaged")
                                    .at("offset", std::to_string(at));
    if (!file_.holds(at, kObjectTableHeader)) return damaged;
    ASSIGN_OR_RETURN(const base::Bytes header, file_.read(at, kObjectTableHeader));
    const std::uint32_t count = base::read_le32(header, 4);
    const std::size_t size = count * kObjectSize;
    objects_ += count;
    if (base::read_le32(header, 0) != kObjectTableSignature ||
        objects_ > kMostObjects || !file_.holds(at + kObjectTableHeader, size)) {
      return damaged;
    }
    ASSIGN_OR_RETURN(const base::Bytes entries,
                     file_.read(at + kObjectTableHeader, size));
    for (std::uint32_t i = 0; i < count; ++i) {
      const auto entry = base::ByteView(entries).subspan(i * kObjectSize, kObjectSize);
      const auto type = std::to_integer<unsigned>(entry[0]);
      if (type == kEmpty && base::is_all_zero(entry)) continue;
      if (type > kFree || !has_checksum(entry, kObjectCrcAt)) return damaged;
      const Place place{base::read_le64(entry, kObjectPlaceAt),
                        base::read_le32(entry, kObjectSizeAt)};
      if (type == kObjectTable) waiting_.push_back(place.offset);
      if (type != kKeyTable) continue;
      key_tables_.push_back(place);
      key_bytes_ += std::max<std::uint64_t>(place.size, kTableHeader);
      if (key_bytes_ > kMostTableBytes) {
        return broken("H6", "the key tables of the file are too large");
      }
    }
    return base::Done{};
  }

  const base::ByteSource& file_;
  std::vector<std::uint64_t> waiting_;
  std::set<std::uint64_t> seen_;
  std::vector<Place> key_tables_;
  std::uint64_t objects_ = 0;
  std::uint64_t key_bytes_ = 0;
};

// The current table of each index.
using KeyTables = std::map<unsigned, base::Bytes>;

base::Result<KeyTables> read_key_tables(const base::ByteSource& file,
                                        const std::vector<Place>& places) {
  KeyTables tables;
  for (const Place& place : places) {
    const base::Error damaged = broken("H6", "a key table of the file is damaged")
                                    .at("offset", std::to_string(place.offset));
    if (place.size < kTableHeader || !file.holds(place.offset, place.size)) {
      return damaged;
    }
    ASSIGN_OR_RETURN(base::Bytes table,
                     file.read(place.offset, std::size_t{place.size}));
    if (base::read_le16(table, 0) != kTableSignature ||
        !has_checksum(base::ByteView(table).first(kTableHeader), kTableCrcAt)) {
      return damaged;
    }
    const unsigned index = base::read_le16(table, kIndexAt);
    if (index == 0) return damaged;
    const auto sequence = [](const base::Bytes& of) {
      return base::read_le16(of, kTableSequenceAt);
    };
    const auto earlier = tables.find(index);
    if (earlier == tables.end() || sequence(table) > sequence(earlier->second)) {
      tables.insert_or_assign(index, std::move(table));
    }
  }
  return tables;
}

struct Reference {
  unsigned table = 0;
  std::uint32_t offset = 0;

  friend bool operator==(const Reference&, const Reference&) = default;
  friend bool operator<(const Reference& a, const Reference& b) {
    return std::tie(a.table, a.offset) < std::tie(b.table, b.offset);
  }
};

struct Entry {
  unsigned type = kUnused;
  Reference parent;
  std::uint32_t place = 0;
  StorageKey key;
};

// Bytes of the value that begin `data`, with the size before them; none if they do not
// lie inside.
std::optional<std::size_t> size_of_value(unsigned type, bool is_elsewhere,
                                         base::ByteView data) {
  std::size_t size = 0;
  if (is_elsewhere || type == kNode) {
    size = 12;
  } else if (type == kSigned || type == kUnsigned || type == kDouble) {
    size = 8;
  } else if (type == kBool) {
    size = 4;
  } else if (type == kText || type == kBytes) {
    if (data.size() < 4) return std::nullopt;
    size = std::size_t{4} + base::read_le32(data, 0);
  } else {
    return std::nullopt;
  }
  return size <= data.size() ? std::optional(size) : std::nullopt;
}

base::Result<StorageValue> decode_value(unsigned type, bool is_elsewhere,
                                        base::ByteView data) {
  if (is_elsewhere) return StorageValue(StoredElsewhere{base::read_le32(data, 0)});
  switch (type) {
    case kSigned:
      return StorageValue(static_cast<std::int64_t>(base::read_le64(data, 0)));
    case kUnsigned:
      return StorageValue(base::read_le64(data, 0));
    case kDouble:
      return StorageValue(std::bit_cast<double>(base::read_le64(data, 0)));
    case kBool:
      return StorageValue(base::read_le32(data, 0) != 0);
    case kBytes:
      return StorageValue(base::Bytes(data.begin() + 4, data.end()));
    case kText: {
      auto text = base::utf8_of_utf16(data.subspan(4), std::endian::little);
      if (!text) return broken("H9", "a text in the file is no UTF-16");
      return StorageValue(std::move(text).value());
    }
    default:
      return StorageValue();
  }
}

base::Result<Entry> decode_entry(base::ByteView entry) {
  const base::Error damaged = broken("H7", "an entry of the file is damaged");
  const auto name_size = std::to_integer<std::size_t>(entry[kNameSizeAt]);
  if (entry.size() < kNameAt + name_size) return damaged;
  Entry decoded;
  decoded.type = std::to_integer<unsigned>(entry[0]);
  const bool is_elsewhere =
      (std::to_integer<unsigned>(entry[kFlagsAt]) & kElsewhere) != 0;
  const base::ByteView rest = entry.subspan(kNameAt + name_size);
  const auto size = size_of_value(decoded.type, is_elsewhere, rest);
  if (!size || !has_checksum(entry.first(kNameAt + name_size + *size), kEntryCrcAt)) {
    return damaged;
  }
  const std::string_view name = base::as_text(entry.subspan(kNameAt, name_size));
  if (name.find('\0') != name.size() - 1) {
    return broken("H9", "a name in the file does not end where it says");
  }
  decoded.key.name = name.substr(0, name.size() - 1);
  decoded.parent = {base::read_le16(entry, kParentTableAt),
                    base::read_le32(entry, kParentOffsetAt)};
  decoded.place = base::read_le32(entry, kPlaceAt);
  ASSIGN_OR_RETURN(decoded.key.value,
                   decode_value(decoded.type, is_elsewhere, rest.first(*size)));
  return decoded;
}

using Entries = std::map<Reference, Entry>;

base::Status add_entries(unsigned index, base::ByteView table, Entries& entries) {
  for (std::size_t at = kTableHeader; at < table.size();) {
    const auto told = [&](base::Error error) {
      return std::move(error)
          .at("entry", std::to_string(at))
          .at("key table", std::to_string(index));
    };
    const base::ByteView rest = table.subspan(at);
    const std::size_t size = rest.size() < kNameAt ? 0 : base::read_le32(rest, kSizeAt);
    if (size < kNameAt || size > rest.size()) {
      return told(broken("H7", "an entry of the file does not end inside its table"));
    }
    if (std::to_integer<unsigned>(rest[0]) != kUnused) {
      auto entry = decode_entry(rest.first(size));
      if (!entry) return told(std::move(entry).error());
      entries.emplace(Reference{index, static_cast<std::uint32_t>(at)},
                      std::move(entry).value());
    }
    at += size;
  }
  return base::Done{};
}

using Children = std::multimap<std::pair<Reference, std::uint32_t>, Reference>;

// Hangs what belongs there on `key`, which is a node; gives how many that were.
std::size_t hang(Entries& entries, const Children& children, const Reference& on,
                 StorageKey& key, int depth) {
  if (depth == kDeepest) return 0;
  std::size_t count = 0;
  for (auto child = children.lower_bound({on, 0});
       child != children.end() && child->first.first == on; ++child) {
    Entry& entry = entries.at(child->second);
    key.children.push_back(std::move(entry.key));
    ++count;
    if (entry.type == kNode) {
      count += hang(entries, children, child->second, key.children.back(), depth + 1);
    }
  }
  return count;
}

base::Result<StorageKey> read_tree(const base::ByteSource& file) {
  ASSIGN_OR_RETURN(const std::vector<Place> places,
                   ObjectTables(file).list_key_tables());
  ASSIGN_OR_RETURN(const KeyTables tables, read_key_tables(file, places));
  Entries entries;
  for (const auto& [index, table] : tables) {
    RETURN_IF_ERROR(add_entries(index, table, entries));
  }
  Children children;
  for (const auto& [reference, entry] : entries) {
    children.emplace(std::pair(entry.parent, entry.place), reference);
  }
  StorageKey root;
  if (hang(entries, children, {}, root, 0) != entries.size()) {
    return broken("H8", "an entry of the file hangs on nothing");
  }
  return root;
}

}  // namespace

const StorageKey* StorageKey::find(std::string_view path) const {
  const std::size_t end = path.find('/');
  const auto child =
      std::ranges::find(children, path.substr(0, end), &StorageKey::name);
  if (child == children.end()) return nullptr;
  return end == std::string_view::npos ? &*child : child->find(path.substr(end + 1));
}

base::Result<StorageKey> read_hyperv_storage(const base::ByteSource& file) {
  ASSIGN_OR_RETURN(const ReplayLogPlace log, find_log(file));
  ASSIGN_OR_RETURN(const std::unique_ptr<base::ByteSource> replayed,
                   with_waiting_changes(file, log));
  return read_tree(*replayed);
}

base::Result<bool> has_waiting_changes(const base::ByteSource& file) {
  ASSIGN_OR_RETURN(const ReplayLogPlace log, find_log(file));
  ASSIGN_OR_RETURN(const std::uint32_t waiting, count_waiting_changes(file, log));
  return waiting > 0;
}

}  // namespace sealift::vm
