#include "keyvault/pbkdf2.h"

#include "keyvault/openssl_handle.h"

namespace sealift::keyvault {

base::Result<Secret> pbkdf2_hmac_sha512(const Secret& password, base::ByteView salt,
                                        std::uint32_t iterations, std::size_t size) {
  ASSIGN_OR_RETURN(Secret key, Secret::allocate(size));
  // A null password would be measured with strlen; one of no bytes is still a password.
  const char* passphrase =
      password.size() == 0 ? "" : reinterpret_cast<const char*>(password.view().data());
  require(PKCS5_PBKDF2_HMAC(passphrase, static_cast<int>(password.size()),
                            reinterpret_cast<const unsigned char*>(salt.data()),
                            static_cast<int>(salt.size()), static_cast<int>(iterations),
                            EVP_sha512(), static_cast<int>(size),
                            reinterpret_cast<unsigned char*>(key.writable().data())));
  return key;
}

}  // namespace sealift::keyvault
