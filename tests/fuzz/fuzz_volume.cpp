// Any bytes are refused as a volume: none of them is signed by anyone who is trusted. A
// footer that is read, and sums and header.json that are, are written back to the same.
#include "archive/footer.h"
#include "archive/sums.h"
#include "archive/volume_header.h"
#include "tests/support/memory_object_store.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace sealift;
  const auto bytes = std::as_bytes(std::span(data, size));
  support::MemoryObjectStore store;
  const std::string name = archive::volume_name({}, 1);
  store.objects[name].assign(bytes.begin(), bytes.end());
  if (archive::open_volume(store, {name, size}, {}, archive::Trust())) __builtin_trap();

  if (bytes.size() >= archive::kFooterSize) {
    const auto end = bytes.last(archive::kFooterSize);
    const auto footer = archive::decode_footer(end, base::read_be64(end, 16));
    if (footer && !std::ranges::equal(archive::encode(footer.value()), end)) {
      __builtin_trap();
    }
  }
  const auto sums = archive::parse_sums(bytes, {"index"});
  if (sums && archive::to_sums_text(sums.value()) != base::as_text(bytes)) {
    __builtin_trap();
  }
  const auto header = archive::parse_volume_header(bytes);
  if (header) {
    const std::string text = archive::to_json_text(header.value());
    const auto again = archive::parse_volume_header(base::as_bytes(text));
    if (!again || archive::to_json_text(again.value()) != text) __builtin_trap();
  }
  return 0;
}
