// Any bytes, signed by the founder that they name or not, are refused or are a document
// whose id is their SHA-256 and whose parts fit each other.
#include <nlohmann/json.hpp>

#include "archive/repository_document.h"
#include "base/base64.h"

namespace {

namespace archive = sealift::archive;
namespace base = sealift::base;
namespace keyvault = sealift::keyvault;

// The founder is one whose key is here, so that what lies behind its signature is
// reached too.
const keyvault::SigningKey& founder() {
  static const keyvault::SigningKey key =
      keyvault::SigningKey::from_seed(keyvault::Secret::allocate(32).value()).value();
  return key;
}

// `text` with this founder in place of the one that it names.
std::string with_founder(std::string_view text) {
  auto json = base::Json::parse(text, nullptr, false);
  if (!json.is_object()) return std::string(text);
  json["founder"] = base::to_base64(founder().public_key().spki());
  return json.dump(2, ' ', false, base::Json::error_handler_t::replace) + '\n';
}

void check(base::ByteView text) {
  const auto signature = founder().sign(text).value();
  const auto parsed = archive::parse_repository_document(text, signature);
  if (!parsed) return;
  if (parsed->id.hex() != keyvault::sha256(text).hex()) __builtin_trap();
  if (parsed->recipients.empty()) __builtin_trap();
  if (parsed->envelopes.size() != parsed->recipients.size()) __builtin_trap();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const auto text = std::as_bytes(std::span(data, size));
  check(text);
  check(base::as_bytes(with_founder(base::as_text(text))));
  return 0;
}
