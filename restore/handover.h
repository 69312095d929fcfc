// What an operator on the target cluster needs beside the files of a Hyper-V VM.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "archive/snapshot_reader.h"
#include "base/strict_json.h"
#include "restore/restore.h"

namespace sealift::restore {

struct HandoverFile {
  std::string path;  ///< Below the folder, with '/'.
  std::string text;
};

struct Handover {
  std::vector<HandoverFile> files;
  base::Json record;  ///< Without the sums of the VM's files.
};

/// The VM's keys, wrapped to the target, where Import-TVMKeys of TvmBackupUtils looks
/// for them; the runbook; and archive::kRestoreRecord.
///
/// errors  kRefused: the VM is not Hyper-V's, or a key of the source is named like the
///         wrapping key.  kWrongKey: target.identity opens no key of the VM.
///         kCorrupt: a key is damaged.
base::Result<Handover> make_handover(const archive::SnapshotReader& reader,
                                     const catalog::Snapshot& snapshot,
                                     const SnapshotPlace& place,
                                     const WrapTarget& target);

/// The text of the record.
///
/// sums  SHA-256 of each of the VM's files as it was restored, hex, by its path.
std::string record_text(const Handover& handover,
                        const std::map<std::string, std::string>& sums);

}  // namespace sealift::restore
