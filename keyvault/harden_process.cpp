#include <openssl/crypto.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <cerrno>

#include "keyvault/openssl_handle.h"
#include "keyvault/secret.h"

namespace sealift::keyvault {

namespace {

// Room for the private numbers of some dozens of RSA keys and the PEM text of a few;
// small beside the usual RLIMIT_MEMLOCK of 8 MiB.
constexpr std::size_t kSecureHeapSize = std::size_t{512} * 1024;
constexpr std::size_t kSecureHeapGrain = 32;

}  // namespace

base::Status harden_process() {
  const rlimit none{0, 0};
  if (::setrlimit(RLIMIT_CORE, &none) != 0) {
    return base::system_error(errno, "cannot forbid core files");
  }
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) {
    return base::system_error(errno, "cannot forbid tracing of this process");
  }
  // 2 means that the heap works and could not be locked or guarded: RLIMIT_MEMLOCK.
  if (CRYPTO_secure_malloc_initialized() == 0 &&
      CRYPTO_secure_malloc_init(kSecureHeapSize, kSecureHeapGrain) == 0) {
    return base::Error(base::ErrorCode::kIo, "cannot set up OpenSSL's secure heap")
        .because(take_openssl_error());
  }
  return base::Done{};
}

}  // namespace sealift::keyvault
