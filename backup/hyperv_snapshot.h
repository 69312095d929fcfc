// One snapshot of one VM of an export, from its files to the durable archive.
#pragma once

#include <stop_token>

#include "backup/exported_keys.h"
#include "backup/hyperv_backup.h"
#include "backup/vm_snapshot.h"
#include "vm/hyperv_export.h"

namespace sealift::backup {

/// What one export is made of; outlives the taking of its snapshots.
struct ExportScene {
  std::filesystem::path folder;
  vm::HypervExport found;
  std::vector<ExportedKey> keys;
  std::string cluster;
  std::string host;
  std::string host_build;  ///< Of the cluster's host; may be empty.
  std::string exported;    ///< When, RFC 3339; may be empty.
};

/// errors  As run_hyperv_backup() reports them per VM; no snapshot is visible.
base::Result<TakenSnapshot> take_hyperv_snapshot(BackupEnvironment& environment,
                                                 const HypervBackupRequest& request,
                                                 const ExportScene& scene,
                                                 const vm::HypervVm& vm,
                                                 const std::stop_token& stop);

}  // namespace sealift::backup
