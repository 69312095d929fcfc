#include "archive/added_recipients.h"

#include <algorithm>
#include <set>

#include "keyvault/protection_key.h"

namespace sealift::archive {

base::Result<const std::vector<Envelope>*> AddedRecipients::envelopes_of(
    const std::vector<Envelope>& known, const KeyId& key) {
  const auto found = made_.find(key);
  if (found != made_.end()) return &found->second;
  ASSIGN_OR_RETURN(const keyvault::Secret secret, open_envelope(known, key, identity_));
  std::vector<Envelope> envelopes;
  for (const keyvault::Recipient& recipient : recipients_) {
    ASSIGN_OR_RETURN(Envelope envelope, seal_envelope(secret, recipient));
    envelopes.push_back(std::move(envelope));
  }
  return &made_.emplace(key, std::move(envelopes)).first->second;
}

base::Status AddedRecipients::add_envelopes(VolumeHeader& header) {
  const std::vector<Envelope> known = header.envelopes;
  std::set<KeyId> seen;
  for (const Envelope& envelope : known) {
    if (!seen.insert(envelope.key).second) continue;
    ASSIGN_OR_RETURN(const std::vector<Envelope>* const made,
                     envelopes_of(known, envelope.key));
    for (const Envelope& one : *made) {
      const bool is_there = std::ranges::any_of(known, [&one](const Envelope& other) {
        return other.key == one.key && other.recipient == one.recipient;
      });
      if (!is_there) header.envelopes.push_back(one);
    }
  }
  return base::Done{};
}

base::Result<std::vector<AddedKey>> AddedRecipients::wrap_protection_keys(
    const SnapshotReader& reader) const {
  const auto& entries = reader.manifest().protection_keys;
  std::vector<AddedKey> added;
  bool is_ours = entries.empty();
  for (std::size_t at = 0; at < entries.size(); ++at) {
    const ProtectionKeyEntry& entry = entries[at];
    if (entry.recipient != key_identity_.recipient().id()) continue;
    is_ours = true;
    const std::string& text = reader.protection_keys()[at].second;
    for (const keyvault::Recipient& recipient : recipients_) {
      const auto is_same = [&](const ProtectionKeyEntry& other) {
        return other.recipient == recipient.id() && other.key_name == entry.key_name;
      };
      if (std::ranges::any_of(entries, is_same)) continue;
      auto wrapped =
          keyvault::rewrap_key_json(base::as_bytes(text), key_identity_, recipient, "");
      if (!wrapped) return std::move(wrapped).error().at("member", entry.member);
      added.push_back({entry.member, recipient.id(), std::move(wrapped->json)});
    }
  }
  if (is_ours) return added;
  base::Error error(
      base::ErrorCode::kWrongKey,
      "no protection key of the snapshot is wrapped to this recovery key");
  error.at("recovery key", key_identity_.recipient().id().hex());
  for (const ProtectionKeyEntry& entry : entries) {
    error.next("name the recovery key with the id " + entry.recipient.hex() +
               ": --key-identity KEY.pem");
  }
  return error;
}

}  // namespace sealift::archive
