// Any bytes are refused, or are a public key with one id, whatever it is written as.
#include "keyvault/recovery_key.h"
#include "keyvault/signer.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  namespace base = sealift::base;
  namespace keyvault = sealift::keyvault;
  const auto text = std::as_bytes(std::span(data, size));

  if (const auto signer = keyvault::SignerPublicKey::parse_pem(text)) {
    const auto again = keyvault::SignerPublicKey::parse_spki(signer->spki());
    if (!again || again->id() != signer->id()) __builtin_trap();
  }
  if (const auto recipient = keyvault::Recipient::parse_pem(text)) {
    const auto pkcs1 = recipient->pkcs1();
    if (!pkcs1) __builtin_trap();
    const auto again = keyvault::Recipient::parse_pkcs1(pkcs1.value());
    // OpenSSL's check of a modulus that is no product of two primes draws lots: what
    // passed once may fail now, but never become another key.
    if (again && again->id() != recipient->id()) __builtin_trap();
    if (recipient->bits() < 2048) __builtin_trap();
  }
  return 0;
}
