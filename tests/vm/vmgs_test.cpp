#include "vm/vmgs.h"

#include <filesystem>

#include "base/filesystem.h"
#include "base/strict_json.h"
#include "tests/support/catch.h"
#include "tests/support/hex.h"
#include "tests/support/hyperv_fixtures.h"
#include "tests/vm/format_bytes.h"
#include "vm/crc.h"

namespace sealift::vm {

namespace {

constexpr std::size_t kBlock = 4096;
constexpr std::size_t kTable = 2 * kBlock;
constexpr std::size_t kSecondHeader = 512;

base::Bytes vector(const std::string& name) {
  return base::read_file(SEALIFT_SOURCE_DIR "/tests/vectors/vmgs/" + name, 1 << 20)
      .value();
}

nlohmann::json keys_in(const std::filesystem::path& file) {
  return nlohmann::json::parse(base::as_text(base::read_file(file, 65536).value()));
}

keyvault::Secret secret(const std::string& hex) {
  return keyvault::Secret::copy_of(support::from_hex(hex)).value();
}

keyvault::Secret key(const std::string& name) {
  static const auto keys = keys_in(SEALIFT_SOURCE_DIR "/tests/vectors/vmgs/keys.json");
  return secret(keys.at(name).get<std::string>());
}

base::Result<Vmgs> read(const base::Bytes& bytes) {
  return read_vmgs(*base::bytes_in_memory(bytes));
}

base::Result<VmgsProof> prove(const base::Bytes& bytes, const keyvault::Secret& key) {
  return prove_datastore_key(*base::bytes_in_memory(bytes), key);
}

void fix_checksum(base::Bytes& bytes, std::size_t header) {
  const auto view = base::ByteView(bytes).subspan(header, 168);
  write_le(bytes, header + 12, checksum_without<Crc32>(view, 12), 4);
}

/// The vector gsp-key.vmgs whose field in both headers has another value.
base::Bytes with_header_field(std::size_t at, std::uint64_t value, std::size_t size) {
  base::Bytes bytes = vector("gsp-key.vmgs");
  for (const std::size_t header : {std::size_t{0}, kSecondHeader}) {
    write_le(bytes, header + at, value, size);
    fix_checksum(bytes, header);
  }
  return bytes;
}

base::Bytes with_entry_field(std::size_t number, std::size_t at, std::uint64_t value,
                             std::size_t size) {
  base::Bytes bytes = vector("gsp-key.vmgs");
  write_le(bytes, kTable + number * 64 + at, value, size);
  return bytes;
}

}  // namespace

TEST_CASE("what protects a guest-state file is read from it", "[vm]") {
  const auto plain = read(vector("plain.vmgs")).value();
  CHECK(plain.protection == VmgsProtection::kNone);
  CHECK(plain.has_footer);
  CHECK_FALSE(plain.is_encrypted);
  CHECK_FALSE(plain.is_torn);
  CHECK(plain.sequence == 8);
  CHECK(plain.bios_id->text() == "2b701019-2816-4a85-9692-3981f1af4423");
  CHECK_FALSE(plain.gsp);
  REQUIRE(plain.files.size() == 5);
  CHECK(plain.files[2].number == 3);
  CHECK(plain.files[2].size == 5500);

  const auto gsp_key = read(vector("gsp-key.vmgs")).value();
  CHECK(gsp_key.protection == VmgsProtection::kGspKey);
  CHECK(gsp_key.is_encrypted);
  CHECK(gsp_key.gsp->lengths == std::array<std::uint32_t, 2>{40, 0});
  CHECK(gsp_key.gsp->active == 0);
  CHECK(gsp_key.files[1].is_encrypted);

  CHECK(read(vector("gsp-by-id.vmgs"))->protection == VmgsProtection::kGspById);
  CHECK(read(with_entry_field(6, 4, 0, 4))->protection == VmgsProtection::kUnknown);
}

TEST_CASE("a store that was never started is empty, not damaged", "[vm]") {
  const auto empty = read(vector("empty.vmgs"));
  REQUIRE(empty);
  CHECK(empty->is_empty);
  CHECK(empty->files.empty());
  // Without a footer it is a copy that was broken off, or no store at all.
  base::Bytes cut = vector("empty.vmgs");
  cut.resize(cut.size() - 512);
  CHECK(rule_of(read(cut)) == "G6");
}

TEST_CASE("the image of a device has its second header after a sector", "[vm]") {
  const auto device = read(vector("device.vmgs"));
  REQUIRE(device);
  CHECK_FALSE(device->has_footer);
  CHECK_FALSE(device->is_torn);
}

TEST_CASE("a datastore key is proved slot by slot, file by file", "[vm]") {
  const base::Bytes file = vector("gsp-key.vmgs");

  const auto proof = prove(file, key("datastore_key"));
  REQUIRE(proof);
  CHECK(proof->slot == 1);
  CHECK(proof->opened == std::vector<std::uint32_t>{1, 3});

  const auto older = prove(file, key("older_key"));
  CHECK(rule_of(older) == "G14");
  CHECK(older.error().code() == base::ErrorCode::kWrongKey);
  CHECK_THAT(older.error().what(), Catch::Contains("earlier boot"));
  CHECK(rule_of(prove(file, key("key_by_id"))) == "G14");
  CHECK(rule_of(prove(file, secret("00"))) == "G14");
  CHECK(prove(vector("plain.vmgs"), key("seed")).error().code() ==
        base::ErrorCode::kRefused);
  CHECK(prove(vector("empty.vmgs"), key("seed")).error().code() ==
        base::ErrorCode::kRefused);
}

TEST_CASE("datastore keys are derived from seeds as the page says", "[vm]") {
  const auto of_seed = datastore_key_of_seed(key("seed")).value();
  CHECK(base::to_hex(of_seed.view()) == base::to_hex(key("datastore_key").view()));
  const auto bios_id =
      base::Uuid::parse("2b701019-2816-4a85-9692-3981f1af4423").value();
  const auto by_id = datastore_key_by_id(key("host_seed"), bios_id).value();
  CHECK(prove(vector("gsp-by-id.vmgs"), by_id));
}

TEST_CASE("every rule of a guest-state file is applied", "[vm]") {
  const base::Bytes good = vector("gsp-key.vmgs");
  const std::size_t footer = good.size() - 512;
  base::Bytes bytes = good;
  const auto rule = [&] { return rule_of(read(bytes)); };

  SECTION("G1: sizes") {
    for (const int size : {0, 1, 511, 512, 4096, 3 * 4096, 4 * 4096 + 1}) {
      bytes = base::Bytes(static_cast<std::size_t>(size));
      CHECK(rule() == "G1");
    }
  }
  SECTION("G1: 4 GiB") {
    constexpr std::uint64_t kMost = std::uint64_t{1} << 20U;
    const auto with_blocks = [&](std::uint64_t count) {
      return rule_of(
          read_vmgs(SparseBytes(count * kBlock, {{0, vector("device.vmgs")}})));
    };
    CHECK(with_blocks(kMost) == "none");
    CHECK(with_blocks(kMost + 1) == "G1");
  }
  SECTION("G2: every byte of the footer after its cookie counts") {
    for (std::size_t at = footer + 8; at < bytes.size(); ++at) {
      bytes[at] ^= std::byte{1};
      CHECK(rule() == "G2");
      bytes[at] ^= std::byte{1};
    }
    // A true footer, of a larger file.
    bytes.insert(bytes.begin(), kBlock, std::byte{0});
    CHECK(rule() == "G2");
  }
  SECTION("G3: version 1") {
    const auto text = base::as_bytes("EFI PART");
    std::ranges::copy(text, bytes.begin() + kSecondHeader);
    CHECK(rule() == "G3");
  }
  SECTION("G4: the footer is cut off, or its cookie damaged") {
    bytes.resize(footer);
    CHECK(rule() == "G4");
  }
  SECTION("G5: another version") {
    bytes = with_header_field(8, 0x00020000, 4);
    CHECK(rule() == "G5");
    CHECK(read(bytes).error().code() == base::ErrorCode::kUnsupported);
  }
  SECTION("G6: no header") {
    for (const std::size_t header : {std::size_t{0}, kSecondHeader}) {
      bytes[header + 50] ^= std::byte{1};
    }
    CHECK(rule() == "G6");
    CHECK(rule_of(read(with_header_field(20, 169, 4))) == "G6");
    CHECK(rule_of(read(with_header_field(24, 1, 4))) == "G6");
    CHECK(rule_of(read(with_header_field(24, 10, 4))) == "G6");
    CHECK(rule_of(read(with_header_field(28, 2, 4))) == "G6");
    CHECK(rule_of(read(with_header_field(0, 0, 1))) == "G6");
  }
  SECTION("G7: sequences") {
    for (const std::uint32_t sequence : {6U, 8U, 10U, 0xffffffffU}) {
      bytes = good;
      write_le(bytes, kSecondHeader + 16, sequence, 4);
      fix_checksum(bytes, kSecondHeader);
      CHECK(rule() == "G7");
    }
  }
  SECTION("zero follows the greatest sequence") {
    write_le(bytes, 16, 0, 4);
    fix_checksum(bytes, 0);
    write_le(bytes, kSecondHeader + 16, 0xffffffff, 4);
    fix_checksum(bytes, kSecondHeader);
    CHECK(read(bytes)->sequence == 0);
  }
  SECTION("G8: encryption") {
    CHECK(rule_of(read(with_header_field(32, 2, 2))) == "G8");
  }
  SECTION("G9: places") {
    CHECK(rule_of(read(with_entry_field(3, 0, 1, 4))) == "G9");
    CHECK(rule_of(read(with_entry_field(3, 0, 9, 4))) == "G9");
    CHECK(rule_of(read(with_entry_field(3, 0, 0xffffffff, 4))) == "G9");
    CHECK(rule_of(read(with_entry_field(3, 4, 0xffffffff, 4))) == "G9");
    CHECK(rule_of(read(with_entry_field(3, 8, 8193, 8))) == "G9");
  }
  SECTION("G10: the tables") {
    CHECK(rule_of(read(with_entry_field(0, 0, 9, 4))) == "G10");
    CHECK(rule_of(read(with_entry_field(0, 4, 0, 4))) == "G10");
    CHECK(rule_of(read(with_entry_field(63, 4, 0, 4))) == "G10");
    CHECK(rule_of(read(with_entry_field(63, 8, 4095, 8))) == "G10");
  }
  SECTION("G11: blocks of two files") {
    CHECK(rule_of(read(with_entry_field(3, 0, 4, 4))) == "G11");
    CHECK(rule_of(read(with_entry_field(6, 0, 3, 4))) == "G11");
  }
  SECTION("G12: the key protector") {
    CHECK(rule_of(read(with_entry_field(6, 8, 2061, 8))) == "G12");
    write_le(bytes, 7 * kBlock + 1540, 513, 4);
    CHECK(rule() == "G12");
    CHECK(read(with_entry_field(6, 8, 1027, 8))->gsp->lengths[0] == 40);
  }
  SECTION("G13: the id") {
    bytes = vector("plain.vmgs");
    write_le(bytes, kTable + 7 * 64 + 8, 15, 8);
    CHECK(rule() == "G13");
  }
  SECTION("G14: with the slot of another key") {
    bytes[100 + 20] ^= std::byte{1};
    fix_checksum(bytes, 0);
    CHECK(rule_of(prove(bytes, key("datastore_key"))) == "G14");
  }
  SECTION("G15: tags") {
    bytes[3 * kBlock + 70] ^= std::byte{1};
    CHECK(rule_of(prove(bytes, key("datastore_key"))) == "G15");
    bytes = good;
    bytes[5 * kBlock] ^= std::byte{1};
    const auto damaged = prove(bytes, key("datastore_key"));
    CHECK(rule_of(damaged) == "G15");
    CHECK(damaged.error().places()[1].name == "vTPM state");
    // The file table is not signed: file 63 says which files there are.
    CHECK(rule_of(prove(with_entry_field(3, 4, 0, 4), key("datastore_key"))) == "G15");
  }
}

TEST_CASE("a header that is neither valid nor zero is read around, and said", "[vm]") {
  for (const std::size_t header : {std::size_t{0}, kSecondHeader}) {
    for (std::size_t at = 0; at < 168; ++at) {
      base::Bytes bytes = vector("gsp-key.vmgs");
      bytes[header + at] ^= std::byte{0x10};
      const auto vmgs = read(bytes);
      CAPTURE(header, at);
      REQUIRE(vmgs);
      CHECK(vmgs->is_torn);
      CHECK(vmgs->sequence == (header == 0 ? 7 : 8));
    }
  }
}

TEST_CASE("Microsoft's own stores are what their README says", "[vm]") {
  const auto folder = support::hyperv_fixtures("vmgs-generated");
  if (!folder) return;
  const auto open = [&](const std::string& name) {
    return support::gunzip(*folder / (name + ".vmgs.gz"));
  };
  const auto keys = keys_in(*folder / "keys.json");
  const auto key_of = [&](const std::string& file, const std::string& name) {
    return secret(keys.at(file).at(name).get<std::string>());
  };
  const auto numbers = [](const Vmgs& vmgs) {
    std::string text;
    for (const VmgsFile& file : vmgs.files) {
      text += std::to_string(file.number) + (file.is_encrypted ? "* " : " ");
    }
    return text;
  };

  const auto fresh = read(open("fresh-plain")).value();
  CHECK(fresh.sequence == 1);
  CHECK_FALSE(fresh.is_torn);
  CHECK(numbers(fresh) == "0 63 ");
  CHECK(read(open("empty-hyperv-minted-like"))->is_empty);
  const auto plain = read(open("plain-files")).value();
  CHECK(plain.sequence == 6);
  CHECK(numbers(plain) == "0 1 2 3 7 18 63 ");
  CHECK(plain.protection == VmgsProtection::kNone);
  CHECK_FALSE(read(open("plain-4k-sector-nofooter"))->has_footer);

  const std::string tvm = "tvm-gspkey-identity";
  const auto current = key_of(tvm, "datastore_key_current_hex");
  const auto identity = read(open(tvm)).value();
  CHECK(identity.sequence == 15);
  CHECK(numbers(identity) == "0 1* 2* 3* 6 7 18 63* ");
  CHECK(identity.protection == VmgsProtection::kGspKey);
  const auto proof = prove(open(tvm), current);
  REQUIRE(proof);
  CHECK(proof->slot == 1);
  CHECK(proof->opened == std::vector<std::uint32_t>{1, 2, 3});
  CHECK(rule_of(prove(open(tvm), key_of(tvm, "datastore_key_previous_boot_hex"))) ==
        "G14");
  const auto derived =
      datastore_key_of_seed(key_of(tvm, "gsp_seed_current_hex")).value();
  CHECK(keyvault::is_same(derived.view(), current.view()));
  CHECK(prove(open("tvm-gspkey-HYPOTHETICAL-aeskw"),
              key_of("tvm-gspkey-HYPOTHETICAL-aeskw", "datastore_key_current_hex")));

  const auto by_id = read(open("gspbyid")).value();
  CHECK(by_id.protection == VmgsProtection::kGspById);
  CHECK(numbers(by_id) == "0 1* 3* 7 63* ");
  CHECK(by_id.bios_id->text() == keys.at("gspbyid").at("bios_guid").get<std::string>());
  const auto host_key =
      datastore_key_by_id(key_of("gspbyid", "host_seed_hex"), *by_id.bios_id).value();
  CHECK(prove(open("gspbyid"), host_key));

  CHECK(prove(open("two-keys"), key_of("two-keys", "key0_hex"))->slot == 0);
  CHECK(prove(open("two-keys"), key_of("two-keys", "key1_hex"))->slot == 1);

  const auto fallen_back = open("bad-active-header-crc");
  CHECK(read(fallen_back)->sequence == 14);
  CHECK(read(fallen_back)->is_torn);
  CHECK(prove(fallen_back, current));
  CHECK(rule_of(read(open("bad-both-headers"))) == "G6");
  CHECK(rule_of(prove(open("bad-metadata-key-tag"), current)) == "G14");
  CHECK(rule_of(read(open("v1-gpt-like"))) == "G3");
  CHECK(rule_of(read(open("version-2.0-header"))) == "G5");
  CHECK(rule_of(read(open("bad-sequence-gap"))) == "G7");
  CHECK(rule_of(prove(open("bad-tpm-nvram-ciphertext"), current)) == "G15");
  CHECK(rule_of(read(open("bad-footer-truncated"))) == "G4");
}

}  // namespace sealift::vm
