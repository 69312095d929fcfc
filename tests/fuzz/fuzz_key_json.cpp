// Any bytes are refused, or are a key JSON that reads the same after it is written in
// its one form.
#include "base/strict_json.h"
#include "keyvault/base64url.h"
#include "keyvault/protection_key.h"

namespace {

namespace base = sealift::base;
namespace keyvault = sealift::keyvault;

std::string written(const keyvault::KeyJson& key) {
  base::Json info;
  info["key-name"] = key.wrapping_key_name;
  info["public-key"] = keyvault::to_base64url(key.wrapping_key_pkcs1);
  info["enc"] = key.encoding;
  base::Json object;
  object["public-key"] = "";
  object["private-key"] = keyvault::to_base64url(key.wrapped);
  object["private-key-wrapping-info"] = std::move(info);
  return object.dump();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const auto key = keyvault::parse_key_json(std::as_bytes(std::span(data, size)));
  if (!key) return 0;
  if (key->wrapped.empty()) __builtin_trap();
  const auto again = keyvault::parse_key_json(base::as_bytes(written(key.value())));
  if (!again || again->encoding != key->encoding ||
      again->wrapping_key_name != key->wrapping_key_name ||
      again->wrapping_key_pkcs1 != key->wrapping_key_pkcs1 ||
      again->wrapped != key->wrapped) {
    __builtin_trap();
  }
  return 0;
}
