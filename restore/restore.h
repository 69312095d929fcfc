// Brings VMs back: first a plan, then a transaction.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "catalog/catalog.h"
#include "keyvault/recovery_key.h"
#include "restore/key_identity.h"
#include "restore/snapshot_contents.h"
#include "vm/connection.h"

namespace sealift::restore {

/// All of it outlives what is made with it.
struct RestoreEnvironment {
  SnapshotPlace place;
  const keyvault::RecoveryKey& identity;
  /// Null for a restore to a folder.
  const vm::Connection* connection = nullptr;
  std::function<void(const std::string& words)> progress;
};

enum class AfterRestore { kLeaveOff, kStart };

/// When the content of the volumes is held against their signed sums.
enum class BytesChecked {
  kWhenRead,  ///< By the run, which undoes itself where one does not fit.
  kFirst,     ///< For a plan that is not going to run.
};

struct RestoreRequest {
  catalog::Snapshot snapshot;
  std::optional<std::filesystem::path> storage_directory;  ///< --storage-dir
  std::set<std::string> allowed_elements;                  ///< --allow-element
  AfterRestore after = AfterRestore::kLeaveOff;
  BytesChecked bytes = BytesChecked::kWhenRead;
};

enum class CheckState { kPass, kWarn, kBlock };

/// One line of a plan.
struct PlanCheck {
  std::string name;  ///< "signatures", "key opens the vTPM", "name", "disk vda", ...
  CheckState state = CheckState::kPass;
  std::string detail;  ///< What was found.
  std::string fix;     ///< For kWarn and kBlock: what to do.
};

struct PlanStep {
  std::string action;          ///< "create", "define", "use", "start".
  std::string what;            ///< "disk vda (1.5 GiB of 10.0 GiB)".
  std::filesystem::path path;  ///< Empty for what is no file.
};

struct RestorePlan {
  std::string vm_name;
  std::string vm_uuid;
  archive::ArchiveId snapshot;
  std::vector<PlanCheck> checks;
  std::vector<PlanStep> steps;
  bool is_blocked() const;
};

/// A plan with what it found out, ready to run. Nothing was touched.
class PreparedRestore {
 public:
  virtual ~PreparedRestore() = default;
  virtual const RestorePlan& plan() const = 0;

  /// Runs it as a transaction: secret, NVRAM, vTPM state, disks, definition; what it
  /// created is removed again if a later step fails, a byte of a volume is not what was
  /// signed, or `stop` is asked.
  /// errors  kRefused: the plan is blocked; every blocker is a next step.  Others: the
  ///         step that failed; "nothing was left behind", or what was.
  virtual base::Status run(std::stop_token stop) = 0;
};

/// "libvirt" or "hyper-v", as the snapshot's manifest says.
/// errors  kCorrupt, kIo: there is no manifest to be read.
base::Result<std::string> platform_of(const RestoreEnvironment& environment,
                                      const catalog::Snapshot& snapshot);

/// Every signature, key, name, path and collision is looked at first, and the
/// protection key is proved to open the guest state. errors  kCorrupt, kWrongKey,
/// kHypervisor, kIo: there is no plan to be made.
///         kRefused: a snapshot of another platform.  kInterrupted.
base::Result<std::unique_ptr<PreparedRestore>> prepare_restore(
    const RestoreEnvironment& environment, const RestoreRequest& request,
    const std::stop_token& stop);

/// Where the keys of a Hyper-V VM go: --wrap-to.
struct WrapTarget {
  keyvault::Recipient key;  ///< The target cluster's wrapping key.
  std::string key_name;     ///< Its name in the target's key vault; may be empty.
  std::string cluster;      ///< The target's name; may be empty.
  KeyIdentity identity;     ///< What the keys are wrapped to now.
};

struct DirectoryRequest {
  catalog::Snapshot snapshot;
  std::filesystem::path folder;    ///< New or empty.
  std::optional<WrapTarget> wrap;  ///< For a snapshot of a Hyper-V VM.
};

/// The VM's files: of libvirt disks as sparse raw images named after their targets,
/// everything else as on the source, and the protection-key files. With `wrap` also the
/// keys wrapped to the target, a runbook, and the SHA-256 of every file, for which the
/// files are read once more (docs/azure-local.md).
/// errors  as above; the folder is left as it was.  kRefused: `wrap`, and the VM is
///         libvirt's.  kWrongKey: wrap->identity opens no key of the VM.
base::Status restore_to_directory(const RestoreEnvironment& environment,
                                  const DirectoryRequest& request,
                                  std::stop_token stop);

}  // namespace sealift::restore
