// Every file of a VM at one instant.
#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "base/timestamp.h"
#include "vm/connection.h"
#include "vm/description.h"
#include "vm/disk_source.h"

namespace sealift::vm {

/// A small file of the VM, read while it stood still.
struct CapturedFile {
  std::string kind;  ///< "firmware-vars", "guest-state", "config", "runtime-state".
  std::string
      name;  ///< "VARS.fd", "tpm2-00.permall", "domain.xml", "domain-active.xml".
  std::filesystem::path path;  ///< On the source; empty for what was no file.
  base::Bytes content;
  std::map<std::string, std::string> attributes;
};

/// A file too big to be held in memory: a managed-save image, which holds the guest's
/// memory in clear. Private to its snapshot, like a CapturedFile.
class LargeFile {
 public:
  virtual ~LargeFile() = default;
  virtual const std::string& kind() const = 0;  ///< "runtime-state".
  virtual const std::string& name() const = 0;  ///< "NAME.save".
  virtual const std::filesystem::path& path() const = 0;
  virtual std::uint64_t size() const = 0;
  /// Fills `bytes` from `offset`, all inside the file. Threads: any.
  /// errors  kIo: also when the file became shorter.
  virtual base::Status read(std::uint64_t offset, std::span<std::byte> bytes) const = 0;
};

/// Of a running VM: which disks are to know what changed since which checkpoint.
struct ChangesWanted {
  std::string since;
  std::set<std::string> targets;
};

enum class GuestAgent {
  kUsed,      ///< Where one listens it freezes the guest's file systems.
  kRequired,  ///< Or there is no snapshot of a running VM.
};

struct CaptureOptions {
  std::optional<std::filesystem::path>
      scratch_directory;  ///< Default: the domain's own.
  /// Checkpoints of ours begin so ("sealift-REPOSITORY-").
  std::string checkpoint_prefix;
  /// The one to make at this instant, on disks that have a place for its bitmap, so
  /// that a later capture can read what changed since; empty: none.
  std::string checkpoint;
  /// Of earlier snapshots that are still there: left alone.
  std::set<std::string> known_checkpoints;
  std::optional<ChangesWanted> changes;
  Missing missing = Missing::kFails;  ///< Of NVRAM and vTPM state.
  GuestAgent agent = GuestAgent::kUsed;
  /// What is started as guard: a program whose main() calls run_as_capture_guard().
  std::filesystem::path guard_program = "/proc/self/exe";
};

/// A VM held still for its snapshot. Whatever happens (an error, a signal, kill -9 of
/// this process), the guest is not left paused, and job, scratch files, socket and
/// checkpoint are removed: by finish() (all but the checkpoint), by the destructor, or
/// by a small guard process that was started before the first step and outlives us.
class Capture {
 public:
  virtual ~Capture() = default;

  virtual base::Timestamp instant() const = 0;
  /// How long the guest stood still, from STOP to RESUME events; zero if it was off.
  virtual std::chrono::milliseconds pause() const = 0;
  virtual const std::vector<CapturedFile>& files() const = 0;
  /// What should be among the files and could not be read. Empty unless recorded.
  virtual const std::vector<MissingPart>& missing() const = 0;
  /// Of a VM with a managed-save image; else none.
  virtual const std::vector<std::unique_ptr<LargeFile>>& large_files() const = 0;
  virtual const std::vector<std::unique_ptr<DiskSource>>& disks() const = 0;
  /// How consistency was reached, for the manifest: "method", "guest_agent", ...
  virtual const std::map<std::string, std::string>& facts() const = 0;
  /// What the operator should know and cost nobody the snapshot.
  virtual std::vector<std::string> warnings() const { return {}; }

  /// Ends every NBD connection, then the job, and removes everything it made. For a
  /// VM that was off: fails if it was started meanwhile. errors  kHypervisor, kIo: what
  /// is left behind is named.
  virtual base::Status finish() = 0;

  /// Whether the checkpoint that was asked for was made. finish() leaves it, for the
  /// snapshot that is written now; without a snapshot it is to be deleted.
  virtual bool has_checkpoint() const = 0;
};

/// The live algorithm of design.md, section 4: freeze the guest's file systems where an
/// agent listens, pause, start a pull-mode backup job with
/// a checkpoint, read NVRAM, vTPM state and definitions, resume, thaw; then the disks
/// are there to be read. Disks with an iothread under a QEMU before 8.2.3 go another
/// way (an external snapshot whose frozen base is read, then committed back).
///
/// errors  kRefused: names what cannot be captured.  kBusy: a job runs on the VM.
///         kHypervisor, kIo; the guest goes on and nothing is left behind.
base::Result<std::unique_ptr<Capture>> capture_running(const Connection& connection,
                                                       const Domain& domain,
                                                       const VmDescription& description,
                                                       const CaptureOptions& options);

/// Reads a VM that is off from its files, without libvirt's help. No lock is taken, so
/// whoever starts the VM is not kept from it; then finish() fails.
///
/// errors  kBusy: the VM runs by now.  kIo: names the file.
base::Result<std::unique_ptr<Capture>> capture_stopped(const Connection& connection,
                                                       const Domain& domain,
                                                       const VmDescription& description,
                                                       const CaptureOptions& options);

/// Ends what an earlier run of ours left behind on this VM (job, scratch files, socket,
/// checkpoint, a paused guest, an overlay to commit); a sentence for each thing
/// removed. Before describe(): an overlay that is committed changes the description.
///
/// errors  kBusy: another run works on the VM.  kHypervisor, kIo.
base::Result<std::vector<std::string>> clean_up_after_earlier_run(
    const Connection& connection, const Domain& domain, const CaptureOptions& options);

/// The guard process: `sealift` calls this first thing in main() and exits with its
/// result when `arguments` are those of a guard started by capture_running().
std::optional<int> run_as_capture_guard(const std::vector<std::string>& arguments);

}  // namespace sealift::vm
