// Any bytes are refused, or are a value that reads the same after it is written.
#include "base/bytes.h"
#include "base/strict_json.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  namespace base = sealift::base;
  const auto bytes = std::as_bytes(std::span(data, size));
  const auto value = base::parse_strict_json(base::as_text(bytes));
  if (!value) return 0;
  const auto again = base::parse_strict_json(value->dump());
  if (!again || again.value() != value.value()) __builtin_trap();
  return 0;
}
