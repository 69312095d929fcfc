// Writes a snapshot into files that leave the repository. docs/format/portable.md
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <stop_token>
#include <vector>

#include "archive/added_recipients.h"
#include "archive/snapshot_reader.h"
#include "base/filesystem.h"
#include "keyvault/signer.h"

namespace sealift::archive {

/// The smallest of PortableRequest::volume_size: room for the tail and some frames.
constexpr std::uint64_t kMinPortableSize = std::uint64_t{16} * 1024 * 1024;

struct PortableRequest {
  /// A new file "NAME.tar"; of several volumes "NAME-0001.tar", "NAME-0002.tar", …
  std::filesystem::path out;
  /// No file is larger; at least kMinPortableSize. None: one file, if format 1 allows.
  std::optional<std::uint64_t> volume_size;
  /// Who can open the volumes that belong to no archive of the repository.
  std::vector<keyvault::Recipient> recipients;
  /// Who gets to open what those can; may be null. Outlives the writing.
  AddedRecipients* added = nullptr;
  base::Timestamp created;
};

/// What a snapshot is copied from. All of it outlives the copying.
struct PortableSource {
  VolumeSource volumes;
  const SnapshotReader& reader;
  const Volume& last_volume;  ///< The one with the snapshot.
  const RepositoryKeys& keys;
};

struct PortableFile {
  std::filesystem::path path;
  std::uint64_t size = 0;
};

/// Copies every frame that the snapshot needs, verbatim, after the segment it lies in
/// was held against its signed sum; opens none, and needs no recovery key.
/// told    Hears how many bytes of frames of how many are copied; may be null.
/// return  In the order written; the last one has the snapshot.
/// errors  kRefused: a file of that name is there; a volume size that cannot be.
///         kCorrupt: a volume, or a place that the index gives.  kIo.  kInterrupted.
///         As AddedRecipients.
///         Nothing is left of the files then.
base::Result<std::vector<PortableFile>> write_portable(
    const PortableSource& source, const PortableRequest& request,
    const keyvault::SigningKey& signer, base::Filesystem& filesystem,
    const std::function<void(std::uint64_t done, std::uint64_t all)>& told,
    const std::stop_token& stop);

}  // namespace sealift::archive
