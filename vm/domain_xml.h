// What a domain's XML alone says of a VM.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "vm/description.h"

namespace sealift::vm {

/// A disk whose place is a volume of a storage pool, by the disk's target.
struct PoolVolume {
  std::string pool;
  std::string volume;
};

struct DomainFacts {
  /// Disks without size, and without a path where `volumes` has it; `backing` holds
  /// what a live XML says of the chain.
  VmDescription vm;
  std::map<std::string, PoolVolume> volumes;
};

/// `xml`  A domain's XML with security information, live where it runs.
/// `missing`  kRecorded: a disk that cannot be carried is in `unread_disks`.
///
/// errors  kRefused: something that cannot be carried; names the element.  kCorrupt:
///         not a domain's XML.
base::Result<DomainFacts> read_domain_xml(const std::string& xml,
                                          Missing missing = Missing::kFails);

}  // namespace sealift::vm
