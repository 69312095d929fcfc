#include "keyvault/secret.h"

#include <openssl/crypto.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <utility>

namespace sealift::keyvault {

namespace {

constexpr std::size_t kSizeLimit = std::size_t{1024} * 1024;

std::size_t whole_pages(std::size_t size) {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return (size + page - 1) / page * page;
}

}  // namespace

Secret::Secret(Secret&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      mapped_(std::exchange(other.mapped_, 0)) {}

Secret& Secret::operator=(Secret&& other) noexcept {
  // What this held is wiped now, not when `other` dies.
  Secret moved(std::move(other));
  std::swap(data_, moved.data_);
  std::swap(size_, moved.size_);
  std::swap(mapped_, moved.mapped_);
  return *this;
}

Secret::~Secret() {
  if (data_ == nullptr) return;
  OPENSSL_cleanse(data_, mapped_);
  static_cast<void>(::munmap(data_, mapped_));
}

base::Result<Secret> Secret::allocate(std::size_t size) {
  assert(size <= kSizeLimit);
  Secret secret;
  if (size == 0) return secret;
  const std::size_t mapped = whole_pages(size);
  void* pages = ::mmap(nullptr, mapped, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) {
    return base::system_error(errno, "cannot set memory aside for a key");
  }
  secret.data_ = static_cast<std::byte*>(pages);
  secret.mapped_ = mapped;
  secret.size_ = size;
  if (::madvise(pages, mapped, MADV_DONTDUMP) != 0 ||
      ::madvise(pages, mapped, MADV_WIPEONFORK) != 0) {
    return base::system_error(errno, "cannot protect the memory of a key");
  }
  // Out of swap where the limit allows; a low RLIMIT_MEMLOCK must not stop a restore.
  static_cast<void>(::mlock(pages, mapped));
  return secret;
}

base::Result<Secret> Secret::copy_of(base::ByteView bytes) {
  ASSIGN_OR_RETURN(Secret secret, allocate(bytes.size()));
  std::ranges::copy(bytes, secret.writable().begin());
  return secret;
}

base::Result<Secret> Secret::random(std::size_t size) {
  ASSIGN_OR_RETURN(Secret secret, allocate(size));
  RETURN_IF_ERROR(fill_random(secret.writable()));
  return secret;
}

void Secret::shrink(std::size_t size) noexcept {
  assert(size <= size_);
  if (size < size_) OPENSSL_cleanse(data_ + size, size_ - size);
  size_ = size;
}

bool is_same(base::ByteView a, base::ByteView b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

void wipe(std::span<std::byte> bytes) { OPENSSL_cleanse(bytes.data(), bytes.size()); }

base::Status fill_random(std::span<std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::getrandom(bytes.data(), bytes.size(), 0);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return base::system_error(errno, "cannot draw random bytes");
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
  return base::Done{};
}

}  // namespace sealift::keyvault
