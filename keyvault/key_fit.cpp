#include "keyvault/key_fit.h"

#include <charconv>
#include <climits>

#include "keyvault/openssl_handle.h"

namespace sealift::keyvault {

namespace {

constexpr std::size_t kBlock = 8;  // RFC 5649.
constexpr std::size_t kVmKeySize = kVmKeyBits / CHAR_BIT;

base::Error misfit(std::string_view rule, std::string what) {
  return base::Error(base::ErrorCode::kCorrupt, std::move(what))
      .at("rule", rule)
      .next("take another copy of the file, or export the key again");
}

std::string bytes(std::size_t count) { return std::to_string(count) + " bytes"; }

// Modulus and exponent, and five numbers of half their size; less, to be safe.
std::size_t least_rsa_size(unsigned bits) {
  constexpr std::size_t kNumbers = 4;
  return kNumbers * bits / CHAR_BIT;
}

// Of an RSA private key its bits; of anything else 0.
unsigned rsa_bits(const Secret& key) {
  const auto* at = reinterpret_cast<const unsigned char*>(key.view().data());
  const unsigned char* const end = at + key.size();
  const KeyPair pair(d2i_AutoPrivateKey(nullptr, &at, static_cast<long>(key.size())));
  ERR_clear_error();
  if (!pair || at != end || EVP_PKEY_get_base_id(pair.get()) != EVP_PKEY_RSA) return 0;
  return static_cast<unsigned>(EVP_PKEY_get_bits(pair.get()));
}

base::Status check_rsa(const Secret& key, unsigned expected) {
  const unsigned bits = rsa_bits(key);
  if (bits == 0) {
    return misfit("J9", "what is wrapped, " + bytes(key.size()) +
                            ", is no RSA private key, which it should be");
  }
  if (expected == 0 || bits == expected) return base::Done{};
  return misfit("J9", "what is wrapped is an RSA key of " + std::to_string(bits) +
                          " bits, and by its file's name it has " +
                          std::to_string(expected));
}

}  // namespace

KeyFileName read_key_file_name(std::string_view stem) {
  const std::size_t split = stem.rfind('_');
  if (split != std::string_view::npos) {
    const char* const end = stem.data() + stem.size();
    unsigned bits = 0;
    const auto [stopped, failure] = std::from_chars(stem.data() + split + 1, end, bits);
    if (failure == std::errc() && stopped == end) {
      return {std::string(stem.substr(0, split)), bits};
    }
  }
  return {std::string(stem), 0};
}

ExpectedKey expected_key(std::string_view stem, const KeyJson& json) {
  const KeyFileName said = read_key_file_name(stem);
  if (said.bits > kVmKeyBits) return {KeyKind::kRsa, said.bits};
  if (said.bits == kVmKeyBits) return {KeyKind::kAes256, 0};
  if (said.name == kAttestationRootKey) return {KeyKind::kRsa, kRootKeyBits};
  return {json.encoding == kOurEncoding ? KeyKind::kAny : KeyKind::kVault, 0};
}

base::Result<Recipient> wrapping_key_of(const KeyJson& json) {
  auto parsed = Recipient::parse_pkcs1(json.wrapping_key_pkcs1);
  if (parsed) return parsed;
  return misfit("J8", "the key JSON does not say what it is wrapped to")
      .because(parsed.error().what());
}

std::size_t wrapped_size(const KeyJson& json, const Recipient& wrapping_key) {
  const std::size_t envelope = wrapping_key.modulus_size();
  return json.wrapped.size() > envelope ? json.wrapped.size() - envelope : 0;
}

base::Status check_wrapped_key(const KeyJson& json, const Recipient& wrapping_key,
                               const ExpectedKey& expected) {
  const std::size_t envelope = wrapping_key.modulus_size();
  const std::size_t wrapped = wrapped_size(json, wrapping_key);
  if (wrapped < 2 * kBlock || wrapped % kBlock != 0) {
    return misfit("J8", "it is no whole wrapped key: behind " + bytes(envelope) +
                            " of RSA lie " + std::to_string(wrapped) +
                            ", not a multiple of 8 from 16 on");
  }
  const std::size_t vm_key = kVmKeySize + kBlock;
  if (expected.kind == KeyKind::kAes256 && wrapped != vm_key) {
    return misfit("J9", "it is no wrapped key of 256 bits: it has " +
                            bytes(json.wrapped.size()) + ", not " +
                            std::to_string(envelope + vm_key));
  }
  const bool is_rsa = expected.kind == KeyKind::kRsa ||
                      (expected.kind == KeyKind::kVault && wrapped != vm_key);
  constexpr unsigned kLeastBits = 1024;
  const unsigned bits = expected.bits == 0 ? kLeastBits : expected.bits;
  if (is_rsa && wrapped < least_rsa_size(bits)) {
    const bool may_be_aes = expected.kind == KeyKind::kVault;
    return misfit(
        "J9",
        std::string("it is no wrapped ") +
            (may_be_aes ? "key of 256 bits and no " : "") + "RSA private key" +
            (expected.bits == 0 ? std::string()
                                : " of " + std::to_string(expected.bits) + " bits") +
            ": it has " + bytes(json.wrapped.size()));
  }
  return base::Done{};
}

base::Status check_opened_key(const Secret& key, const ExpectedKey& expected) {
  switch (expected.kind) {
    case KeyKind::kAny:
      return base::Done{};
    case KeyKind::kRsa:
      return check_rsa(key, expected.bits);
    case KeyKind::kVault:
      if (key.size() == kVmKeySize || rsa_bits(key) != 0) return base::Done{};
      return misfit("J9", "the key has " + bytes(key.size()) +
                              ": it is no AES-256 key, which has 32, and no RSA "
                              "private key");
    case KeyKind::kAes256:
      break;
  }
  if (key.size() == kVmKeySize) return base::Done{};
  return misfit("J9", "the key has " + bytes(key.size()) + ", and an AES-256 key has " +
                          std::to_string(kVmKeySize));
}

}  // namespace sealift::keyvault
