#include "keyvault/recovery_key.h"

#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <algorithm>
#include <cassert>
#include <utility>

#include "keyvault/pem.h"
#include "keyvault/pkcs8.h"
#include "keyvault/public_key_der.h"
#include "keyvault/rsa_operation.h"
#include "keyvault/secret_file.h"

namespace sealift::keyvault {

namespace {

// A 16384-bit key has about 13 KiB as PEM.
constexpr std::size_t kFileLimit = std::size_t{128} * 1024;

base::Error not_a_recovery_key(std::string what) {
  return {base::ErrorCode::kUsage, "not a recovery key: " + std::move(what)};
}

base::Error refused(std::string what) {
  return base::Error(base::ErrorCode::kIo, std::move(what))
      .because(take_openssl_error());
}

base::Result<Secret> ask(const PassphraseSource& passphrase) {
  if (!passphrase) {
    return base::Error(base::ErrorCode::kWrongKey,
                       "the recovery key is encrypted and there is no passphrase");
  }
  return passphrase();
}

// Hands the passphrase to OpenSSL's old PEM encryption.
int give_passphrase(char* buffer, int size, int /*writing*/, void* context) {
  const auto& passphrase = *static_cast<const Secret*>(context);
  if (std::cmp_greater(passphrase.size(), size)) return -1;
  std::ranges::copy(passphrase.view(), reinterpret_cast<std::byte*>(buffer));
  return static_cast<int>(passphrase.size());
}

// "RSA PRIVATE KEY", with the old encryption when its header says so.
base::Result<KeyPair> key_from_pkcs1(PemBlock& block,
                                     const PassphraseSource& passphrase) {
  EVP_CIPHER_INFO cipher{};
  if (PEM_get_EVP_CIPHER_INFO(block.header.data(), &cipher) != 1) {
    return not_a_recovery_key("its PEM header is unknown")
        .because(take_openssl_error());
  }
  long size = static_cast<long>(block.der.size());
  if (cipher.cipher != nullptr) {
    ASSIGN_OR_RETURN(Secret secret, ask(passphrase));
    if (PEM_do_header(&cipher,
                      reinterpret_cast<unsigned char*>(block.der.writable().data()),
                      &size, give_passphrase, &secret) != 1) {
      return base::Error(base::ErrorCode::kWrongKey,
                         "the passphrase does not open the private key")
          .because(take_openssl_error())
          .next("check the passphrase; of a file, the first line counts");
    }
  }
  const auto* start = reinterpret_cast<const unsigned char*>(block.der.view().data());
  KeyPair key(d2i_PrivateKey(EVP_PKEY_RSA, nullptr, &start, size));
  if (!key) {
    return not_a_recovery_key("its DER is damaged").because(take_openssl_error());
  }
  return key;
}

base::Result<KeyPair> private_key_in(PemBlock& block,
                                     const PassphraseSource& passphrase) {
  if (block.label == "PRIVATE KEY") return key_from_pkcs8(block.der.view());
  if (block.label == "ENCRYPTED PRIVATE KEY") {
    ASSIGN_OR_RETURN(const Secret secret, ask(passphrase));
    return key_from_encrypted_pkcs8(block.der.view(), secret);
  }
  if (block.label == "RSA PRIVATE KEY") return key_from_pkcs1(block, passphrase);
  if (block.label.ends_with("PUBLIC KEY")) {
    return not_a_recovery_key("it is a public key")
        .next("name the file with the private key: KEY.pem, not KEY.pub.pem");
  }
  return not_a_recovery_key("it is a PEM text of another kind")
      .at("PEM label", block.label);
}

}  // namespace

PassphraseSource passphrase_from_file(std::filesystem::path path) {
  return [path = std::move(path)] { return read_passphrase_file(path); };
}

base::Result<RecoveryKey> RecoveryKey::from_pair(KeyPair key) {
  if (EVP_PKEY_is_a(key.get(), "RSA") != 1) {
    return not_a_recovery_key("it is a private key of another kind");
  }
  const KeyOperation check(EVP_PKEY_CTX_new(key.get(), nullptr));
  if (!check || EVP_PKEY_pairwise_check(check.get()) != 1) {
    return not_a_recovery_key("its halves do not fit each other")
        .because(take_openssl_error());
  }
  ASSIGN_OR_RETURN(KeyPair public_half, key_from_spki(spki_of(key)));
  ASSIGN_OR_RETURN(Recipient recipient, Recipient::from_key(std::move(public_half)));
  return RecoveryKey(std::move(key), std::move(recipient));
}

base::Result<RecoveryKey> RecoveryKey::generate(unsigned bits) {
  if (bits != 2048 && bits != 3072 && bits != 4096) {
    return base::Error(base::ErrorCode::kUsage,
                       "a recovery key has 2048, 3072 or 4096 bits")
        .at("bits", std::to_string(bits));
  }
  KeyPair key(EVP_RSA_gen(bits));
  if (!key) return refused("cannot make an RSA key");
  return from_pair(std::move(key));
}

base::Result<RecoveryKey> RecoveryKey::load(const std::filesystem::path& path,
                                            const PassphraseSource& passphrase) {
  ASSIGN_OR_RETURN(const Secret text,
                   read_secret_file(path, kFileLimit, SecretFilePlace::kAnywhere));
  const auto in_file = [&path](base::Error error) {
    return std::move(error).at("file", path.string());
  };
  auto block = read_pem(text.view());
  if (!block) return in_file(std::move(block).error());
  auto key = private_key_in(block.value(), passphrase);
  if (!key) return in_file(std::move(key).error());
  auto loaded = from_pair(std::move(key).value());
  if (!loaded) return in_file(std::move(loaded).error());
  return loaded;
}

base::Result<Secret> RecoveryKey::to_pem(const Secret* passphrase) const {
  return passphrase == nullptr ? pkcs8_pem(key_)
                               : encrypted_pkcs8_pem(key_, *passphrase);
}

base::Result<Secret> RecoveryKey::decrypt(base::ByteView encrypted,
                                          OaepHash hash) const {
  ASSIGN_OR_RETURN(const KeyOperation operation,
                   start_oaep(key_.get(), OaepUse::kDecrypt, hash));
  ASSIGN_OR_RETURN(Secret plaintext, Secret::allocate(recipient_.modulus_size()));
  std::size_t size = plaintext.size();
  if (encrypted.size() != recipient_.modulus_size() ||
      EVP_PKEY_decrypt(operation.get(),
                       reinterpret_cast<unsigned char*>(plaintext.writable().data()),
                       &size, reinterpret_cast<const unsigned char*>(encrypted.data()),
                       encrypted.size()) != 1) {
    ERR_clear_error();
    return base::Error(base::ErrorCode::kWrongKey,
                       "it was not encrypted to this recovery key, or is damaged")
        .at("recovery key", recipient_.id().hex());
  }
  plaintext.shrink(size);
  return plaintext;
}

base::Result<base::Bytes> RecoveryKey::sign(base::ByteView message) const {
  const DigestState state(EVP_MD_CTX_new());
  RETURN_IF_ERROR(start_pss(state.get(), key_.get(), PssUse::kSign));
  base::Bytes signature(recipient_.modulus_size());
  std::size_t size = signature.size();
  if (EVP_DigestSign(state.get(), reinterpret_cast<unsigned char*>(signature.data()),
                     &size, reinterpret_cast<const unsigned char*>(message.data()),
                     message.size()) != 1 ||
      size != signature.size()) {
    return refused("cannot sign with the recovery key");
  }
  return signature;
}

}  // namespace sealift::keyvault
