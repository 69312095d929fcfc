// Finds chunks and pages by id, wherever they lie, and opens them.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "archive/frame_keys.h"
#include "archive/frame_opener.h"
#include "archive/frame_scan.h"
#include "archive/snapshot_reader.h"
#include "archive/volume_set.h"

namespace sealift::archive {

/// What is wanted; the id key is the private one for private data.
struct WantedChunk {
  FrameKind kind = FrameKind::kData;
  IdScope scope = IdScope::kShared;
  ChunkId id;
  std::optional<std::uint32_t> plain_size = {};  ///< Of a chunk.
};

/// Whether a frame can lie there at all: what says otherwise is not even looked at.
bool can_be_place(const ChunkLocation& location);

/// The states that opening needs; each thread its own.
struct OpeningState {
  FrameOpener opener;
  keyvault::HmacSha256 shared_ids;
  std::optional<keyvault::HmacSha256> private_ids;
  std::map<std::pair<KeyId, FrameKind>, FrameCipher> ciphers;
  base::Bytes frame;
};

/// Threads: any, each with its own OpeningState.
class FrameSource {
 public:
  /// What is given by reference outlives this.
  FrameSource(const ObjectReader& store, const ChunkLocator& locator,
              VolumeSet& volumes, FrameKeys& keys)
      : store_(&store),
        locator_(&locator),
        volumes_(&volumes),
        keys_(&keys),
        scan_(store, volumes) {}

  /// The plaintext, from the first location that gives it whole. Where no location
  /// holds a frame of that id, they lied, and the volumes are looked through. Valid
  /// until the state is used again.
  /// errors  kCorrupt: none does; the error is that of the first location.  kWrongKey.
  ///         kIo.
  base::Result<base::ByteView> open(const WantedChunk& wanted,
                                    OpeningState& state) const;

  /// The same for a frame that was read already, at a place of `volume`, into `plain`,
  /// of the size wanted.
  /// errors  it is not what is wanted, or its key is not to be had: open() tells why.
  base::Status open_read(const WantedChunk& wanted, base::ByteView frame,
                         const std::string& volume, OpeningState& state,
                         std::span<std::byte> plain) const;

  /// Where it is said to lie; where it does, if nothing is said.
  base::Result<std::vector<ChunkLocation>> locate(const ChunkId& id) const;

 private:
  /// Reads what lies there: whether it is the frame that is wanted.
  base::Result<FrameHeader> look_at(const WantedChunk& wanted,
                                    const ChunkLocation& location,
                                    OpeningState& state) const;
  /// Opens what look_at() has read.
  base::Result<base::ByteView> open_at(const WantedChunk& wanted,
                                       const ChunkLocation& location,
                                       const FrameHeader& header,
                                       OpeningState& state) const;
  base::Result<FrameCipher*> cipher_for(const FrameHeader& header,
                                        const std::string& volume,
                                        OpeningState& state) const;

  const ObjectReader* store_;
  const ChunkLocator* locator_;
  VolumeSet* volumes_;
  FrameKeys* keys_;
  FrameScan scan_;
};

}  // namespace sealift::archive
