// Any bytes are refused, or are a page that is written back to the same bytes. The
// first two bytes say which page is expected.
#include "archive/limits.h"
#include "archive/page.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace sealift;
  if (size < 2) return 0;
  const auto bytes = std::as_bytes(std::span(data, size)).subspan(2);
  const std::uint32_t level = data[0] % 6U;
  const std::uint32_t ids = data[1] % archive::kPageFanOut + 1;
  const auto page = archive::decode_page(bytes, level, ids);
  if (!page) return 0;
  if (!std::ranges::equal(archive::encode(page.value()), bytes)) __builtin_trap();
  if (page->ids.size() != ids || page->level != level) __builtin_trap();
  return 0;
}
