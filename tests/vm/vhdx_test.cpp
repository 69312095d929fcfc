#include "vm/vhdx.h"

#include <filesystem>
#include <fstream>

#include "base/filesystem.h"
#include "tests/support/catch.h"
#include "tests/support/scratch_folder.h"
#include "tests/vm/format_bytes.h"
#include "tests/vm/made_vhdx.h"
#include "vm/crc.h"
#include "vm/microsoft_guid.h"

namespace sealift::vm {

namespace {

using base::kKiB;
using base::kMiB;

base::Result<Vhdx> read(const base::Bytes& bytes) {
  return read_vhdx(*base::bytes_in_memory(bytes));
}

std::string rule_of(const base::Bytes& bytes) { return rule_of(read(bytes)); }

void fix_checksum(base::Bytes& bytes, std::uint64_t at, std::size_t size) {
  const auto view = base::ByteView(bytes).subspan(at, size);
  write_le(bytes, at + 4, checksum_without<Crc32c>(view, 4), 4);
}

void fix_headers(base::Bytes& bytes) {
  for (const std::uint64_t at : {64 * kKiB, 128 * kKiB}) fix_checksum(bytes, at, 4096);
}

void fix_regions(base::Bytes& bytes) {
  for (const std::uint64_t at : {192 * kKiB, 256 * kKiB}) {
    fix_checksum(bytes, at, 64 * kKiB);
  }
}

std::uint64_t item(const base::Bytes& bytes, std::string_view id) {
  const std::uint64_t metadata = region(bytes, kMetadata);
  return metadata + base::read_le32(bytes, entry_of(bytes, metadata + 32, id) + 16);
}

/// Stores a GUID in Microsoft's order.
void write_guid(base::Bytes& bytes, std::uint64_t at, std::string_view text) {
  const auto guid = base::Uuid::parse(text).value();
  const auto stored = microsoft_guid(guid.bytes());
  std::ranges::copy(stored.bytes(), bytes.begin() + static_cast<long>(at));
}

/// Makes a differencing disk of what qemu-img made: a parent locator, and the BAT of a
/// disk that has a parent (one group: all blocks of 16 MiB come before its bitmap).
void give_parent(base::Bytes& bytes, const std::string& linkage) {
  const std::uint64_t metadata = region(bytes, kMetadata);
  const unsigned count = base::read_le16(bytes, metadata + 10);
  const std::uint64_t entry = metadata + 32 + count * 32;
  write_le(bytes, metadata + 10, count + 1, 2);
  write_guid(bytes, entry, kLocator);
  constexpr std::uint64_t kAt = 128 * kKiB;
  write_le(bytes, entry + 16, kAt, 4);
  write_le(bytes, entry + 20, 512, 4);
  write_le(bytes, entry + 24, 4, 4);
  const std::uint64_t locator = metadata + kAt;
  write_guid(bytes, locator, "b04aefb7-d19e-4a81-b789-25b8e9445913");
  const std::vector<std::pair<std::string, std::string>> values{
      {"parent_linkage", linkage}, {"absolute_win32_path", "C:\\base.vhdx"}};
  write_le(bytes, locator + 18, values.size(), 2);
  std::uint64_t text_at = 100;
  const auto put = [&](const std::string& text) {
    const std::uint64_t begin = text_at;
    for (const char c : text) {
      write_le(bytes, locator + text_at, static_cast<unsigned char>(c), 2);
      text_at += 2;
    }
    return begin;
  };
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::uint64_t at = locator + 20 + i * 12;
    write_le(bytes, at, put(values[i].first), 4);
    write_le(bytes, at + 4, put(values[i].second), 4);
    write_le(bytes, at + 8, values[i].first.size() * 2, 2);
    write_le(bytes, at + 10, values[i].second.size() * 2, 2);
  }
  const std::uint64_t parameters = item(bytes, kParameters);
  write_le(bytes, parameters + 4, 2, 4);
}

}  // namespace

TEST_CASE("the checksums of Microsoft's formats are the published ones", "[vm]") {
  // The check values of the catalogue of parametrised CRC algorithms.
  const auto of = [](auto crc) {
    crc.process_bytes("123456789", 9);
    return crc.checksum();
  };
  CHECK(of(Crc32()) == 0xcbf43926);
  CHECK(of(Crc32c()) == 0xe3069283);
}

TEST_CASE("a disk that qemu-img made is read", "[vm]") {
  const base::Bytes file = made_by_qemu();
  const Vhdx vhdx = read(file).value();
  CHECK(vhdx.virtual_size == 16 * kMiB);
  CHECK(vhdx.block_size == kMiB);
  CHECK(vhdx.sector_size == 512);
  CHECK_FALSE(vhdx.is_fixed);
  CHECK_FALSE(vhdx.has_log);
  CHECK_FALSE(vhdx.parent);
  CHECK(vhdx.block_bytes == 3 * kMiB);
  CHECK(vhdx.referenced.front().offset == 0);

  const Vhdx fixed = read(made_by_qemu("subformat=fixed")).value();
  CHECK(fixed.is_fixed);
  CHECK(fixed.block_bytes == 16 * kMiB);
}

TEST_CASE("what is referred to, and holes, is the same disk to qemu-img", "[vm]") {
  base::Bytes file = made_by_qemu();
  // A block that is discarded stays in the file, and nothing refers to it any more.
  const std::uint64_t bat = region(file, kBat);
  const std::uint64_t stale = base::read_le64(file, bat + 3 * 8) >> 20U;
  write_le(file, bat + 3 * 8, stale << 20U | 3U, 8);
  const Vhdx vhdx = read(file).value();
  CHECK(vhdx.block_bytes == 2 * kMiB);
  base::Bytes kept(file.size());
  std::uint64_t bytes = 0;
  for (const ByteRange& range : vhdx.referenced) {
    const auto from = file.begin() + static_cast<long>(range.offset);
    std::copy_n(from, range.size, kept.begin() + static_cast<long>(range.offset));
    bytes += range.size;
  }
  CHECK(bytes == 6 * kMiB);  // Four of structures, two blocks.
  CHECK(kept != file);

  const support::ScratchFolder scratch;
  const auto write = [&](const char* name, const base::Bytes& content) {
    std::ofstream(scratch.path() / name, std::ios::binary)
        .write(reinterpret_cast<const char*>(content.data()),
               static_cast<std::streamsize>(content.size()));
    return (scratch.path() / name).string();
  };
  must_run({"qemu-img", "compare", "-f", "vhdx", "-F", "vhdx", write("file", file),
            write("kept", kept)});
  must_run({"qemu-img", "check", "-q", "-f", "vhdx", write("kept", kept)});
}

TEST_CASE("a differencing disk names its parent by the parent's identifier", "[vm]") {
  const base::Bytes parent = made_by_qemu();
  const std::string linkage = read(parent)->data_write_id.text();
  base::Bytes child = made_by_qemu();
  give_parent(child, "{" + linkage + "}");
  // Block 4 is partly present, and the bitmap of its group tells which sectors.
  const std::uint64_t bat = region(child, kBat);
  const std::uint64_t ratio = (std::uint64_t{1} << 23U) * 512 / kMiB;
  const std::uint64_t end = child.size() / kMiB;
  child.resize(child.size() + 2 * kMiB);
  write_le(child, bat + 4 * 8, end << 20U | 7U, 8);
  write_le(child, bat + ratio * 8, (end + 1) << 20U | 6U, 8);

  const auto read_child = read(child);
  REQUIRE(read_child);
  REQUIRE(read_child->parent);
  CHECK(read_child->parent->linkage.text() == linkage);
  CHECK(read_child->parent->source_path == "C:\\base.vhdx");
  CHECK(read_child->block_bytes == 4 * kMiB);
  const ByteRange last = read_child->referenced.back();
  CHECK(last.offset + last.size == child.size());

  SECTION("X11: sectors of a block without the bitmap that tells which") {
    write_le(child, bat + ratio * 8, 0, 8);
    CHECK(rule_of(child) == "X11");
    write_le(child, bat + ratio * 8, (end + 1) << 20U | 5U, 8);
    CHECK(rule_of(child) == "X11");
    write_le(child, bat + ratio * 8, end << 20U | 6U, 8);
    CHECK(rule_of(child) == "X11");
  }
  SECTION("X11: a bitmap that shares its MiB") {
    for (const std::uint64_t place : {bat, region(child, kMetadata), end * kMiB}) {
      CAPTURE(place);
      write_le(child, bat + ratio * 8, place | 6U, 8);
      CHECK(rule_of(child) == "X11");
    }
  }
  SECTION("X10: no linkage") {
    const std::uint64_t locator = region(child, kMetadata) + 128 * kKiB;
    const std::uint64_t name = base::read_le32(child, locator + 20);
    write_le(child, locator + name, 'q', 2);
    CHECK(rule_of(child) == "X10");
  }
  SECTION("X10: entries without end, or twice") {
    const std::uint64_t locator = region(child, kMetadata) + 128 * kKiB;
    write_le(child, locator + 18, 65, 2);
    CHECK(rule_of(child) == "X10");
    write_le(child, locator + 18, 2, 2);
    std::copy_n(child.begin() + static_cast<long>(locator) + 20, 12,
                child.begin() + static_cast<long>(locator) + 32);
    CHECK(rule_of(child) == "X10");
  }
  SECTION("X10: a locator that is none") {
    give_parent(child, linkage + "x");
    const std::uint64_t metadata = region(child, kMetadata);
    write_le(child, metadata + 10, base::read_le16(child, metadata + 10) - 1, 2);
    CHECK(rule_of(child) == "X10");
    const std::uint64_t locator = metadata + 128 * kKiB;
    write_le(child, locator + 18, 60, 2);
    CHECK(rule_of(child) == "X10");
    write_le(child, locator + 18, 2, 2);
    write_le(child, locator, 0, 4);
    CHECK(rule_of(child) == "X10");
  }
  SECTION("X10: no locator") {
    const std::uint64_t metadata = region(child, kMetadata);
    write_le(child, metadata + 10, base::read_le16(child, metadata + 10) - 1, 2);
    CHECK(rule_of(child) == "X10");
  }
  SECTION("X11: a table without room for the bitmap's entry") {
    const std::uint64_t disk_size = item(child, kDiskSize);
    write_le(child, disk_size, std::uint64_t{1} << 45U, 8);
    CHECK(rule_of(child) == "X11");
  }
}

TEST_CASE("a disk whose log was not replayed is kept whole", "[vm]") {
  base::Bytes file = made_by_qemu();
  for (const std::uint64_t at : {64 * kKiB, 128 * kKiB}) file[at + 48] = std::byte{1};
  fix_headers(file);
  // The BAT is not what counts.
  write_le(file, region(file, kBat), 4, 8);
  const auto vhdx = read(file);
  REQUIRE(vhdx);
  CHECK(vhdx->has_log);
  CHECK(vhdx->referenced == std::vector<ByteRange>{{0, file.size()}});
}

TEST_CASE("every rule of a VHDX is applied", "[vm]") {
  static const base::Bytes good = made_by_qemu();
  base::Bytes file = good;
  const std::uint64_t bat = region(file, kBat);
  const std::uint64_t metadata = region(file, kMetadata);
  const std::uint64_t bat_entry = entry_of(file, kRegions, kBat);
  const auto with_region_field = [&](std::size_t at, std::uint64_t value,
                                     std::size_t size) {
    base::Bytes bytes = good;
    for (const std::uint64_t table : {std::uint64_t{0}, 64 * kKiB}) {
      write_le(bytes, bat_entry + table + at, value, size);
    }
    fix_regions(bytes);
    return rule_of(bytes);
  };
  const auto with = [&](std::uint64_t at, std::uint64_t value, std::size_t size) {
    base::Bytes bytes = good;
    write_le(bytes, at, value, size);
    return rule_of(bytes);
  };
  const auto with_bat = [&](std::uint64_t entry, std::uint64_t value) {
    return with(bat + entry * 8, value, 8);
  };

  SECTION("X1: no VHDX") {
    CHECK(rule_of({}) == "X1");
    CHECK(rule_of(base::Bytes(kMiB)) == "X1");
    CHECK(rule_of(base::Bytes(good.begin(), good.begin() + kMiB - 1)) == "X1");
  }
  SECTION("X1: 66 TiB") {
    const std::uint64_t most = 66 * base::kGiB * 1024;
    file.resize(kMiB);
    for (const std::uint64_t at : {64 * kKiB, 128 * kKiB}) file[at] = std::byte{0};
    CHECK(rule_of(read_vhdx(SparseBytes(most, {{0, file}}))) == "X2");
    CHECK(rule_of(read_vhdx(SparseBytes(most + 1, {{0, file}}))) == "X1");
  }
  SECTION("X2: headers") {
    // One that is damaged leaves the other.
    CHECK(with(64 * kKiB + 200, 1, 1) == "none");
    file[64 * kKiB + 200] ^= std::byte{1};
    file[128 * kKiB + 200] ^= std::byte{1};
    CHECK(rule_of(file) == "X2");
    write_le(file, 64 * kKiB + 8, base::read_le64(file, 128 * kKiB + 8), 8);
    write_le(file, 64 * kKiB + 16, 77, 8);
    fix_headers(file);
    CHECK(rule_of(file) == "X2");
  }
  SECTION("X3: versions") {
    for (const std::uint64_t field : {std::uint64_t{64}, std::uint64_t{66}}) {
      base::Bytes bytes = good;
      for (const std::uint64_t at : {64 * kKiB, 128 * kKiB}) {
        write_le(bytes, at + field, 2, 2);
      }
      fix_headers(bytes);
      CHECK(rule_of(bytes) == "X3");
    }
  }
  SECTION("X4: region tables") {
    CHECK(with(192 * kKiB + 9000, 1, 1) == "none");
    file[192 * kKiB + 9000] ^= std::byte{1};
    file[256 * kKiB + 9000] ^= std::byte{1};
    CHECK(rule_of(file) == "X4");
  }
  SECTION("X4: 2,047 regions") {
    const auto with_count = [&](std::uint64_t count) {
      for (const std::uint64_t at : {192 * kKiB, 256 * kKiB}) {
        write_le(file, at + 8, count, 4);
      }
      fix_regions(file);
      return rule_of(file);
    };
    CHECK(with_count(2047) == "X6");  // All but two lie nowhere.
    CHECK(with_count(2048) == "X4");
  }
  SECTION("X5, X6: regions") {
    CHECK(with_region_field(28, 1, 4) == "none");
    base::Bytes bytes = good;
    for (const std::uint64_t table : {std::uint64_t{0}, 64 * kKiB}) {
      write_le(bytes, bat_entry + table, 1, 4);
      write_le(bytes, bat_entry + table + 28, 1, 4);
    }
    fix_regions(bytes);
    CHECK(rule_of(bytes) == "X5");
    CHECK(with_region_field(0, 1, 4) == "X6");  // Unknown, optional: no BAT.
    CHECK(with_region_field(16, metadata, 8) == "X6");
    CHECK(with_region_field(16, bat + 4096, 8) == "X6");
    CHECK(with_region_field(16, 0, 8) == "X6");
    CHECK(with_region_field(16, std::uint64_t{1} << 63U, 8) == "X6");
    CHECK(with_region_field(24, 0, 4) == "X6");
    CHECK(with_region_field(24, 0xffffffff, 4) == "X6");
  }
  SECTION("X6: a region twice") {
    file.resize(good.size() + kMiB);
    for (const std::uint64_t table : {192 * kKiB, 256 * kKiB}) {
      const std::uint64_t third = table + 16 + 2 * 32;
      write_guid(file, third, kBat);
      write_le(file, third + 16, good.size(), 8);
      write_le(file, third + 24, kMiB, 4);
      write_le(file, table + 8, 3, 4);
    }
    fix_regions(file);
    CHECK(rule_of(file) == "X6");
  }
  SECTION("X6: the log") {
    const auto with_log = [&](std::uint64_t place, std::uint64_t size) {
      for (const std::uint64_t at : {64 * kKiB, 128 * kKiB}) {
        write_le(file, at + 68, size, 4);
        write_le(file, at + 72, place, 8);
      }
      fix_headers(file);
      return rule_of(file);
    };
    const std::uint64_t log = base::read_le64(good, 64 * kKiB + 72);
    CHECK(with_log(log, kMiB) == "none");
    CHECK(with_log(log + 4096, kMiB) == "X6");
    CHECK(with_log(0, kMiB) == "X6");
    CHECK(with_log(metadata, kMiB) == "X6");
    CHECK(with_log(good.size(), kMiB) == "X6");
    CHECK(with_log(log, 0xffffffff) == "X6");
  }
  SECTION("X7, X8: metadata") {
    const std::uint64_t sector = entry_of(good, metadata + 32, kSector);
    CHECK(with(metadata, 0, 1) == "X7");
    CHECK(with(metadata + 10, 2048, 2) == "X7");
    CHECK(with(sector + 16, 1, 4) == "X7");
    CHECK(with(sector + 16, 0xffffffff, 4) == "X7");
    CHECK(with(sector + 20, 0xffffffff, 4) == "X7");
    const std::uint64_t disk_size = entry_of(good, metadata + 32, kDiskSize);
    std::copy_n(good.begin() + static_cast<long>(disk_size), 32,
                file.begin() + static_cast<long>(sector));
    CHECK(rule_of(file) == "X7");
    CHECK(with(sector, 1, 4) == "X8");
  }
  SECTION("X9: values") {
    const std::uint64_t block_size = item(good, kParameters);
    CHECK(with(block_size, kMiB / 2, 4) == "X9");
    CHECK(with(block_size, 3 * kMiB, 4) == "X9");
    CHECK(with(block_size, 512 * kMiB, 4) == "X9");
    CHECK(with(item(good, kSector), 1024, 4) == "X9");
    CHECK(with(item(good, kDiskSize), 16 * kMiB + 1, 8) == "X9");
    CHECK(with(item(good, kDiskSize), 0, 8) == "X9");
    CHECK(with(item(good, kDiskSize), (std::uint64_t{1} << 46U) + 512, 8) == "X9");
    CHECK(with(entry_of(good, metadata + 32, kSector) + 20, 3, 4) == "X9");
  }
  SECTION("X9: the size of physical sectors") {
    const std::uint64_t sector = entry_of(good, metadata + 32, kPhysicalSector);
    CHECK(with(sector + 20, 3, 4) == "X9");
    write_le(file, sector, 1, 4);  // Another item, which need not be known.
    write_le(file, sector + 24, 0, 4);
    CHECK(rule_of(file) == "X9");
  }
  SECTION("X11: blocks") {
    const std::uint64_t end = good.size() / kMiB;
    CHECK(with_bat(0, 4) == "X11");
    CHECK(with_bat(0, 5) == "none");
    CHECK(with_bat(0, 7 | end << 20U) == "X11");
    CHECK(with_bat(0, 6) == "X11");
    CHECK(with_bat(0, 6 | end << 20U) == "X11");
    CHECK(with_bat(0, 6 | std::uint64_t{1} << 63U) == "X11");
    CHECK(with_bat(0, base::read_le64(good, bat + 2 * 8)) == "X11");
    CHECK(with_bat(0, 6 | bat / kMiB << 20U) == "X11");
    CHECK(with(item(good, kDiskSize), std::uint64_t{1} << 44U, 8) == "X11");
  }
}

}  // namespace sealift::vm
