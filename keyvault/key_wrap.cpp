#include "keyvault/key_wrap.h"

#include <cassert>

#include "keyvault/openssl_handle.h"

namespace sealift::keyvault {

namespace {

constexpr std::size_t kBlock = 8;
constexpr std::size_t kKeyLimit = std::size_t{64} * 1024;

enum class Direction : int { kUnwrap = 0, kWrap = 1 };

CipherState start(const Secret& wrapping, Direction direction) {
  assert(wrapping.size() == 32);
  CipherState state(EVP_CIPHER_CTX_new());
  if (!state) return {};
  EVP_CIPHER_CTX_set_flags(state.get(), EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
  const auto* key = reinterpret_cast<const unsigned char*>(wrapping.view().data());
  if (EVP_CipherInit_ex(state.get(), EVP_aes_256_wrap_pad(), nullptr, key, nullptr,
                        static_cast<int>(direction)) != 1) {
    return {};
  }
  return state;
}

// What OpenSSL wrote, or nothing when it refused.
int run(const CipherState& state, base::ByteView input, std::span<std::byte> output) {
  int written = 0;
  const int outcome =
      EVP_CipherUpdate(state.get(), reinterpret_cast<unsigned char*>(output.data()),
                       &written, reinterpret_cast<const unsigned char*>(input.data()),
                       static_cast<int>(input.size()));
  return outcome == 1 ? written : 0;
}

}  // namespace

base::Result<base::Bytes> wrap_key(const Secret& wrapping, const Secret& key) {
  assert(key.size() >= 1 && key.size() <= kKeyLimit);
  base::Bytes wrapped((key.size() + kBlock - 1) / kBlock * kBlock + kBlock);
  const CipherState state = start(wrapping, Direction::kWrap);
  if (!state || run(state, key.view(), wrapped) != static_cast<int>(wrapped.size())) {
    return base::Error(base::ErrorCode::kIo, "cannot wrap a key")
        .because(take_openssl_error());
  }
  return wrapped;
}

base::Result<Secret> unwrap_key(const Secret& wrapping, base::ByteView wrapped) {
  const base::Error wrong(base::ErrorCode::kWrongKey,
                          "the wrapped key does not open under this key");
  if (wrapped.size() < 2 * kBlock || wrapped.size() % kBlock != 0 ||
      wrapped.size() > kKeyLimit + kBlock) {
    return wrong;
  }
  const CipherState state = start(wrapping, Direction::kUnwrap);
  if (!state) {
    return base::Error(base::ErrorCode::kIo, "cannot unwrap a key")
        .because(take_openssl_error());
  }
  // OpenSSL uses the space of the whole input while it works.
  ASSIGN_OR_RETURN(Secret key, Secret::allocate(wrapped.size()));
  const int size = run(state, wrapped, key.writable());
  if (size <= 0) {
    ERR_clear_error();
    return wrong;
  }
  key.shrink(static_cast<std::size_t>(size));
  return key;
}

}  // namespace sealift::keyvault
