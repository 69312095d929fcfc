// Any bytes are refused, or are a vTPM state whose payload lies inside them; a proof
// never fails otherwise than parsing does, and is not passed by chance.
#include "vm/swtpm_state.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const auto file = std::as_bytes(std::span(data, size));
  const auto state = sealift::vm::parse_swtpm_state(file);
  if (state && state->payload_size > size) __builtin_trap();
  static const auto key =
      sealift::keyvault::Secret::copy_of(sealift::base::as_bytes("key")).value();
  const auto proof = sealift::vm::prove_key_opens(key, file);
  if (proof || (!state && proof.error().code() != state.error().code())) {
    __builtin_trap();
  }
  return 0;
}
