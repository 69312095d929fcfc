#include "vm/guest_state_protection.h"

#include <algorithm>
#include <array>
#include <utility>

namespace sealift::vm {

namespace {

using enum GuestStateProtection;

constexpr std::array<std::pair<GuestStateProtection, const char*>, 6> kWords{
    {{kAbsent, "absent"},
     {kEmpty, "empty"},
     {kNone, "none"},
     {kGspKey, "GspKey"},
     {kGspById, "GspById"},
     {kUnknown, "unknown"}}};

}  // namespace

GuestStateProtection protection_of(const Vmgs& state) {
  if (state.is_empty) return kEmpty;
  switch (state.protection) {
    case VmgsProtection::kNone:
      return kNone;
    case VmgsProtection::kGspKey:
      return kGspKey;
    case VmgsProtection::kGspById:
      return kGspById;
    case VmgsProtection::kUnknown:
      break;
  }
  return kUnknown;
}

const char* word_for(GuestStateProtection protection) {
  const auto* const found = std::ranges::find(
      kWords, protection, [](const auto& word) { return word.first; });
  return found == kWords.end() ? "unknown" : found->second;
}

GuestStateProtection protection_called(std::string_view word) {
  const auto* const found =
      std::ranges::find(kWords, word, [](const auto& one) { return one.second; });
  return found == kWords.end() ? kUnknown : found->first;
}

bool needs_key(GuestStateProtection protection) {
  return protection == kGspKey || protection == kUnknown;
}

}  // namespace sealift::vm
