#include "archive/trust.h"

#include <algorithm>

#include "archive/rule.h"

namespace sealift::archive {

std::string_view role_name(Role role) {
  return role == Role::kKeeper ? "keeper" : "writer";
}

const KnownSigner* Trust::lookup(const SignerId& signer) const noexcept {
  const auto found = std::ranges::find_if(
      signers_, [&](const KnownSigner& known) { return known.key.id() == signer; });
  return found == signers_.end() ? nullptr : &*found;
}

base::Result<const KnownSigner*> Trust::find(const SignerId& signer,
                                             base::Timestamp when) const {
  const KnownSigner* known = lookup(signer);
  if (known == nullptr) {
    return broken("R9", "no keeper of this repository enrolled this signer")
        .at("signer", signer.hex())
        .next(
            "compare the id with what `sealift keyvault export-signer` gives on the "
            "host that wrote it; enrol that host by running there `sealift repo "
            "join --identity KEY.pem`, or believe it here with `sealift keyvault trust "
            "NAME "
            "SIGNER.pub.pem`");
  }
  if (known->revoked_since && when >= *known->revoked_since) {
    return broken("R13", "this signer was revoked before it wrote this")
        .at("signer", signer.hex())
        .at("revoked since", known->revoked_since->text())
        .at("written", when.text())
        .next("see who may write, and since when, with `sealift repo show`");
  }
  return known;
}

base::Result<const KnownSigner*> Trust::verify(base::ByteView message,
                                               base::ByteView signature) const {
  for (const KnownSigner& known : signers_) {
    if (known.key.verify(message, signature)) return &known;
  }
  return base::Error(base::ErrorCode::kCorrupt,
                     "none of the known signers made this signature")
      .next("see whom this repository trusts with `sealift repo show`");
}

}  // namespace sealift::archive
