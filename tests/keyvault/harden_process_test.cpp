#include <openssl/crypto.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "keyvault/recovery_key.h"
#include "keyvault/secret.h"
#include "tests/support/catch.h"

namespace sealift::keyvault {
namespace {

// What harden_process() does cannot be undone, so it is done in a child.
int status_of(int (*check)()) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(check());
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

TEST_CASE("a hardened process leaves no core file", "[keyvault][secret]") {
  CHECK(status_of([] {
          if (!harden_process()) return 1;
          rlimit limit{1, 1};
          ::getrlimit(RLIMIT_CORE, &limit);
          return limit.rlim_cur == 0 && limit.rlim_max == 0 ? 0 : 2;
        }) == 0);
}

TEST_CASE("a hardened process cannot be dumped or traced", "[keyvault][secret]") {
  CHECK(status_of([] {
          if (!harden_process()) return 1;
          return ::prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0 ? 0 : 2;
        }) == 0);
}

TEST_CASE("a hardened process keeps RSA's private numbers in the secure heap",
          "[keyvault][secret]") {
  CHECK(status_of([] {
          if (!harden_process()) return 1;
          if (CRYPTO_secure_malloc_initialized() != 1) return 2;
          const std::size_t before = CRYPTO_secure_used();
          const auto key = RecoveryKey::generate(2048);
          return key && CRYPTO_secure_used() > before ? 0 : 3;
        }) == 0);
}

TEST_CASE("hardening a second time is no error", "[keyvault][secret]") {
  CHECK(status_of([] { return harden_process() && harden_process() ? 0 : 1; }) == 0);
}

}  // namespace sealift::keyvault
