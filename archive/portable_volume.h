// One volume of a portable archive being written: frames as they are, and an index.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "archive/frame_sealer.h"
#include "archive/volume_file.h"
#include "archive/volume_header.h"
#include "base/filesystem.h"

namespace sealift::archive {

/// header.json with keys and envelopes of several volumes, each once.
struct PortableHeader {
  VolumeHeader text;

  void add(const Volume& volume);
};

/// Seals the index of a volume under the metadata key of its archive.
class IndexSealer {
 public:
  /// Of an archive that is drawn for the export. What is given outlives the sealer.
  static base::Result<std::unique_ptr<IndexSealer>> of_new(const ArchiveKeys& keys,
                                                           FrameCounter& counter,
                                                           const RepositoryKeys& ids);

  /// Of an archive whose writer counted from 0 and is done: the counters are drawn from
  /// the other half of all (docs/format/frame.md, section 3).
  static base::Result<std::unique_ptr<IndexSealer>> of_finished(
      const Volume& volume, const RepositoryKeys& keys);

  base::Result<base::Bytes> seal(base::ByteView plain);

 private:
  IndexSealer() = default;
  ArchiveKeys own_keys_;  ///< Of of_finished(); data and private id key are nobody's.
  std::unique_ptr<FrameCounter> own_counter_;
  std::unique_ptr<FrameSealer> sealer_;
};

/// Nothing is visible before finish(). One thread at a time.
class PortableVolume {
 public:
  /// errors  kNotFound: the folder is not there.  kIo.
  static base::Result<PortableVolume> begin(base::Filesystem& filesystem,
                                            const std::filesystem::path& path,
                                            const PortableHeader& header);

  /// errors  kCorrupt: F10, the header names no such key.  kIo.
  base::Status append(const FrameHeader& header, base::ByteView frame);

  /// return  its size. errors  kBusy: there is a file of that name.  kIo.
  base::Result<std::uint64_t> finish(IndexSealer& sealer,
                                     const std::optional<LastMembers>& last,
                                     const keyvault::SigningKey& signer);

 private:
  PortableVolume(VolumeFile file, const VolumeHeader& header, std::size_t header_size);
  base::Status write_segment();

  VolumeFile file_;
  std::map<KeyId, std::uint32_t> positions_;  ///< Of keys in header.json.
  std::uint64_t segment_begin_ = 0;
  base::Bytes segment_;
  std::vector<IndexEntry> entries_;
};

}  // namespace sealift::archive
