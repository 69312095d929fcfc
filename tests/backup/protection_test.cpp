#include "backup/protection.h"

#include <algorithm>
#include <filesystem>

#include "base/byte_count.h"
#include "base/filesystem.h"
#include "keyvault/protection_key.h"
#include "tests/support/catch.h"

namespace sealift::backup {

namespace {

// The bytes after the text header of a vector of docs/format/swtpm-state.md.
base::Bytes state_of(const std::string& vector) {
  const auto path =
      std::filesystem::path(SEALIFT_SOURCE_DIR "/tests/vectors/swtpm") / vector;
  const base::Bytes file = base::read_file(path, base::kMiB).value();
  const std::size_t end = base::as_text(file).find("\n\n") + 2;
  return {file.begin() + static_cast<std::ptrdiff_t>(end), file.end()};
}

// The key of those vectors, which holds NUL and line feed bytes.
vm::VtpmSecret secret_with(std::string_view hex) {
  vm::VtpmSecret secret;
  secret.uuid = base::Uuid::parse("5ec2e700-0000-4000-8000-000000000001").value();
  secret.usage = "web-01-vtpm";
  secret.value = keyvault::Secret::copy_of(base::from_hex(hex).value()).value();
  return secret;
}
constexpr std::string_view kRightKey = "000102030405060a00616e79206279746573";

vm::VmDescription vm_with_vtpm() {
  vm::VmDescription vm;
  vm.vtpm = vm::Vtpm{};
  return vm;
}

std::vector<vm::CapturedFile> captured(const std::string& vector) {
  vm::CapturedFile file;
  file.kind = "guest-state";
  file.name = "tpm2-00.permall";
  file.path = "/var/lib/libvirt/swtpm/x/tpm2/tpm2-00.permall";
  file.content = state_of(vector);
  return {file};
}

}  // namespace

TEST_CASE("a key that opens the state is wrapped to every recipient", "[backup]") {
  const auto one = keyvault::RecoveryKey::generate(3072).value();
  const auto two = keyvault::RecoveryKey::generate(3072).value();

  const auto protection =
      protect(vm_with_vtpm(), captured("opens"), secret_with(kRightKey),
              {one.recipient(), two.recipient()});

  REQUIRE(protection);
  CHECK(protection->guest_state.state == "complete");
  CHECK(protection->protection_key.reason == "opens the guest state");
  REQUIRE(protection->files.size() == 2);
  CHECK(protection->files[0].entry.member == "protection-key.json");
  CHECK(protection->files[1].entry.member == "protection-key.2.json");
  CHECK(protection->files[1].entry.recipient == two.recipient().id());
  const auto json =
      keyvault::parse_key_json(base::as_bytes(protection->files[1].text)).value();
  const auto opened = keyvault::unwrap_protection_key(json, two);
  REQUIRE(opened);
  CHECK(keyvault::is_same(opened->key.view(), base::from_hex(kRightKey).value()));
  CHECK_FALSE(keyvault::unwrap_protection_key(json, one));
}

TEST_CASE("a key that does not open the state just copied refuses the snapshot",
          "[backup]") {
  const auto protection =
      protect(vm_with_vtpm(), captured("opens"), secret_with("00ff"), {});

  REQUIRE_FALSE(protection);
  CHECK(protection.error().code() == base::ErrorCode::kRefused);
  CHECK(protection.error().what() ==
        "the protection key does not open the vTPM state just copied");
  REQUIRE(protection.error().next_steps().size() == 1);
  CHECK(protection.error().next_steps().front().find("--vtpm-secret-file") !=
        std::string::npos);
}

TEST_CASE("an encrypted state without a secret refuses the snapshot", "[backup]") {
  const auto protection = protect(vm_with_vtpm(), captured("opens"), std::nullopt, {});
  REQUIRE_FALSE(protection);
  CHECK(protection.error().code() == base::ErrorCode::kRefused);
}

TEST_CASE("an unencrypted state is taken with a warning and without a key",
          "[backup]") {
  const auto protection =
      protect(vm_with_vtpm(), captured("not_encrypted"), std::nullopt, {});

  REQUIRE(protection);
  CHECK(protection->files.empty());
  CHECK(protection->protection_key.state == "absent");
  REQUIRE(protection->warnings.size() == 1);
  CHECK(protection->warnings.front().starts_with("the vTPM state is not encrypted"));
}

TEST_CASE("a malformed state is corrupt, and names the file", "[backup]") {
  const auto protection =
      protect(vm_with_vtpm(), captured("truncated"), secret_with(kRightKey), {});
  REQUIRE_FALSE(protection);
  CHECK(protection.error().code() == base::ErrorCode::kCorrupt);
  CHECK(protection.error().places().back().kind == "file");
}

TEST_CASE("a VM that was never started has no vTPM state yet", "[backup]") {
  const auto protection = protect(vm_with_vtpm(), {}, secret_with(kRightKey), {});
  REQUIRE(protection);
  CHECK(protection->guest_state.state == "absent");
  CHECK(protection->guest_state.reason == "the VM was never started");
}

TEST_CASE("a VM without a vTPM needs no key", "[backup]") {
  const auto protection = protect(vm::VmDescription{}, {}, std::nullopt, {});
  REQUIRE(protection);
  CHECK(protection->files.empty());
  CHECK(protection->guest_state.reason == "the VM has no vTPM");
}

}  // namespace sealift::backup
