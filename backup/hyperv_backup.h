// Snapshots of VMs that Hyper-V exported into a folder, with the protection keys that
// Azure Local's key vault exported.
#pragma once

#include <filesystem>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "backup/backup.h"

namespace sealift::backup {

enum class BytesKept {
  kReferenced,  ///< Of a disk what its structures refer to; the rest become holes.
  kEvery,       ///< --every-byte
};

/// An export that is older than what the repository holds of its VM.
enum class OlderExport {
  kRefused,
  kStored,  ///< --allow-older
};

struct HypervBackupRequest {
  std::filesystem::path folder;             ///< One export, or an inbox of several.
  std::vector<std::filesystem::path> keys;  ///< Files and folders of exported keys.
  BytesKept bytes = BytesKept::kReferenced;
  OlderExport older = OlderExport::kRefused;
  std::optional<std::uint64_t> read_limit;   ///< Bytes a second.
  std::optional<std::uint64_t> write_limit;  ///< Bytes a second.
  std::string cluster;  ///< From the configuration, unless an export says its own.
  std::string host;     ///< The same.
  std::uint64_t volume_size = archive::ArchiveOptions().volume_size;  ///< Bytes.
};

/// Of one export of an inbox: its VMs, and the digest of what it says of itself.
struct ExportOutcome {
  std::filesystem::path folder;
  archive::Sha256Digest said;       ///< Of sealift-export.json.
  std::vector<std::size_t> places;  ///< Of its VMs in HypervOutcome::vms.
};

struct HypervOutcome {
  std::vector<VmOutcome> vms;
  std::vector<ExportOutcome> exports;  ///< Those of an inbox that left nothing out.
  std::vector<std::string> warnings;   ///< Of no VM that is backed up here.
  /// Trusted Launch VMs of the clusters whose key their key vaults do not hold, by the
  /// newest inventory in the inbox.
  std::vector<std::string> without_key;
  /// Something of an inbox is not stored: files of no VM, an export that broke off, or
  /// there is no finished one.
  bool has_leftovers = false;
};

/// Of each VM in the folder a snapshot, or the reasons why not: one that is not whole,
/// or contradicts itself, is refused; one VM's refusal never stops the others.
/// Needs no libvirt: environment.connection is not looked at.
///
/// errors  Per VM: kRefused: every blocker is a next step; a newer state of the VM is
///         stored.  kBusy: a file changed while
///         it was read, or another run has the VM.  kIo, kInterrupted.
///         Of the run as a whole: kNotFound: no VM is there.  As run_backup().
base::Result<HypervOutcome> run_hyperv_backup(BackupEnvironment& environment,
                                              const HypervBackupRequest& request,
                                              const std::stop_token& stop);

}  // namespace sealift::backup
