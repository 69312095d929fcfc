// Key material in memory: the one type that holds it.
#pragma once

#include "base/bytes.h"
#include "base/result.h"

namespace sealift::keyvault {

/// Bytes that must not leak. They lie in their own pages, which are excluded from core
/// dumps (MADV_DONTDUMP), emptied in a forked child (MADV_WIPEONFORK), locked out of
/// swap where RLIMIT_MEMLOCK allows, and wiped before they are given back.
/// Moved, never copied; no comparison, no stream operator, no text view.
class Secret {
 public:
  Secret() = default;  ///< Holds nothing; size() is 0.
  Secret(Secret&& other) noexcept;
  Secret& operator=(Secret&& other) noexcept;
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
  ~Secret();

  /// `size` zero bytes, 0 to 1 MiB.
  /// errors  kIo: there is no memory.
  static base::Result<Secret> allocate(std::size_t size);

  /// errors  as allocate(). The caller wipes `bytes` if they are its own.
  static base::Result<Secret> copy_of(base::ByteView bytes);

  /// `size` bytes from getrandom(2).
  static base::Result<Secret> random(std::size_t size);

  base::ByteView view() const noexcept { return {data_, size_}; }
  std::span<std::byte> writable() noexcept { return {data_, size_}; }
  std::size_t size() const noexcept { return size_; }

  /// Forgets the bytes after `size`, wiping them. `size` <= size().
  void shrink(std::size_t size) noexcept;

 private:
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t mapped_ = 0;
};

/// Whether `a` and `b` hold the same bytes, in time that depends on their sizes alone.
bool is_same(base::ByteView a, base::ByteView b);

/// Overwrites plaintext that no longer matters, in a way that no compiler leaves out.
void wipe(std::span<std::byte> bytes);

/// Fills `bytes` from getrandom(2).
base::Status fill_random(std::span<std::byte> bytes);

/// Makes this process keep its memory to itself: no core file (RLIMIT_CORE 0), not
/// traceable or dumpable (PR_SET_DUMPABLE 0), OpenSSL's private numbers in its secure
/// heap. Called once, first thing in main().
base::Status harden_process();

}  // namespace sealift::keyvault
