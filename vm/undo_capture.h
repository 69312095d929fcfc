// Undoing what a capture did to a VM.
#pragma once

#include <string>
#include <vector>

#include "vm/capture_traces.h"
#include "vm/connection.h"

namespace sealift::vm {

/// The socket of the pull-mode backup job that runs on `domain`; empty: none runs.
/// errors  kHypervisor.
base::Result<std::string> find_backup_socket(const Domain& domain);

/// Whether some job (backup, migration, save) runs on `domain`. errors  kHypervisor.
base::Result<bool> is_job_running(const Domain& domain);

/// Ends the job whose disks QEMU serves at `socket`, once nobody is connected there any
/// more, and waits for its end. The caller's connections must have ended, or be read by
/// somebody until they do. errors  kHypervisor.
base::Status end_backup_job(const Domain& domain, const std::filesystem::path& socket);

/// Continues a VM that stands still; one that runs or is off is no error.
base::Status resume_if_paused(const Domain& domain);

/// Deletes a checkpoint and its bitmaps, also of a VM that is off or whose bitmap was
/// lost with its QEMU; one that is not there is no error. errors  kHypervisor, kIo.
base::Status delete_checkpoint(const Domain& domain, const std::string& name);

/// Removes a file if it is there. errors  kIo.
base::Status remove_if_there(const std::filesystem::path& path);

/// Has the guest's agent let the file systems go on that we had it freeze.
/// errors  kHypervisor: it does not answer.  kIo: the mark of it stays.
base::Status undo_freeze(const Domain& domain, const CaptureTraces& traces);

/// Undoes everything in `traces`, what hurts the guest first, and goes on after a
/// failure. Only the job with our socket is ended.
///
/// return  What failed, one error each; empty: nothing of ours is left.
std::vector<base::Error> undo_capture(const Domain& domain,
                                      const CaptureTraces& traces);

}  // namespace sealift::vm
