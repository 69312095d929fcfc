// What a cluster says of its VMs, held against what is there.
#pragma once

#include "backup/export_document.h"
#include "backup/hyperv_checks.h"

namespace sealift::backup {

/// The VMs that an export says it holds, against its folder: one without configuration
/// or key is an alarm (HypervOutcome::has_leftovers), and one that it does not know is
/// named.
/// return  Whether all is there that it says.
bool note_said_vms(const ExportDocument& document, const ExportScene& scene,
                   HypervOutcome& outcome);

/// The newest inventory of each cluster in the inbox, against the repository. Said at
/// every run, whether an export is new or not: a Trusted Launch VM without a key in its
/// key vault, or without a snapshot, is an alarm.
void note_inventories(const std::filesystem::path& inbox,
                      const catalog::Catalog& catalog, HypervOutcome& outcome);

}  // namespace sealift::backup
