// The end and the beginning of a volume, read and checked; nothing parsed that was not
// signed. docs/format/volume.md, section 5.
#pragma once

#include <string>
#include <vector>

#include "archive/footer.h"
#include "archive/sums.h"
#include "archive/volume_header.h"

namespace sealift::archive {

/// Everything but the segments, and the sums of these.
struct VolumeTail {
  Footer footer;
  SignerId signer;              ///< Whose signature fits.
  std::vector<MemberSum> sums;  ///< Every member before SHA256SUMS, in order.
  base::Bytes bytes;            ///< From footer.tail up to the footer.

  /// The content of a member of the tail that is there.
  base::ByteView content(std::string_view name) const;
};

/// Rules V1 to V8 for the tail. errors  kCorrupt, kUnsupported, what the store says.
base::Result<VolumeTail> read_volume_tail(const ObjectReader& store,
                                          const ObjectInfo& object, const Trust& trust);

/// Rules V6, V8, V9, V11 and V12 for header.json of a file whose name says nothing.
base::Result<VolumeHeader> read_unnamed_header(const ObjectReader& store,
                                               const std::string& name,
                                               const VolumeTail& tail,
                                               const Trust& trust);

/// The same, and rule V10: it is the volume that `name` says, of `repository`.
base::Result<VolumeHeader> read_volume_header(const ObjectReader& store,
                                              const std::string& name,
                                              const VolumeTail& tail,
                                              const RepositoryId& repository,
                                              const Trust& trust);

}  // namespace sealift::archive
