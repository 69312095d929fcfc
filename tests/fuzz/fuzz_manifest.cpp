// Any bytes are refused, or are a manifest that keeps its limits and means the same
// when it is written and read again.
#include "archive/manifest_text.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace sealift;
  const auto parsed = archive::parse_manifest(std::as_bytes(std::span(data, size)));
  if (!parsed) return 0;
  if (!archive::check_manifest(parsed->manifest)) __builtin_trap();
  const auto key = parsed->id_key.view();
  const std::string text = archive::to_json_text(parsed->manifest, key);
  const auto again = archive::parse_manifest(base::as_bytes(text));
  if (!again || archive::to_json_text(again->manifest, key) != text) __builtin_trap();
  return 0;
}
