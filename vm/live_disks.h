// The disks of a VM that runs, and those of its stored definition.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace sealift::vm {

/// A stored definition whose disks are those of the running VM, and where they
/// differed.
struct LiveDisks {
  std::string xml;
  std::vector<std::string> only_live;    ///< Targets; added to the definition.
  std::vector<std::string> only_stored;  ///< Targets; taken from the definition.
};

/// A snapshot holds the disks that the VM ran with. One that was attached with
/// `--live`, or detached with `--config`, is not in the stored definition; one attached
/// with `--config` waits for the next start and is not in the snapshot.
///
/// active_xml  Of the running VM; empty: it was off, and nothing differs.
/// errors  kCorrupt: not a domain's XML.
base::Result<LiveDisks> with_live_disks(const std::string& inactive_xml,
                                        const std::string& active_xml);

/// "disk vdb: attached to the running VM only, not in its definition", ...
std::vector<std::string> words_of(const LiveDisks& disks);

}  // namespace sealift::vm
