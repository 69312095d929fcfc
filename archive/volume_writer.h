// Writes the volumes of one archive: frames into segments, segments into volumes.
#pragma once

#include <functional>
#include <mutex>
#include <optional>
#include <span>

#include "archive/frame.h"
#include "archive/volume_file.h"
#include "archive/volume_header.h"

namespace sealift::archive {

struct VolumeWriterParts {
  ObjectStore& store;
  const keyvault::SigningKey& signer;
  VolumeHeader header;  ///< The number is filled in. keys[0] data, keys[1] metadata.
  std::uint64_t volume_size = 0;  ///< A volume that has reached it is finished,
  std::size_t volume_frames = 0;  ///< or has so many frames.
  std::uint32_t chunk_size = 0;   ///< No frame in a segment holds more.
  SealIndex seal_index;
  /// Gets each finished volume but the last, and its entries.
  std::function<void(const ObjectInfo&, std::span<const IndexEntry>)> on_finished;
};

/// Frames lie in a segment in the order in which they are appended. A segment is
/// gathered in memory, so that its size is known before it is written and storage sees
/// bytes in order only.
/// Threads: append() from several; the thread that fills a segment writes it while the
/// others fill the next one. finish() after every append() returned.
class VolumeWriter {
 public:
  explicit VolumeWriter(VolumeWriterParts parts);

  /// errors  kIo: storage refused, now or earlier; nothing more can be written.
  base::Status append(const FrameHeader& header, base::ByteView frame);

  struct Totals {
    std::uint32_t volumes = 0;
    std::uint64_t bytes = 0;  ///< Of all volumes.
  };
  /// The last volume: `make_last` gets its number.
  base::Result<Totals> finish(
      const std::function<base::Result<LastMembers>(std::uint32_t number)>& make_last);

 private:
  enum class After { kSameVolume, kNextVolume };
  After where_next() const;
  base::Status write_segment(std::unique_lock<std::mutex> filling, After after);
  base::Status write_spare(std::uint32_t number);
  base::Status finish_volume(std::uint32_t number,
                             const std::optional<LastMembers>& last);
  std::string header_text(std::uint32_t number) const;

  VolumeWriterParts parts_;

  std::mutex filling_;  ///< Guards the segment being filled, down to entries_.
  base::Bytes segment_;
  std::vector<IndexEntry> segment_entries_;
  std::uint32_t number_ = 1;         ///< Of the volume that the segment goes to,
  std::uint64_t segment_begin_ = 0;  ///< where in it the segment's content will lie,
  std::uint32_t segments_ = 0;       ///< and how many segments and entries it has.
  std::size_t entries_ = 0;

  std::mutex writing_;  ///< Guards what follows. Taken while filling_ is held, never
                        ///< the other way round, so segments are written in order.
  base::Bytes spare_;
  std::vector<IndexEntry> volume_entries_;
  std::optional<VolumeFile> file_;
  std::optional<base::Error> failure_;
  std::uint64_t written_ = 0;  ///< Bytes of finished volumes.
};

}  // namespace sealift::archive
