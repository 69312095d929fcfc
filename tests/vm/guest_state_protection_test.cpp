#include "vm/guest_state_protection.h"

#include <string>

#include "tests/support/catch.h"

namespace sealift::vm {

namespace {

Vmgs protected_by(VmgsProtection protection) {
  Vmgs state;
  state.protection = protection;
  return state;
}

}  // namespace

TEST_CASE("which guest states need their VM's key is one answer", "[vm]") {
  struct Case {
    const char* word;
    bool needs_key;
  };
  for (const Case& one :
       {Case{"absent", false}, Case{"empty", false}, Case{"none", false},
        Case{"GspById", false}, Case{"GspKey", true}, Case{"unknown", true}}) {
    CAPTURE(one.word);
    const GuestStateProtection protection = protection_called(one.word);
    CHECK(std::string(word_for(protection)) == one.word);
    CHECK(needs_key(protection) == one.needs_key);
  }
  // Of a word that a newer version wrote nobody can say that it needs none.
  CHECK(needs_key(protection_called("GspByMagic")));
}

TEST_CASE("what protects a .vmgs", "[vm]") {
  CHECK(protection_of(protected_by(VmgsProtection::kNone)) ==
        GuestStateProtection::kNone);
  CHECK(protection_of(protected_by(VmgsProtection::kGspKey)) ==
        GuestStateProtection::kGspKey);
  CHECK(protection_of(protected_by(VmgsProtection::kGspById)) ==
        GuestStateProtection::kGspById);
  CHECK(protection_of(protected_by(VmgsProtection::kUnknown)) ==
        GuestStateProtection::kUnknown);
  Vmgs empty = protected_by(VmgsProtection::kNone);
  empty.is_empty = true;
  CHECK(protection_of(empty) == GuestStateProtection::kEmpty);
}

}  // namespace sealift::vm
