#include "vm/hyperv_storage.h"

#include <filesystem>

#include "base/filesystem.h"
#include "tests/support/catch.h"
#include "tests/support/hyperv_fixtures.h"
#include "tests/vm/format_bytes.h"
#include "vm/crc.h"
#include "vm/hyperv_configuration.h"

namespace sealift::vm {

namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kObjects = 2 * kPage;     // The first table of objects,
constexpr std::size_t kKeyObjects = 3 * kPage;  // that of key tables,
constexpr std::size_t kKeys = 4 * kPage;        // and the first key table.
constexpr std::size_t kEntry = kKeys + 10;      // Of "configuration".

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

/// The vector vm.vmcx with another value in a structure whose checksum is made good.
base::Bytes with(std::size_t begin, std::size_t size, std::size_t crc_at,
                 std::size_t field, std::uint64_t value, std::size_t width) {
  base::Bytes bytes = vector("vm.vmcx");
  write_le(bytes, begin + field, value, width);
  fix_checksum(bytes, begin, size, crc_at);
  return bytes;
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
  SECTION("H3, H4: the replay log") {
    CHECK(rule_of(with_header(26, good.size() - 33, 8)) == "H3");
    CHECK(rule_of(with_header(26, ~std::uint64_t{0}, 8)) == "H3");
    CHECK(rule_of(with_header(26, 0, 8)) == "none");
    bytes[log + 20] ^= std::byte{1};
    CHECK(rule_of(bytes) == "H3");
    CHECK(rule_of(with(log, 34, 4, 0, 1, 4)) == "H3");
    const base::Bytes dirty = with(log, 34, 4, 8, 3, 4);
    CHECK(rule_of(dirty) == "H4");
    CHECK(read(dirty).error().code() == base::ErrorCode::kRefused);
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

TEST_CASE("a configuration cut off anywhere is refused", "[vm]") {
  const base::Bytes good = vector("vm.vmcx");
  for (std::size_t size = 0; size < good.size(); size += 512) {
    CAPTURE(size);
    CHECK_FALSE(
        read(base::Bytes(good.begin(), good.begin() + static_cast<long>(size))));
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
  CHECK(rule_of(open(*generated / "dirty-replay-log.vmcx")) == "H4");

  const auto runtime =
      read(open(*captured / "88D07DD7-705E-4A4F-BDAF-3418782784ED.VMRS"));
  REQUIRE(runtime);
  CHECK_FALSE(has_saved_memory(runtime.value()));
  CHECK(*runtime->get<std::int64_t>("configuration/properties/version") == 3072);
}

}  // namespace sealift::vm
