// What a snapshot holds: every component, the VM's identity, how it was taken.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "archive/ids.h"
#include "base/strict_json.h"
#include "base/timestamp.h"

namespace sealift::archive {

/// kShared: chunk ids under the repository's id key, deduplicated (disks). kPrivate:
/// under the archive's private id key, never deduplicated (everything else).
enum class IdScope { kShared, kPrivate };

/// The words of design.md, section 1: config, disk, firmware-vars, guest-state,
/// runtime-state. (protection-key is a file of its own, see ProtectionKeyEntry.)
struct Component {
  std::string kind;
  std::string name;  ///< "vda", "domain.xml", "tpm2-00.permall": [A-Za-z0-9_.-]+
  IdScope scope = IdScope::kShared;
  std::uint64_t size = 0;  ///< Bytes of content.
  std::uint32_t depth =
      0;         ///< Levels of pages over the chunk ids; 0: the root is a chunk.
  ChunkId root;  ///< Zero: all of it is a hole.
  std::uint64_t stored_bytes = 0;  ///< New frames written for it.
  /// Facts for the restore, free text: "format", "target", "path", "mode", ...
  std::map<std::string, std::string> attributes;
};

struct ProtectionKeyEntry {
  std::string member;     ///< "protection-key.json", "protection-key.2.json", ...
  RecipientId recipient;  ///< The recovery key that opens it.
  std::string key_name;   ///< libvirt: the secret's UUID.
  std::string usage;      ///< libvirt: the secret's usage name.
  std::string encoding;   ///< "RSA_AES_KEY_WRAP_256".
};

/// What a snapshot is worth, for one component or as a whole.
struct Verdict {
  std::string component;  ///< "disk vda", "protection-key", "" for the whole.
  std::string state;      ///< "complete", "incomplete", "absent" (the VM has none).
  std::string reason;     ///< For people; may be empty.
};

/// The attribute of every component of a Hyper-V VM that says where its file lay in the
/// export and goes in a restore: names with '/' between them (rule M9).
constexpr const char* kExportPath = "path";

/// Whether `path` can be such a one by itself: 1 to 64 names of 1 to 255 bytes, none of
/// them "." or "..", without control characters and backslashes.
bool is_export_path(std::string_view path);

/// docs/format/manifest.md.
struct Manifest {
  std::string vm_name;
  std::string vm_uuid;   ///< Lower case, with hyphens.
  std::string platform;  ///< "libvirt" or "hyper-v".
  std::string cluster;
  std::string host;
  base::Timestamp created;  ///< When the guest stood still.
  std::string kind;         ///< full, incremental, state
  std::string read;         ///< all, changed, state
  std::uint64_t source_bytes = 0;
  std::uint64_t changed_bytes = 0;
  std::uint64_t stored_bytes = 0;
  std::uint32_t chunk_size = 0;
  std::vector<Component> components;
  std::vector<ProtectionKeyEntry> protection_keys;
  std::vector<Verdict> verdicts;  ///< The first is the whole's.
  /// How consistency was reached: "method", "pause_milliseconds", "guest_agent", ...
  std::map<std::string, std::string> consistency;
  /// "libvirt", "qemu", "swtpm", "libtpms", "ovmf", "sealift".
  std::map<std::string, std::string> versions;
};

/// Whether the snapshot's writer looked and found that the VM has no such component.
bool is_said_absent(const Manifest& manifest, std::string_view component);

/// The manifest's plaintext: JSON. The id key that its trees were made with is added by
/// the archive writer (member "id_key").
std::string to_json_text(const Manifest& manifest, base::ByteView id_key);

struct ParsedManifest {
  Manifest manifest;
  keyvault::Secret id_key;
};

/// errors  kCorrupt: an unknown or missing member, or a limit exceeded.
base::Result<ParsedManifest> parse_manifest(base::ByteView text);

}  // namespace sealift::archive
