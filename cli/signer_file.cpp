#include "cli/signer_file.h"

#include "base/byte_count.h"
#include "base/filesystem.h"

namespace sealift::cli {

base::Result<keyvault::SignerPublicKey> read_signer(const std::string& file) {
  constexpr std::uint64_t kPemLimit = 64 * base::kKiB;
  auto pem = base::read_file(file, kPemLimit);
  if (!pem) return std::move(pem).error().at("file", file);
  auto key = keyvault::SignerPublicKey::parse_pem(pem.value());
  if (!key) return std::move(key).error().at("file", file);
  return key;
}

}  // namespace sealift::cli
