// The page by which a person brings a Trusted Launch VM back on Azure Local, by hand.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/timestamp.h"

namespace sealift::restore {

/// What protects a VM's guest state, as its .vmgs says.
enum class GuestStateProtection {
  kAbsent,   ///< There is no .vmgs.
  kEmpty,    ///< The VM was never started: nothing is in it yet.
  kNone,     ///< It is not encrypted.
  kGspKey,   ///< By a seed that the cluster's key, named after the VM, protects.
  kGspById,  ///< By a seed of the source host: no key of a key vault opens it.
  kUnknown,  ///< Encrypted, and neither of the two.
};

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
  std::string vm_id;        ///< Lower case; also the name of the key that opens the VM.
  std::string snapshot;     ///< Its id, hex.
  std::string repository;   ///< Its id, hex.
  base::Timestamp created;  ///< As `sealift list` shows it: when the export was read.
  std::optional<base::Timestamp> exported;  ///< None: not recorded.
  std::string source_cluster;  ///< Empty: not recorded, and so is the host.
  std::string source_host;
  std::string host_build;          ///< Empty: not recorded.
  std::string configuration;       ///< The .vmcx, below the folder.
  std::vector<std::string> disks;  ///< Below the folder.
  GuestStateProtection guest_state = GuestStateProtection::kUnknown;
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

/// The page, as Markdown. What stands in a command is quoted for PowerShell; what
/// stands in text is printable, forms no Markdown, and cannot leave its code span.
std::string write_runbook(const RunbookFacts& facts);

}  // namespace sealift::restore
