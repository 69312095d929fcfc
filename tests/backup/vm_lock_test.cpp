#include "backup/vm_lock.h"

#include "tests/support/catch.h"
#include "tests/support/scratch_folder.h"

namespace sealift::backup {

TEST_CASE("a VM is backed up by one run at a time", "[backup]") {
  const support::ScratchFolder scratch;
  const auto vault = keyvault::KeyVault::init(scratch.path() / "vault");
  REQUIRE(vault);
  const auto vm = base::Uuid::parse("7e57ab1e-0000-4000-8000-000000000001").value();
  const auto other = base::Uuid::parse("7e57ab1e-0000-4000-8000-000000000002").value();

  {
    const auto held = lock_vm(vault.value(), vm);
    REQUIRE(held);

    const auto second = lock_vm(vault.value(), vm);
    REQUIRE_FALSE(second);
    CHECK(second.error().code() == base::ErrorCode::kBusy);
    CHECK(lock_vm(vault.value(), other));
  }
  CHECK(lock_vm(vault.value(), vm));
}

}  // namespace sealift::backup
