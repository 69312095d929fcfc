// What an operator on the target cluster needs beside the files of a Hyper-V VM.
#pragma once

#include <string>
#include <vector>

#include "archive/snapshot_reader.h"
#include "restore/restore.h"

namespace sealift::restore {

struct HandoverFile {
  std::string path;  ///< Below the folder, with '/'.
  std::string text;
};

/// The VM's keys, wrapped to the target, where Import-TVMKeys of TvmBackupUtils looks
/// for them; sealift-restore.json for scripts/azure-local/Import-SealiftVM.ps1; and
/// RUNBOOK.md.
///
/// errors  kRefused: the VM is not Hyper-V's, or a key of the source is named like the
///         wrapping key.  kWrongKey: target.identity opens no key of the VM.
///         kCorrupt: a key is damaged.
base::Result<std::vector<HandoverFile>> make_handover(
    const archive::SnapshotReader& reader, const catalog::Snapshot& snapshot,
    const archive::RepositoryId& repository, const WrapTarget& target);

}  // namespace sealift::restore
