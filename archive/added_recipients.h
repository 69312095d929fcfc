// Recipients that a snapshot gets when it leaves its repository:
// docs/format/portable.md
#pragma once

#include <map>
#include <vector>

#include "archive/snapshot_reader.h"
#include "archive/volume_header.h"
#include "keyvault/recovery_key.h"

namespace sealift::archive {

/// Wraps what is wrapped to a recovery key that is at hand to further recipients.
class AddedRecipients {
 public:
  /// identity    Opens the archives.  key_identity  The protection keys; often the
  /// same. Both outlive this.
  AddedRecipients(const keyvault::RecoveryKey& identity,
                  const keyvault::RecoveryKey& key_identity,
                  std::vector<keyvault::Recipient> recipients)
      : identity_(identity),
        key_identity_(key_identity),
        recipients_(std::move(recipients)) {}

  const std::vector<keyvault::Recipient>& recipients() const { return recipients_; }

  /// An envelope for each recipient of each content key that `header` has one of.
  /// errors  kWrongKey: the identity opens none of a key's.  kCorrupt.
  base::Status add_envelopes(VolumeHeader& header);

  /// The protection keys of the snapshot, for each recipient that has none yet; empty
  /// if it has no protection key at all.
  /// errors  kWrongKey: none is wrapped to the key identity.  kCorrupt.
  base::Result<std::vector<AddedKey>> wrap_protection_keys(
      const SnapshotReader& reader) const;

 private:
  base::Result<const std::vector<Envelope>*> envelopes_of(
      const std::vector<Envelope>& known, const KeyId& key);

  const keyvault::RecoveryKey& identity_;
  const keyvault::RecoveryKey& key_identity_;
  std::vector<keyvault::Recipient> recipients_;
  std::map<KeyId, std::vector<Envelope>>
      made_;  // One key seals frames in many volumes.
};

}  // namespace sealift::archive
