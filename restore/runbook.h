// The page by which a person brings a Trusted Launch VM back on Azure Local, by hand.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/timestamp.h"
#include "restore/drive_disks.h"
#include "restore/snapshot_contents.h"
#include "vm/guest_state_protection.h"

namespace sealift::restore {

using vm::GuestStateProtection;

/// One key of the source's key vault as the snapshot has it.
struct RunbookKey {
  /// Below the folder, with `/`; empty: it was not rewrapped, and the VM needs no key.
  std::string path;
  std::string name;  ///< `7fb16fe7-…`, `AzureStackTvmAKRootKey`.
  std::string type;  ///< `AES`, `RSA`.
  unsigned size = 0;
  std::string member;  ///< The file that was opened: `protection-key.2.json`.
};

/// What the page says about one restored VM. Any text here may come from a snapshot
/// that somebody hostile wrote.
struct RunbookFacts {
  std::string vm_name;
  std::string vm_id;       ///< Lower case; also the name of the key that opens the VM.
  std::string snapshot;    ///< Its id, hex.
  std::string repository;  ///< Its id, hex.
  Archives archives = Archives::kWhole;  ///< What it was read from.
  base::Timestamp created;  ///< As `sealift list` shows it: when the export was read.
  std::optional<base::Timestamp> exported;  ///< None: not recorded.
  std::string source_cluster;  ///< Empty: not recorded, and so is the host.
  std::string source_host;
  std::string host_build;     ///< Empty: not recorded.
  std::string configuration;  ///< The .vmcx, below the folder.
  DriveDisks disks;
  GuestStateProtection guest_state = GuestStateProtection::kUnknown;
  bool checkpoint_needs_key = false;  ///< The guest state of one at least does.
  bool has_saved_memory = false;
  std::string bios_id;  ///< Empty: not recorded.
  std::vector<RunbookKey> keys;
  /// RSA keys other than the root key that lay in the source's key vault.
  std::vector<std::string> left_wrapping_keys;
  std::string recovery_key_id;    ///< Of what opened the keys; SHA-256, hex.
  std::string wrapping_key_name;  ///< Empty: not said.
  std::string wrapping_key_id;    ///< SHA-256 of its SPKI, hex.
  std::string target_cluster;     ///< Empty: not said.
};

/// Whether the VM's key is to be imported, for its guest state or a checkpoint's.
bool needs_key(const RunbookFacts& facts);

/// The page, as Markdown. What stands in a command is quoted for PowerShell; what
/// stands in text is printable, forms no Markdown, and cannot leave its code span.
std::string write_runbook(const RunbookFacts& facts);

}  // namespace sealift::restore
