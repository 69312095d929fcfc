#include "keyvault/source_digest.h"

#include <algorithm>

#include "base/byte_count.h"

namespace sealift::keyvault {

base::Result<std::optional<Sha256Digest>> sha256_of(const base::ByteSource& source,
                                                    const std::stop_token& stop) {
  constexpr std::size_t kReadAtOnce = base::kMiB;
  Sha256 sha;
  base::Bytes buffer(kReadAtOnce);
  for (std::uint64_t at = 0; at < source.size(); at += kReadAtOnce) {
    if (stop.stop_requested()) return std::optional<Sha256Digest>();
    const auto part = std::span(buffer).first(static_cast<std::size_t>(
        std::min<std::uint64_t>(kReadAtOnce, source.size() - at)));
    RETURN_IF_ERROR(source.read(at, part));
    sha.update(part);
  }
  return std::optional(sha.finish());
}

}  // namespace sealift::keyvault
