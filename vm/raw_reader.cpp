#include "vm/raw_reader.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>

#include "base/aligned_buffer.h"

namespace sealift::vm {

base::FileDescriptor open_direct(const base::FileDescriptor& file) {
  const std::string opened = "/proc/self/fd/" + std::to_string(file.get());
  return base::FileDescriptor(::open(opened.c_str(), O_RDONLY | O_DIRECT | O_CLOEXEC));
}

base::Result<std::vector<Extent>> RawReader::extents(std::uint64_t offset,
                                                     std::uint64_t size) {
  if (!has_holes_) return std::vector<Extent>{{size, false}};
  const off_t data = ::lseek(file_, static_cast<off_t>(offset), SEEK_DATA);
  if (data < 0 && errno == ENXIO) return std::vector<Extent>{{size, true}};
  if (data < 0) return base::system_error(errno, "cannot list what the disk holds");
  const auto begin = static_cast<std::uint64_t>(data);
  if (begin > offset) {
    return std::vector<Extent>{{std::min(begin - offset, size), true}};
  }
  const off_t hole = ::lseek(file_, data, SEEK_HOLE);
  if (hole < 0) return base::system_error(errno, "cannot list what the disk holds");
  const auto end = static_cast<std::uint64_t>(hole);
  return std::vector<Extent>{{std::min(end - offset, size), false}};
}

base::Status RawReader::read(std::uint64_t offset, std::span<std::byte> bytes) {
  while (!bytes.empty()) {
    // A disk is whole sectors; a file that is not ends in zeros.
    if (offset >= file_size_ && offset < size_) {
      std::ranges::fill(bytes, std::byte{0});
      return base::Done{};
    }
    const bool is_direct = direct_ >= 0 && base::can_be_direct(offset, bytes);
    const ssize_t count = ::pread(is_direct ? direct_ : file_, bytes.data(),
                                  bytes.size(), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EINVAL && is_direct) {
      direct_ = -1;  // A device with larger blocks.
      continue;
    }
    if (count < 0 && errno == EIO) {
      return base::Error(base::ErrorCode::kRefused, "cannot read the disk")
          .because("Input/output error")
          .at("offset", std::to_string(offset));
    }
    if (count < 0) {
      return base::system_error(errno, "cannot read the disk")
          .at("offset", std::to_string(offset));
    }
    if (count == 0) {
      return base::Error(base::ErrorCode::kBusy, "the disk became shorter meanwhile")
          .at("offset", std::to_string(offset))
          .next("run this again when nothing writes to it");
    }
    bytes = bytes.subspan(static_cast<std::size_t>(count));
    offset += static_cast<std::uint64_t>(count);
  }
  return base::Done{};
}

}  // namespace sealift::vm
