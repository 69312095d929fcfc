#include "vm/data_runs.h"

#include <algorithm>

#include "base/byte_count.h"

namespace sealift::vm {

namespace {

constexpr std::size_t kSlice = 64 * base::kKiB;

enum class Content { kZeros, kData };

// How many bytes at the front are slices of that content.
std::size_t leading(base::ByteView bytes, Content content) {
  std::size_t size = 0;
  while (size < bytes.size()) {
    const base::ByteView slice =
        bytes.subspan(size, std::min(kSlice, bytes.size() - size));
    if (base::is_all_zero(slice) != (content == Content::kZeros)) break;
    size += slice.size();
  }
  return size;
}

}  // namespace

base::Status for_each_data_run(
    std::uint64_t offset, base::ByteView bytes,
    const std::function<base::Status(std::uint64_t, base::ByteView)>& write) {
  while (!bytes.empty()) {
    const std::size_t zeros = leading(bytes, Content::kZeros);
    offset += zeros;
    bytes = bytes.subspan(zeros);
    const std::size_t data = leading(bytes, Content::kData);
    if (data > 0) RETURN_IF_ERROR(write(offset, bytes.first(data)));
    offset += data;
    bytes = bytes.subspan(data);
  }
  return base::Done{};
}

}  // namespace sealift::vm
