// Any bytes are refused, or are a record that is written back to the same bytes.
#include "archive/record.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const auto text = std::as_bytes(std::span(data, size));
  const auto record = sealift::archive::parse_record(text);
  if (!record) return 0;
  if (to_text(record.value()) != sealift::base::as_text(text)) __builtin_trap();
  if (record->sequence == 0 || record->kind.empty()) __builtin_trap();
  return 0;
}
