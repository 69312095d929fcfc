// The signed snapshot text of a last volume. docs/format/snapshot.md.
#pragma once

#include "archive/volume_tail.h"

namespace sealift::archive {

/// Rules S1 to S7 for a tail that has a snapshot.
/// errors  kCorrupt, kUnsupported; place member.
base::Result<SnapshotPart> read_snapshot_part(const VolumeTail& tail,
                                              const VolumeHeader& header,
                                              const Trust& trust);

}  // namespace sealift::archive
