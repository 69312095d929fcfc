#include "vm/hyperv_storage.h"

#include <filesystem>

#include "base/byte_count.h"
#include "base/filesystem.h"
#include "tests/support/catch.h"
#include "tests/support/hyperv_fixtures.h"
#include "tests/vm/format_bytes.h"
#include "vm/crc.h"
#include "vm/hyperv_configuration.h"
#include "vm/hyperv_replay_log.h"

namespace sealift::vm {

namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kObjects = 2 * kPage;     // The first table of objects,
constexpr std::size_t kKeyObjects = 3 * kPage;  // that of key tables,
constexpr std::size_t kKeys = 4 * kPage;        // and the first key table.
constexpr std::size_t kEntry = kKeys + 10;      // Of "configuration".

// Of logged.vmcx.
constexpr std::size_t kLog = 7 * kPage;
constexpr std::size_t kLogEnd = 13 * kPage;
constexpr std::size_t kLogEntry = kLog + 34;
constexpr std::size_t kLogEntrySize = 28;

base::Bytes vector(const std::string& name) {
  return base::read_file(SEALIFT_SOURCE_DIR "/tests/vectors/hyperv-storage/" + name,
                         1 << 20)
      .value();
}

base::Result<StorageKey> read(const base::Bytes& bytes) {
  return read_hyperv_storage(*base::bytes_in_memory(bytes));
}

std::string rule_of(const base::Bytes& bytes) { return rule_of(read(bytes)); }

void fix_checksum(base::Bytes& bytes, std::size_t begin, std::size_t size,
                  std::size_t crc_at) {
  const auto view = base::ByteView(bytes).subspan(begin, size);
  write_le(bytes, begin + crc_at, checksum_without<Crc32>(view, crc_at), 4);
}

/// Another value in a structure whose checksum is made good.
base::Bytes changed(base::Bytes bytes, std::size_t begin, std::size_t size,
                    std::size_t crc_at, std::size_t field, std::uint64_t value,
                    std::size_t width) {
  write_le(bytes, begin + field, value, width);
  fix_checksum(bytes, begin, size, crc_at);
  return bytes;
}

base::Bytes with(std::size_t begin, std::size_t size, std::size_t crc_at,
                 std::size_t field, std::uint64_t value, std::size_t width) {
  return changed(vector("vm.vmcx"), begin, size, crc_at, field, value, width);
}

base::Bytes with_header(std::size_t field, std::uint64_t value, std::size_t width) {
  base::Bytes bytes = with(kPage, 46, 4, field, value, width);
  write_le(bytes, 0, 0, 4);  // The other one does not count.
  return bytes;
}

base::Bytes with_object(std::size_t table, std::size_t field, std::uint64_t value,
                        std::size_t width) {
  return with(table + 8, 18, 1, field, value, width);
}

base::Bytes with_entry(std::size_t field, std::uint64_t value, std::size_t width) {
  // "configuration" and its zero byte, then the value of a node.
  return with(kEntry, 21 + 14 + 12, 12, field, value, width);
}

/// The vector vm.vmcx with `count` nodes, each below the one before, and nothing else.
base::Bytes chain_of_nodes(std::size_t count) {
  base::Bytes bytes = with_object(kKeyObjects + 18, 0, 4, 1);  // The second key table.
  const auto first = bytes.begin() + static_cast<long>(kEntry);
  std::fill(first, bytes.begin() + static_cast<long>(kKeys + kPage), std::byte{0});
  constexpr std::size_t kSize = 21 + 2 + 12;
  std::size_t at = kEntry;
  for (std::size_t i = 0; i < count; ++i, at += kSize) {
    write_le(bytes, at, 9, 1);
    write_le(bytes, at + 2, kSize, 4);
    if (i > 0) {
      write_le(bytes, at + 6, 1, 2);
      write_le(bytes, at + 8, at - kSize - kKeys, 4);
    }
    write_le(bytes, at + 20, 2, 1);
    write_le(bytes, at + 21, 'n', 1);
    fix_checksum(bytes, at, kSize, 12);
  }
  write_le(bytes, at, 1, 1);
  write_le(bytes, at + 2, kKeys + kPage - at, 4);
  return bytes;
}

/// The vector vm.vmcx, whose objects name `count` key tables: mostly the same one,
/// which does not count.
base::Bytes with_key_tables(std::size_t count) {
  base::Bytes bytes = vector("vm.vmcx");
  const std::size_t table = bytes.size();
  bytes = changed(bytes, kObjects + 8 + 18, 18, 1, 0, 1, 1);
  bytes = changed(bytes, kObjects + 8 + 18, 18, 1, 5, table, 8);
  const std::size_t more = count - 3;
  bytes.resize(table + 8 + more * 18);
  write_le(bytes, table, 0x01110001, 4);
  write_le(bytes, table + 4, more, 4);
  for (std::size_t i = 0; i < more; ++i) {
    std::copy_n(bytes.begin() + static_cast<long>(kKeyObjects + 8 + 2 * 18), 18,
                bytes.begin() + static_cast<long>(table + 8 + i * 18));
  }
  return bytes;
}

base::Bytes with_log(base::Bytes bytes, std::size_t field, std::uint64_t value,
                     std::size_t width) {
  return changed(std::move(bytes), kLog, 34, 4, field, value, width);
}

base::Bytes with_change(base::Bytes bytes, std::size_t number, std::size_t field,
                        std::uint64_t value, std::size_t width) {
  return changed(std::move(bytes), kLogEntry + number * kLogEntrySize, kLogEntrySize,
                 20, field, value, width);
}

/// What the headers say of the log.
base::Bytes with_log_place(base::Bytes bytes, std::size_t field, std::uint64_t value,
                           std::size_t width) {
  bytes = changed(std::move(bytes), 0, 46, 4, field, value, width);
  return changed(std::move(bytes), kPage, 46, 4, field, value, width);
}

void copy_change(base::Bytes& bytes, std::size_t from, std::size_t to) {
  const auto entries = bytes.begin() + static_cast<long>(kLogEntry);
  std::copy_n(entries + static_cast<long>(from * kLogEntrySize), kLogEntrySize,
              entries + static_cast<long>(to * kLogEntrySize));
}

/// The vector logged.vmcx with its second change only, of the first key table.
base::Bytes with_one_change() {
  base::Bytes bytes = vector("logged.vmcx");
  copy_change(bytes, 1, 0);
  return with_log(std::move(bytes), 8, 1, 4);
}

/// with_one_change(), but with a log whose header has this size.
SparseBytes with_log_header(std::uint64_t size) {
  base::Bytes bytes = with_log_place(with_one_change(), 34, 4 * base::kMiB, 8);
  bytes = with_log_place(std::move(bytes), 42, size, 4);
  bytes = with_change(std::move(bytes), 0, 12, size, 8);
  const auto data = bytes.begin() + static_cast<long>(kLog + 2 * kPage);
  SparseBytes::Pieces pieces{{kLog + size, {data, data + kPage}}};
  bytes.resize(kLog + kPage);
  pieces[0] = std::move(bytes);
  return {kLog + size + kPage, std::move(pieces)};
}

}  // namespace

TEST_CASE("a VM's configuration is read", "[vm]") {
  const StorageKey root = read(vector("vm.vmcx")).value();
  CHECK(*root.get<double>("configuration/settings/global/weight") == 0.5);
  CHECK(root.get<base::Bytes>("configuration/properties/creation_time")->size() == 8);
  CHECK(root.get<std::string>("configuration/properties/version") == nullptr);
  CHECK(root.find("configuration/properties/none") == nullptr);
  CHECK(root.find("configuration/manifest")->children.size() == 40);
  CHECK(*root.find("configuration/manifest")->children[39].get<std::string>("name") ==
        "device 39");

  const HypervConfiguration vm = describe_hyperv(root).value();
  CHECK(vm.id.text() == "0f3c2a64-9c1b-4e61-8d0a-5b1e7c0d9a42");
  CHECK(vm.name == "büro-01");
  CHECK(configuration_version(*vm.version) == "12.0");
  CHECK(vm.generation == 2);
  CHECK(vm.has_secure_boot == true);
  CHECK(vm.bios_id->text() == "5d9e4f0a-1c7b-4b7e-9a55-0a3c6f2d8e11");
  CHECK(name_in_path(vm.guest_state_path) ==
        "0F3C2A64-9C1B-4E61-8D0A-5B1E7C0D9A42.vmgs");
  REQUIRE(vm.drives.size() == 2);
  CHECK(vm.drives[1].location == 1);
  CHECK(vm.drives[1].type == "VHD");
  CHECK(vm.drives[1].source_path == "D:\\data.avhdx");
  CHECK(vm.checkpoints == 2);
  CHECK_FALSE(vm.is_merge_pending);
  CHECK_FALSE(has_saved_memory(root));
}

TEST_CASE("a runtime state with memory in it is told from one without", "[vm]") {
  const StorageKey root = read(vector("saved.VMRS")).value();
  CHECK(has_saved_memory(root));
  CHECK(root.get<StoredElsewhere>("savedstate/RamBlock0")->size == 1048576);
  CHECK(describe_hyperv(root).error().code() == base::ErrorCode::kCorrupt);
}

TEST_CASE("a configuration whose ids contradict each other is refused", "[vm]") {
  StorageKey root = read(vector("vm.vmcx")).value();
  for (StorageKey& key : root.children[0].children) {
    if (key.name == "properties") {
      key.children[0].value = std::string("00000000-0000-0000-0000-000000000001");
    }
  }
  const auto described = describe_hyperv(root);
  REQUIRE_FALSE(described);
  CHECK(described.error().what() == "the configuration has two ids for its VM");
}

TEST_CASE("every rule of Hyper-V's storage is applied", "[vm]") {
  const base::Bytes good = vector("vm.vmcx");
  base::Bytes bytes = good;
  const std::size_t log = good.size() - 34;

  SECTION("H1: headers") {
    CHECK(rule_of({}) == "H1");
    CHECK(rule_of(base::Bytes(45)) == "H1");
    CHECK(rule_of(with_header(0, 1, 4)) == "H1");
    CHECK(rule_of(with_header(22, 512, 4)) == "H1");
    CHECK(rule_of(with_header(22, 131072, 4)) == "H1");
    CHECK(rule_of(with_header(22, 12288, 4)) == "H1");
    CHECK(rule_of(with_header(22, 65536, 4)) == "none");
    for (std::size_t at = 0; at < 46; ++at) {
      CAPTURE(at);
      bytes[at] ^= std::byte{0x80};
      CHECK(rule_of(bytes) == "none");  // The other header is there.
      bytes[kPage + at] ^= std::byte{0x80};
      CHECK(rule_of(bytes) == "H1");
      bytes = good;
    }
  }
  SECTION("H2: the version, in the header that counts") {
    CHECK(rule_of(with_header(10, 0x0301, 4)) == "H2");
    CHECK(rule_of(with(0, 46, 4, 10, 0x0301, 4)) == "none");
    CHECK(rule_of(with(kPage, 46, 4, 10, 0x0301, 4)) == "H2");
  }
  SECTION("H3: the replay log") {
    CHECK(rule_of(with_header(26, good.size() - 33, 8)) == "H3");
    CHECK(rule_of(with_header(26, ~std::uint64_t{0}, 8)) == "H3");
    CHECK(rule_of(with_header(26, 0, 8)) == "none");
    bytes[log + 20] ^= std::byte{1};
    CHECK(rule_of(bytes) == "H3");
    CHECK(rule_of(with(log, 34, 4, 0, 1, 4)) == "H3");
    CHECK(rule_of(with(log, 34, 4, 8, 3, 4)) == "H10");  // There are no entries.
  }
  SECTION("H5: object tables") {
    write_le(bytes, kObjects, 0, 4);
    CHECK(rule_of(bytes) == "H5");
    bytes = good;
    write_le(bytes, kObjects + 4, 0xffffffff, 4);
    CHECK(rule_of(bytes) == "H5");
    for (std::size_t at = 0; at < 18; ++at) {
      CAPTURE(at);
      bytes = good;
      bytes[kObjects + 8 + at] ^= std::byte{0x40};
      CHECK(rule_of(bytes) == "H5");
    }
    CHECK(rule_of(with_object(kObjects, 0, 5, 1)) == "H5");
    CHECK(rule_of(with_object(kObjects, 5, kObjects, 8)) == "H5");
    CHECK(rule_of(with_object(kObjects, 5, ~std::uint64_t{0} - 7, 8)) == "H5");
    // A file object and a free one are passed over.
    CHECK(rule_of(with_object(kKeyObjects + 18, 0, 3, 1)) == "none");
    CHECK(rule_of(with_object(kKeyObjects + 18, 0, 4, 1)) == "none");
  }
  SECTION("H6: key tables") {
    CHECK(rule_of(with_object(kKeyObjects, 5, good.size(), 8)) == "H6");
    CHECK(rule_of(with_object(kKeyObjects, 13, 9, 4)) == "H6");
    CHECK(rule_of(with_object(kKeyObjects, 13, 0xffffffff, 4)) == "H6");
    CHECK(rule_of(with(kKeys, 10, 6, 0, 3, 2)) == "H6");
    CHECK(rule_of(with(kKeys, 10, 6, 2, 0, 2)) == "H6");
    for (std::size_t at = 0; at < 10; ++at) {
      CAPTURE(at);
      bytes = good;
      bytes[kKeys + at] ^= std::byte{0x40};
      CHECK(rule_of(bytes) == "H6");
    }
  }
  SECTION("H6: key tables of 64 MiB in all") {
    CHECK(rule_of(with_key_tables(16384)) == "none");
    CHECK(rule_of(with_key_tables(16385)) == "H6");
  }
  SECTION("H7: entries") {
    for (std::size_t at = 0; at < 21 + 14 + 12; ++at) {
      CAPTURE(at);
      bytes = good;
      bytes[kEntry + at] ^= std::byte{0x40};
      CHECK(rule_of(bytes) == "H7");
    }
    CHECK(rule_of(with_entry(2, 20, 4)) == "H7");
    CHECK(rule_of(with_entry(2, 0xffffffff, 4)) == "H7");
    CHECK(rule_of(with_entry(2, 21 + 14 + 11, 4)) == "H7");
    CHECK(rule_of(with_entry(0, 2, 1)) == "H7");
    CHECK(rule_of(with_entry(20, 255, 1)) == "H7");
    // What fills an entry up counts for nothing.
    bytes = good;
    bytes[kEntry + 21 + 14 + 12] ^= std::byte{0x40};
    CHECK(rule_of(bytes) == "none");
  }
  SECTION("H8: parents") {
    CHECK(rule_of(with_entry(6, 9, 2)) == "H8");
    CHECK(rule_of(with_entry(6, 1, 2)) == "H8");
    // Its own parent.
    bytes = with_entry(6, 1, 2);
    write_le(bytes, kEntry + 8, 10, 4);
    fix_checksum(bytes, kEntry, 21 + 14 + 12, 12);
    CHECK(rule_of(bytes) == "H8");
  }
  SECTION("H8: 64 steps to the root") {
    CHECK(rule_of(chain_of_nodes(64)) == "none");
    CHECK(rule_of(chain_of_nodes(65)) == "H8");
  }
  SECTION("H9: texts") {
    CHECK(rule_of(with_entry(21 + 13, 'x', 1)) == "H9");
    CHECK(rule_of(with_entry(21 + 3, 0, 1)) == "H9");
    const auto name = base::as_text(good).find(
        "b\0\xfc\0r\0"
        "o\0",
        0, 8);
    REQUIRE(name != std::string_view::npos);
    // The entry of the name: 21 bytes, "name" and its zero byte, the size of the value.
    const std::size_t entry = name - 4 - 5 - 21;
    CHECK(rule_of(with(entry, 21 + 5 + 4 + 14, 12, 21 + 5 + 4, 0xd800, 2)) == "H9");
  }
}

TEST_CASE("changes that wait in a replay log are read as if they were made", "[vm]") {
  const base::Bytes file = vector("logged.vmcx");
  const auto waiting = [](const base::Bytes& bytes) {
    return has_waiting_changes(*base::bytes_in_memory(bytes)).value();
  };
  const std::string name = "configuration/properties/name";
  const std::string notes = "configuration/properties/notes";

  const StorageKey root = read(file).value();
  CHECK(*root.get<std::string>(name) == "büro-01");
  CHECK(*root.get<std::string>(notes) == "written last");
  CHECK(waiting(file));

  // The same file as if it had been written cleanly.
  const base::Bytes clean = with_log(file, 8, 0, 4);
  const StorageKey before = read(clean).value();
  CHECK(*before.get<std::string>(name) == "büro-00");
  CHECK(before.find(notes) == nullptr);
  CHECK_FALSE(waiting(clean));
  CHECK_FALSE(waiting(vector("vm.vmcx")));
  CHECK_FALSE(waiting(with_header(26, 0, 8)));

  CHECK(*read(with_one_change())->get<std::string>(name) == "büro-01");
}

TEST_CASE("a file with its changes made is read anywhere", "[vm]") {
  const base::Bytes bytes = vector("logged.vmcx");
  const auto file = base::bytes_in_memory(bytes);
  const auto replayed =
      with_waiting_changes(*file, {kLog, kLogEnd - kLog, kPage}).value();
  REQUIRE(replayed->size() == kLogEnd + kPage);
  base::Bytes expected = bytes;
  expected.resize(kLogEnd + kPage);
  const auto page = [](base::Bytes& of, std::size_t at) {
    return of.begin() + static_cast<long>(at);
  };
  std::copy_n(page(expected, kLog + kPage), kPage, page(expected, kLogEnd));
  std::copy_n(page(expected, kLog + 2 * kPage), kPage, page(expected, kKeys));
  std::copy_n(page(expected, kLog + 3 * kPage), kPage, page(expected, kKeyObjects));
  CHECK(replayed->read(0, expected.size()).value() == expected);
  for (const std::size_t count : {std::size_t{1}, kPage, 3 * kPage}) {
    for (std::size_t at = 0; at + count <= expected.size(); at += 1021) {
      CAPTURE(at, count);
      const auto piece = base::ByteView(expected).subspan(at, count);
      CHECK(std::ranges::equal(replayed->read(at, count).value(), piece));
    }
  }
  CHECK_FALSE(replayed->read(expected.size(), 1));
  CHECK(replayed->read(expected.size(), 0));
}

TEST_CASE("every rule of a replay log is applied", "[vm]") {
  const base::Bytes logged = vector("logged.vmcx");
  const base::Bytes one = with_one_change();

  SECTION("H3: its header") {
    for (std::size_t at = kLog; at < kLog + 34; ++at) {
      CAPTURE(at);
      base::Bytes bytes = logged;
      bytes[at] ^= std::byte{0x80};
      CHECK(rule_of(bytes) == "H3");
      CHECK(rule_of(has_waiting_changes(*base::bytes_in_memory(bytes))) == "H3");
    }
  }
  SECTION("H10: its room") {
    CHECK(rule_of(with_log(logged, 13, 3, 4)) == "none");
    CHECK(rule_of(with_log(logged, 13, 2, 4)) == "H10");
    CHECK(rule_of(with_log(logged, 13, 146, 4)) == "H10");
    CHECK(rule_of(with_log(logged, 13, 0xffffffff, 4)) == "H10");
    CHECK(rule_of(with_log(logged, 8, 146, 4)) == "H10");
    CHECK(rule_of(with_log_place(one, 42, 0, 4)) == "H10");
    CHECK(rule_of(with_log_place(one, 34, kPage - 1, 8)) == "H10");
    CHECK(rule_of(with_log_place(one, 34, 64 * base::kMiB, 8)) == "none");
    CHECK(rule_of(with_log_place(one, 34, 64 * base::kMiB + 1, 8)) == "H10");
    CHECK(rule_of(with_log_place(one, 34, ~std::uint64_t{0}, 8)) == "H10");
    CHECK(rule_of(read_hyperv_storage(with_log_header(base::kMiB))) == "none");
    CHECK(rule_of(read_hyperv_storage(with_log_header(base::kMiB + 1))) == "H10");
    const auto end = one.begin() + static_cast<long>(kLog + kPage);
    CHECK(rule_of(base::Bytes(one.begin(), end - 1)) == "H10");
    CHECK(rule_of(base::Bytes(one.begin(), end)) == "H11");
  }
  SECTION("H11: entries") {
    for (std::size_t at = kLogEntry; at < kLogEntry + 3 * kLogEntrySize; ++at) {
      CAPTURE(at);
      base::Bytes bytes = logged;
      bytes[at] ^= std::byte{0x40};
      CHECK(rule_of(bytes) == "H11");
    }
    CHECK(rule_of(with_log(logged, 8, 4, 4)) == "H11");  // The fourth is of zeros.
    CHECK(rule_of(with_change(one, 0, 8, 0, 4)) == "H11");
    CHECK(rule_of(with_change(one, 0, 8, 0xffffffff, 4)) == "H11");
    CHECK(rule_of(with_change(one, 0, 12, kPage - 1, 8)) == "H11");
    CHECK(rule_of(with_change(one, 0, 12, kLogEnd, 8)) == "H11");
    CHECK(rule_of(with_change(one, 0, 12, ~std::uint64_t{0}, 8)) == "H11");
  }
  SECTION("H11: data behind the end of the log, or of the file") {
    CHECK(rule_of(with_log_place(one, 34, 3 * kPage, 8)) == "none");
    CHECK(rule_of(with_log_place(one, 34, 3 * kPage - 1, 8)) == "H11");
    const auto end = one.begin() + static_cast<long>(kLog + 3 * kPage);
    CHECK(rule_of(base::Bytes(one.begin(), end)) == "none");
    CHECK(rule_of(base::Bytes(one.begin(), end - 1)) == "H11");
  }
  SECTION("H11: data of more bytes than there are") {
    base::Bytes bytes = with_log(logged, 8, 4, 4);
    copy_change(bytes, 0, 3);
    CHECK(rule_of(with_change(bytes, 3, 0, kLogEnd + kPage, 8)) == "H11");
  }
  SECTION("H12: data") {
    for (std::size_t at = kLog + kPage; at < kLog + 4 * kPage; at += 61) {
      CAPTURE(at);
      base::Bytes bytes = logged;
      bytes[at] ^= std::byte{1};
      CHECK(rule_of(bytes) == "H12");
    }
    CHECK(rule_of(with_change(one, 0, 24, 0, 4)) == "H12");
    CHECK(rule_of(with_change(one, 0, 12, 2 * kPage + 1, 8)) == "H12");
  }
  SECTION("H13: places") {
    const auto to = [&](std::uint64_t place) {
      return rule_of(with_change(one, 0, 0, place, 8));
    };
    CHECK(to(0) == "H13");
    CHECK(to(kObjects - 1) == "H13");
    CHECK(to(kObjects) == "H5");  // That is where a table of objects belongs.
    CHECK(to(kLog - kPage) == "none");
    CHECK(to(kLog - kPage + 1) == "H13");
    CHECK(to(kLog) == "H13");
    CHECK(to(kLogEnd - 1) == "H13");
    CHECK(to(kLogEnd) == "none");
    CHECK(to(kLogEnd + 1) == "H13");
    CHECK(to(~std::uint64_t{0}) == "H13");
    // Behind a file that is longer than its log.
    base::Bytes longer = one;
    longer.resize(kLogEnd + 100);
    CHECK(rule_of(with_change(longer, 0, 0, kLogEnd + 100, 8)) == "none");
    CHECK(rule_of(with_change(longer, 0, 0, kLogEnd + 101, 8)) == "H13");
  }
  SECTION("H13: two changes of one place") {
    for (const std::size_t place :
         {kKeyObjects, kKeyObjects - kPage + 1, kKeyObjects + kPage - 1}) {
      CAPTURE(place);
      CHECK(rule_of(with_change(logged, 1, 0, place, 8)) == "H13");
    }
  }
}

TEST_CASE("files of Hyper-V itself are what their README says", "[vm]") {
  const auto generated = support::hyperv_fixtures("vmcx-generated");
  const auto captured = support::hyperv_fixtures("hyperv");
  if (!generated || !captured) return;
  const auto open = [](const std::filesystem::path& file) {
    return base::read_file(file, 1 << 20).value();
  };
  const std::string id = "7FB16FE7-00A0-476F-92B3-CCB98FD9525A";

  const StorageKey root = read(open(*generated / (id + ".vmcx"))).value();
  const HypervConfiguration vm = describe_hyperv(root).value();
  CHECK(vm.id == base::Uuid::parse(id).value());
  CHECK(vm.name == "tvm-payroll-01");
  CHECK(vm.generation == 2);
  CHECK(configuration_version(*vm.version) == "12.0");
  CHECK(vm.has_secure_boot == true);
  CHECK(vm.drives.size() == 2);
  CHECK(name_in_path(vm.guest_state_path) == id + ".vmgs");

  CHECK(rule_of(open(*generated / "bad-header0-crc.vmcx")) == "none");
  CHECK(rule_of(open(*generated / "bad-entry-crc.vmcx")) == "H7");
  // It says that it has an entry, and has none.
  CHECK(rule_of(open(*generated / "dirty-replay-log.vmcx")) == "H11");

  const base::Bytes state =
      open(*captured / "88D07DD7-705E-4A4F-BDAF-3418782784ED.VMRS");
  const auto runtime = read(state);
  REQUIRE(runtime);
  CHECK_FALSE(has_saved_memory(runtime.value()));
  CHECK(*runtime->get<std::int64_t>("configuration/properties/version") == 3072);

  // Hyper-V's log still has the last change that it made, of the key table: made again,
  // it puts right what became of it since.
  base::Bytes again = state;
  std::fill_n(again.begin() + 3 * kPage, kPage, std::byte{0xee});
  CHECK(rule_of(again) == "H6");
  again = changed(std::move(again), 4 * kPage, 34, 4, 8, 1, 4);
  const auto replayed = read(again);
  REQUIRE(replayed);
  CHECK(*replayed->get<std::int64_t>("configuration/properties/version") == 3072);
}

}  // namespace sealift::vm
