#include "keyvault/public_key_der.h"

#include <openssl/x509.h>

#include <algorithm>
#include <climits>

namespace sealift::keyvault {

base::Bytes spki_of(const KeyPair& key) {
  const int size = i2d_PUBKEY(key.get(), nullptr);
  require(size > 0 ? 1 : 0);
  base::Bytes der(static_cast<std::size_t>(size));
  auto* end = reinterpret_cast<unsigned char*>(der.data());
  require(i2d_PUBKEY(key.get(), &end) == size ? 1 : 0);
  return der;
}

base::Result<KeyPair> key_from_spki(base::ByteView der) {
  const auto* start = reinterpret_cast<const unsigned char*>(der.data());
  KeyPair key(der.size() > INT_MAX
                  ? nullptr
                  : d2i_PUBKEY(nullptr, &start, static_cast<long>(der.size())));
  if (!key) {
    return base::Error(base::ErrorCode::kUsage, "the bytes are not a public key")
        .because(take_openssl_error());
  }
  if (!std::ranges::equal(spki_of(key), der)) {
    return base::Error(base::ErrorCode::kUsage,
                       "the public key is not in its one DER form");
  }
  return key;
}

}  // namespace sealift::keyvault
