// What a manifest may say. docs/format/manifest.md.
#pragma once

#include "archive/manifest.h"

namespace sealift::archive {

/// config, disk, firmware-vars, guest-state, runtime-state.
bool is_component_kind(std::string_view kind);
/// `[A-Za-z0-9_.-]+`, 1 to 255, not "." or "..".
bool is_component_name(std::string_view name);
/// Disks are shared, everything else is private.
IdScope scope_of(std::string_view kind);

/// Rules M3 to M6, also asked of what is about to be written. errors  kCorrupt.
base::Status check_manifest(const Manifest& manifest);

/// "protection-key.json" for 0, "protection-key.2.json" for 1, …
std::string protection_key_member(std::size_t position);

}  // namespace sealift::archive
