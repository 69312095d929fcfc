// Takes snapshots of VMs into a repository.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "archive/archive_writer.h"
#include "archive/repository.h"
#include "base/timestamp.h"
#include "catalog/catalog.h"
#include "keyvault/vault.h"
#include "vm/capture.h"
#include "vm/connection.h"
#include "vm/description.h"

namespace sealift::backup {

enum class Reading {
  kChanges,     ///< What changed since an earlier snapshot, wherever that is known.
  kEverything,  ///< --full
};

struct BackupRequest {
  std::vector<std::string> vms;               ///< Names or UUIDs, each once.
  vm::Missing missing = vm::Missing::kFails;  ///< --allow-incomplete: kRecorded
  Reading reading = Reading::kChanges;
  vm::GuestAgent agent = vm::GuestAgent::kUsed;  ///< --require-agent: kRequired
  std::optional<std::filesystem::path> scratch_directory;
  std::map<std::string, std::filesystem::path> vtpm_secret_files;  ///< By VM as named.
  std::optional<std::uint64_t> read_limit;                         ///< Bytes a second.
  std::optional<std::uint64_t> write_limit;                        ///< Bytes a second.
  std::string cluster;  ///< From the configuration; default the host's name.
  std::string host;
  std::uint64_t volume_size = archive::ArchiveOptions().volume_size;  ///< Bytes.
};

struct VmOutcome {
  std::string vm;
  std::string vm_uuid;  ///< Of one that failed; empty: this host has no such VM.
  std::optional<base::Error> error;  ///< Then no snapshot of this VM was made.
  catalog::Snapshot snapshot;
  std::vector<std::string> warnings;  ///< "the vTPM state is not encrypted", ...
  std::chrono::milliseconds pause{0};
};

/// Everything a backup works with. Owned by the caller.
struct BackupEnvironment {
  const vm::Connection* connection = nullptr;  ///< Null for what Hyper-V exported.
  archive::Repository& repository;
  const archive::RepositoryKeys& keys;
  keyvault::KeyVault& vault;
  catalog::Catalog& catalog;
  const base::Clock& clock;
  /// Words for people while it runs ("vda: 1.2 GiB of 4.0 GiB"); may be empty.
  std::function<void(const std::string& vm, const std::string& words)> progress;
  /// Gets each VM's outcome as soon as it is known; may be empty.
  std::function<void(const VmOutcome& outcome)> finished;
};

/// One VM after the other, each told to environment.finished; one VM's failure never
/// stops the others. The catalog is refreshed before and after.
/// errors  What concerns the run as a whole and touched no VM: kCorrupt, kBusy, kIo.
base::Status run_backup(BackupEnvironment& environment, const BackupRequest& request,
                        const std::stop_token& stop);

}  // namespace sealift::backup
