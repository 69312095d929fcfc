#include "keyvault/pem.h"

#include <openssl/pem.h>

#include "keyvault/openssl_handle.h"

namespace sealift::keyvault {

namespace {

constexpr std::size_t kTextLimit = std::size_t{1024} * 1024;

// What PEM_read_bio_ex() hands out, wiped and given back.
struct RawBlock {
  RawBlock() = default;
  RawBlock(const RawBlock&) = delete;
  RawBlock& operator=(const RawBlock&) = delete;
  ~RawBlock() {
    OPENSSL_secure_free(label);
    OPENSSL_secure_free(header);
    OPENSSL_secure_clear_free(data, static_cast<std::size_t>(size));
  }

  bool read(BIO* text) {
    const bool is_there =
        PEM_read_bio_ex(text, &label, &header, &data, &size, PEM_FLAG_SECURE) == 1;
    ERR_clear_error();
    return is_there;
  }

  [[nodiscard]] base::ByteView der() const {
    return std::as_bytes(std::span(data, static_cast<std::size_t>(size)));
  }

  char* label = nullptr;
  char* header = nullptr;
  unsigned char* data = nullptr;
  long size = 0;
};

}  // namespace

base::Result<PemBlock> read_pem(base::ByteView text) {
  const Stream stream(
      text.size() > kTextLimit
          ? nullptr
          : BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  RawBlock found;
  if (!stream || !found.read(stream.get())) {
    return base::Error(base::ErrorCode::kUsage, "the text is not a PEM key");
  }
  if (RawBlock second; second.read(stream.get())) {
    return base::Error(base::ErrorCode::kUsage, "the text holds more than one PEM key");
  }
  PemBlock block{found.label, found.header, {}};
  ASSIGN_OR_RETURN(block.der, Secret::copy_of(found.der()));
  return block;
}

std::string write_pem(const char* label, base::ByteView der) {
  const Stream stream(BIO_new(BIO_s_mem()));
  require(stream != nullptr ? 1 : 0);
  const int size = PEM_write_bio(stream.get(), label, "",
                                 reinterpret_cast<const unsigned char*>(der.data()),
                                 static_cast<long>(der.size()));
  char* text = nullptr;
  require(size > 0 && BIO_get_mem_data(stream.get(), &text) > 0 ? 1 : 0);
  return {text, static_cast<std::size_t>(BIO_get_mem_data(stream.get(), &text))};
}

}  // namespace sealift::keyvault
