// Which frames go into which volume of a portable archive.
#pragma once

#include <stop_token>
#include <vector>

#include "archive/snapshot_reader.h"
#include "archive/volume.h"

namespace sealift::archive {

/// A frame that is needed, where it lies now. 24 bytes, as a disk has millions.
struct FramePlace {
  std::uint64_t offset = 0;
  std::uint64_t id_head = 0;  ///< id_head_of() it.
  std::uint32_t size = 0;     ///< The whole frame.
  std::uint32_t volume = 0;   ///< In NeededFrames::volumes.
};

/// Every frame of a snapshot once, volume by volume, by offset.
struct NeededFrames {
  std::vector<Volume> volumes;  ///< Without index and snapshot.
  std::vector<FramePlace> places;
  std::uint64_t bytes = 0;  ///< Of all frames.
};

/// errors  kCorrupt: a frame has no place, or its volume is not believed.
///         kInterrupted.
base::Result<NeededFrames> find_needed(const VolumeSource& source,
                                       const SnapshotReader& reader,
                                       const std::stop_token& stop);

/// What one volume gets: frames, and the volumes whose keys seal them.
struct VolumePlan {
  std::size_t begin = 0;  ///< In NeededFrames::places.
  std::size_t end = 0;
  std::vector<std::uint32_t> sources;  ///< In NeededFrames::volumes, ascending.
};

/// What a volume has room for.
struct VolumeRoom {
  std::uint64_t bytes = 0;   ///< For frames, what each takes besides, and headers.
  std::uint64_t header = 0;  ///< For what header.json says of keys.
  std::size_t frames = 0;
  std::size_t keys = 0;
  std::size_t envelopes = 0;
  std::size_t added = 0;  ///< Recipients that each content key gets besides.
};

/// At least one plan; the last is that of the volume with the snapshot, which may get
/// no frame. Every volume has the same room: the caller has left some for the tail.
/// errors  kRefused: one frame, or the keys of one volume, do not fit.
base::Result<std::vector<VolumePlan>> plan_volumes(const NeededFrames& needed,
                                                   const VolumeRoom& room);

/// What `volume` adds to header.json when a frame of it is there, with so many `added`
/// recipients; never too little.
std::uint64_t header_cost_of(const Volume& volume, std::size_t added);

/// The envelopes in it then; never too few.
std::size_t envelopes_of(const Volume& volume, std::size_t added);

/// What a frame takes in a volume, with its entry in the index and its share of a
/// segment's blocks and sum; never too little.
std::uint64_t cost_of(const FramePlace& place);

}  // namespace sealift::archive
