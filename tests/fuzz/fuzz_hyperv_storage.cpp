// Any bytes are refused, or are a tree no larger than they and their log are. Each
// input is read as it is, and again with checksums that fit: else hardly one gets past
// them.
#include "vm/crc.h"
#include "vm/hyperv_configuration.h"

namespace {

using sealift::base::Bytes;
using sealift::base::read_le32;
using sealift::base::read_le64;

void fix(Bytes& bytes, std::size_t begin, std::size_t size, std::size_t crc_at) {
  if (begin > bytes.size() || size > bytes.size() - begin) return;
  const auto part = std::span(bytes).subspan(begin, size);
  const auto sum = sealift::vm::checksum_without<sealift::vm::Crc32>(part, crc_at);
  for (std::size_t i = 0; i < 4; ++i) {
    part[crc_at + i] = static_cast<std::byte>(sum >> (8 * i));
  }
}

// Of a key table of one page.
void mend_entries(Bytes& bytes, std::size_t table) {
  fix(bytes, table, 10, 6);
  const std::size_t end = std::min(bytes.size(), table + 4096);
  for (std::size_t at = table + 10; at + 21 <= end;) {
    const std::size_t size = read_le32(bytes, at + 2);
    if (size < 21 || size > end - at) return;
    const std::size_t name = std::to_integer<std::size_t>(bytes[at + 20]);
    const auto type = std::to_integer<unsigned>(bytes[at]);
    std::size_t value = type == 8 ? 4 : type == 9 ? 12 : 8;
    if ((type == 6 || type == 7) && 21 + name + 4 <= size) {
      value = std::size_t{4} + read_le32(bytes, at + 21 + name);
    }
    if (std::to_integer<unsigned>(bytes[at + 1] & std::byte{1}) != 0) value = 12;
    if (value <= size) fix(bytes, at, std::min(21 + name + value, size), 12);
    at += size;
  }
}

// Of the data of an entry of the log, and then of the entry.
void mend_change(Bytes& bytes, std::size_t log, std::size_t entry) {
  const std::uint64_t at = read_le64(bytes, entry + 12);
  const std::size_t size = read_le32(bytes, entry + 8);
  if (at > bytes.size() - log || size > bytes.size() - log - at) return;
  mend_entries(bytes, log + at);
  sealift::vm::Crc32 crc;
  crc.process_bytes(std::span(bytes).subspan(log + at, size).data(), size);
  for (std::size_t i = 0; i < 4; ++i) {
    bytes[entry + 24 + i] = static_cast<std::byte>(crc.checksum() >> (8 * i));
  }
  fix(bytes, entry, 28, 20);
}

void mend_log(Bytes& bytes, std::size_t log) {
  if (log > bytes.size() || bytes.size() - log < 34) return;
  const std::size_t count = std::min<std::size_t>(read_le32(bytes, log + 8), 145);
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t entry = log + 34 + i * 28;
    if (entry + 28 <= bytes.size()) mend_change(bytes, log, entry);
  }
  fix(bytes, log, 34, 4);
}

void mend(Bytes& bytes) {
  if (bytes.size() < 12288) return;
  fix(bytes, 0, 46, 4);
  fix(bytes, 4096, 46, 4);
  for (const std::size_t table : {std::size_t{8192}, std::size_t{12288}}) {
    for (std::size_t at = table + 8; at + 18 <= std::min(bytes.size(), table + 368);
         at += 18) {
      fix(bytes, at, 18, 1);
      if (bytes[at] == std::byte{2}) mend_entries(bytes, read_le64(bytes, at + 5));
    }
  }
  // Last: its data may be of all of these.
  for (const std::size_t header : {std::size_t{0}, std::size_t{4096}}) {
    mend_log(bytes, read_le64(bytes, header + 26));
  }
}

std::size_t count(const sealift::vm::StorageKey& key) {
  std::size_t keys = 1;
  for (const auto& child : key.children) keys += count(child);
  return keys;
}

void read(const Bytes& bytes) {
  const auto file = sealift::base::bytes_in_memory(bytes);
  const auto waiting = sealift::vm::has_waiting_changes(*file);
  const auto root = sealift::vm::read_hyperv_storage(*file);
  if (!root) return;
  if (!waiting) __builtin_trap();
  // Replaying adds at most what the log has.
  if (count(root.value()) > 1 + 2 * bytes.size() / 21) __builtin_trap();
  static_cast<void>(sealift::vm::describe_hyperv(root.value()));
  static_cast<void>(sealift::vm::has_saved_memory(root.value()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const auto input = std::as_bytes(std::span(data, size));
  Bytes bytes(input.begin(), input.end());
  read(bytes);
  mend(bytes);
  read(bytes);
  return 0;
}
