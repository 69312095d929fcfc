// A key wrapped to one recipient.
#pragma once

#include <string>
#include <vector>

#include "archive/ids.h"
#include "base/strict_json.h"
#include "keyvault/secret.h"

namespace sealift::archive {

/// RSA-OAEP-256 of a 32-byte key. Valid wherever it lies, because the key id certifies
/// the key. docs/format/envelope.md.
struct Envelope {
  KeyId key;
  RecipientId recipient;
  std::string algorithm;  ///< "RSA-OAEP-256".
  base::Bytes wrapped;
};

base::Result<Envelope> seal_envelope(const keyvault::Secret& key,
                                     const keyvault::Recipient& recipient);

/// The 32-byte key in the first of `envelopes` for `identity`, its id recomputed.
/// errors  kWrongKey: none of them is for this identity (the error names the recipients
///         that are), or it does not open.  kCorrupt: the key id differs.
base::Result<keyvault::Secret> open_envelope(const std::vector<Envelope>& envelopes,
                                             const KeyId& key,
                                             const keyvault::RecoveryKey& identity);

base::Json to_json(const Envelope& envelope);
/// errors  kCorrupt.
base::Result<Envelope> parse_envelope(const base::Json& json);

}  // namespace sealift::archive
