// Any bytes are refused, or are index entries that are written back to the same bytes
// and lie inside the volume, in order.
#include "archive/frame_index.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace sealift;
  const auto bytes = std::as_bytes(std::span(data, size));
  const std::vector<archive::FrameKey> keys{{}, {{}, true, {}, {}, {}}};
  constexpr std::uint64_t kEnd = 1'000'000;
  const auto entries = archive::decode_index_entries(bytes, {keys, 0, kEnd});
  if (!entries) return 0;
  if (!std::ranges::equal(archive::encode_index_entries(entries.value()), bytes)) {
    __builtin_trap();
  }
  std::uint64_t end = 0;
  for (const auto& entry : entries.value()) {
    if (entry.offset < end || entry.offset + entry.stored_size > kEnd) __builtin_trap();
    end = entry.offset + entry.stored_size;
  }
  return 0;
}
