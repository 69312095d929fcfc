// The files of Hyper-V cut off everywhere, and with each byte of their structures
// damaged: what is read is what the intact file says, or an error that names a rule.
#include <algorithm>
#include <optional>

#include "base/byte_count.h"
#include "base/filesystem.h"
#include "tests/support/catch.h"
#include "tests/vm/format_bytes.h"
#include "tests/vm/made_vhdx.h"
#include "vm/hyperv_storage.h"
#include "vm/vhdx.h"
#include "vm/vmgs.h"

namespace sealift::vm {

namespace {

using base::kKiB;

/// A file, without a copy of it: cut off, or with one byte that is another.
class Damaged final : public base::ByteSource {
 public:
  Damaged(base::ByteView bytes, std::optional<std::uint64_t> place)
      : bytes_(bytes), place_(place) {}

  std::uint64_t size() const override { return bytes_.size(); }

 private:
  base::Status fill(std::uint64_t offset, std::span<std::byte> bytes) const override {
    std::ranges::copy(bytes_.subspan(offset, bytes.size()), bytes.begin());
    if (place_ && *place_ >= offset && *place_ - offset < bytes.size()) {
      bytes[*place_ - offset] ^= std::byte{0xff};
    }
    return base::Done{};
  }

  base::ByteView bytes_;
  std::optional<std::uint64_t> place_;
};

base::Bytes vector(const std::string& path) {
  return base::read_file(SEALIFT_SOURCE_DIR "/tests/vectors/" + path, base::kMiB)
      .value();
}

/// Reads every cut at a multiple of 512 bytes; each must be an error with a rule.
template <typename Reader>
void cut_everywhere(base::ByteView bytes, const Reader& read) {
  for (std::size_t size = 0; size < bytes.size(); size += 512) {
    const std::string rule = rule_of(read(Damaged(bytes.first(size), std::nullopt)));
    if (rule.size() > 3 || rule == "none") {
      CAPTURE(size);
      CHECK(rule == "a rule");
    }
  }
}

/// Reads the file with each byte of `begin` to `end` inverted. Gives how many readings
/// ended in an error; `is_same` is asked for the rest.
template <typename Reader, typename Same>
std::size_t damage_each(base::ByteView bytes, std::size_t begin, std::size_t end,
                        const Reader& read, const Same& is_same) {
  std::size_t refused = 0;
  for (std::size_t at = begin; at < end; ++at) {
    const auto found = read(Damaged(bytes, at));
    if (!found) {
      ++refused;
      if (rule_of(found).size() <= 3) continue;
    } else if (is_same(found.value())) {
      continue;
    }
    CAPTURE(at, rule_of(found));
    CHECK(rule_of(found) == "a rule, or the same");
  }
  return refused;
}

constexpr auto kAnything = [](const auto&) { return true; };

}  // namespace

TEST_CASE("a disk damaged anywhere is refused, or read right", "[vm]") {
  const base::Bytes good = made_by_qemu();
  const Vhdx intact = read_vhdx(Damaged(good, std::nullopt)).value();
  const auto is_same = [&](const Vhdx& vhdx) {
    return vhdx.virtual_size == intact.virtual_size &&
           vhdx.block_size == intact.block_size &&
           vhdx.referenced == intact.referenced && vhdx.has_log == intact.has_log &&
           !vhdx.parent;
  };
  cut_everywhere(good, read_vhdx);
  // All but the file's type, 8 bytes, is there twice, with a sum.
  CHECK(damage_each(good, 0, 520, read_vhdx, is_same) == 8);
  for (const std::size_t header : {64 * kKiB, 128 * kKiB}) {
    CHECK(damage_each(good, header, header + 4096, read_vhdx, is_same) == 0);
  }
  for (const std::size_t table : {192 * kKiB, 256 * kKiB}) {
    CHECK(damage_each(good, table, table + 512, read_vhdx, is_same) == 0);
  }
  // No sum: what is read may be another disk, and must be one that can be.
  const std::uint64_t metadata = region(good, kMetadata);
  CHECK(damage_each(good, metadata, metadata + 256, read_vhdx, kAnything) > 64);
  const std::uint64_t items = metadata + 64 * kKiB;
  CHECK(damage_each(good, items, items + 64, read_vhdx, kAnything) > 8);
  const std::uint64_t bat = region(good, kBat);
  CHECK(damage_each(good, bat, bat + 16 * 8, read_vhdx, kAnything) > 16);
}

TEST_CASE("a guest state damaged anywhere is refused, or read right", "[vm]") {
  const base::Bytes good = vector("vmgs/gsp-key.vmgs");
  const Vmgs intact = read_vmgs(Damaged(good, std::nullopt)).value();
  const auto is_same = [&](const Vmgs& vmgs) {
    return vmgs.protection == intact.protection && vmgs.bios_id == intact.bios_id &&
           vmgs.files.size() == intact.files.size();
  };
  cut_everywhere(good, read_vmgs);
  // Two headers; what fills their sectors says nothing.
  CHECK(damage_each(good, 0, 1024, read_vmgs, is_same) == 0);
  CHECK(damage_each(good, good.size() - 512, good.size(), read_vmgs, is_same) > 0);
  CHECK(damage_each(good, 8192, 8192 + 4096, read_vmgs, kAnything) > 0);
}

TEST_CASE("a configuration damaged anywhere is refused, or read right", "[vm]") {
  for (const char* const name : {"vm.vmcx", "logged.vmcx", "saved.VMRS"}) {
    CAPTURE(name);
    const base::Bytes good = vector(std::string("hyperv-storage/") + name);
    const StorageKey intact = read_hyperv_storage(Damaged(good, std::nullopt)).value();
    const auto is_same = [&](const StorageKey& root) {
      return root.children.size() == intact.children.size() &&
             root.children.front().name == intact.children.front().name;
    };
    cut_everywhere(good, read_hyperv_storage);
    for (const std::size_t header : {std::size_t{0}, std::size_t{4096}}) {
      CHECK(damage_each(good, header, header + 46, read_hyperv_storage, is_same) == 0);
    }
  }
  // The tables of objects and keys; the head of a log that waits.
  const base::Bytes good = vector("hyperv-storage/vm.vmcx");
  CHECK(damage_each(good, 8192, 20480, read_hyperv_storage, kAnything) > 0);
  const base::Bytes logged = vector("hyperv-storage/logged.vmcx");
  CHECK(damage_each(logged, 28672, 28672 + 512, read_hyperv_storage, kAnything) > 0);
}

}  // namespace sealift::vm
