#include "vm/hyperv_replay_log.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "base/byte_count.h"
#include "vm/crc.h"
#include "vm/rule.h"

namespace sealift::vm {

namespace {

// Log and entry, as in docs/format/hyperv-storage.md, section 2.
constexpr std::size_t kHeaderSize = 34;
constexpr std::uint32_t kSignature = 0x01110003;
constexpr std::size_t kCrcAt = 4;
constexpr std::size_t kWaitingAt = 8;
constexpr std::size_t kMostAt = 13;
constexpr std::uint64_t kLargestHeader = base::kMiB;
constexpr std::uint64_t kLargestLog = 64 * base::kMiB;

constexpr std::size_t kEntrySize = 28;
constexpr std::size_t kSizeAt = 8;
constexpr std::size_t kDataAt = 12;
constexpr std::size_t kEntryCrcAt = 20;
constexpr std::size_t kDataCrcAt = 24;

constexpr std::uint64_t kEndOfHeaders = 8192;  // Of the file.

bool has_checksum(base::ByteView bytes, std::size_t at) {
  return base::read_le32(bytes, at) == checksum_without<Crc32>(bytes, at);
}

std::uint32_t checksum_of(base::ByteView bytes) {
  Crc32 crc;
  crc.process_bytes(bytes.data(), bytes.size());
  return crc.checksum();
}

base::Error broken_log(std::string_view rule, std::string what) {
  return broken(rule, std::move(what)).next("export the VM again");
}

struct Counts {
  std::uint32_t waiting = 0;
  std::uint32_t most = 0;
};

base::Result<Counts> read_counts(const base::ByteSource& file,
                                 const ReplayLogPlace& log) {
  if (log.offset == 0) return Counts{};
  const base::Error damaged = broken_log("H3", "the replay log of the file is damaged");
  if (!file.holds(log.offset, kHeaderSize)) return damaged;
  ASSIGN_OR_RETURN(const base::Bytes header, file.read(log.offset, kHeaderSize));
  if (base::read_le32(header, 0) != kSignature || !has_checksum(header, kCrcAt)) {
    return damaged;
  }
  return Counts{base::read_le32(header, kWaitingAt), base::read_le32(header, kMostAt)};
}

base::Status check_room(const base::ByteSource& file, const ReplayLogPlace& log,
                        const Counts& entries) {
  const bool is_sound =
      entries.waiting <= entries.most &&
      kHeaderSize + std::uint64_t{entries.most} * kEntrySize <= log.header_size &&
      log.header_size <= kLargestHeader && log.header_size <= log.size &&
      log.size <= kLargestLog && file.holds(log.offset, log.header_size);
  if (is_sound) return base::Done{};
  return broken_log("H10", "the replay log of the file has no room for its entries")
      .at("entries", std::to_string(entries.waiting));
}

struct Change {
  std::uint64_t begin = 0;
  base::Bytes data;

  std::uint64_t end() const { return begin + data.size(); }
};

/// In the order of their entries.
base::Result<std::vector<Change>> read_changes(const base::ByteSource& file,
                                               const ReplayLogPlace& log,
                                               std::uint32_t count) {
  ASSIGN_OR_RETURN(const base::Bytes header,
                   file.read(log.offset, static_cast<std::size_t>(log.header_size)));
  // The rest of a log that is not full may lie beyond the end of the file.
  const std::uint64_t end = std::min(log.size, file.size() - log.offset);
  std::uint64_t left = end - log.header_size;
  std::vector<Change> changes;
  for (std::uint32_t i = 0; i < count; ++i) {
    const auto damaged = [&](std::string_view rule, std::string what) {
      return broken_log(rule, std::move(what)).at("entry", std::to_string(i));
    };
    const auto entry = base::ByteView(header).subspan(
        kHeaderSize + std::size_t{i} * kEntrySize, kEntrySize);
    const std::uint32_t size = base::read_le32(entry, kSizeAt);
    const std::uint64_t at = base::read_le64(entry, kDataAt);
    if (!has_checksum(entry, kEntryCrcAt) || size == 0 || size > left ||
        at < log.header_size || at > end || size > end - at) {
      return damaged("H11", "an entry of the replay log is damaged");
    }
    left -= size;
    ASSIGN_OR_RETURN(base::Bytes data, file.read(log.offset + at, std::size_t{size}));
    if (checksum_of(data) != base::read_le32(entry, kDataCrcAt)) {
      return damaged("H12", "what the replay log is to write is damaged");
    }
    changes.push_back({base::read_le64(entry, 0), std::move(data)});
  }
  return changes;
}

/// `changes` are in the order of their places.
base::Status check_places(const base::ByteSource& file, const ReplayLogPlace& log,
                          const std::vector<Change>& changes) {
  const std::uint64_t log_end = log.offset + log.size;
  std::uint64_t end = std::max(file.size(), log_end);
  std::uint64_t free_from = kEndOfHeaders;
  for (const Change& change : changes) {
    if (change.begin > end || change.begin < free_from ||
        (change.begin < log_end && change.end() > log.offset)) {
      return broken_log("H13", "the replay log is to write where it must not")
          .at("offset", std::to_string(change.begin));
    }
    free_from = change.end();
    end = std::max(end, free_from);
  }
  return base::Done{};
}

/// A file and changes of it, in order and apart from each other.
class ChangedFile final : public base::ByteSource {
 public:
  ChangedFile(const base::ByteSource& file, std::vector<Change> changes)
      : file_(file), changes_(std::move(changes)) {}

  std::uint64_t size() const override {
    return changes_.empty() ? file_.size()
                            : std::max(file_.size(), changes_.back().end());
  }

 private:
  base::Status fill(std::uint64_t offset, std::span<std::byte> bytes) const override {
    const std::uint64_t end = offset + bytes.size();
    const std::uint64_t stored = std::min(end, std::max(offset, file_.size())) - offset;
    RETURN_IF_ERROR(file_.read(std::min(offset, file_.size()), bytes.first(stored)));
    std::ranges::fill(bytes.subspan(stored), std::byte{0});
    auto change = std::ranges::partition_point(
        changes_, [&](const Change& earlier) { return earlier.end() <= offset; });
    for (; change != changes_.end() && change->begin < end; ++change) {
      const std::uint64_t from = std::max(change->begin, offset);
      const std::uint64_t to = std::min(change->end(), end);
      std::ranges::copy(
          base::ByteView(change->data).subspan(from - change->begin, to - from),
          bytes.subspan(from - offset).begin());
    }
    return base::Done{};
  }

  const base::ByteSource& file_;
  std::vector<Change> changes_;
};

}  // namespace

base::Result<std::uint32_t> count_waiting_changes(const base::ByteSource& file,
                                                  const ReplayLogPlace& log) {
  ASSIGN_OR_RETURN(const Counts entries, read_counts(file, log));
  return entries.waiting;
}

base::Result<std::unique_ptr<base::ByteSource>> with_waiting_changes(
    const base::ByteSource& file, const ReplayLogPlace& log) {
  ASSIGN_OR_RETURN(const Counts entries, read_counts(file, log));
  std::vector<Change> changes;
  if (entries.waiting > 0) {
    RETURN_IF_ERROR(check_room(file, log, entries));
    ASSIGN_OR_RETURN(changes, read_changes(file, log, entries.waiting));
    std::ranges::sort(changes, {}, &Change::begin);
    RETURN_IF_ERROR(check_places(file, log, changes));
  }
  return std::unique_ptr<base::ByteSource>(
      std::make_unique<ChangedFile>(file, std::move(changes)));
}

}  // namespace sealift::vm
