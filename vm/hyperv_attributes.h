// What a snapshot of a Hyper-V VM says of its components, beyond kind and size: the
// names of attributes in the manifest. docs/format/manifest.md, section 2.
#pragma once

namespace sealift::vm {

/// Of every component: "vm", or "checkpoint".
constexpr const char* kExportRole = "role";
constexpr const char* kRoleOfVm = "vm";
constexpr const char* kRoleOfCheckpoint = "checkpoint";
/// Of the VM's config: its BIOS GUID, if it says one.
constexpr const char* kBiosId = "bios_id";
/// Of the VM's config: RSA keys that lay in the key vault and should not, "a, b".
constexpr const char* kOtherKeys = "other_keys";
/// Of a guest-state: what protects it, vm/guest_state_protection.h.
constexpr const char* kProtection = "protection";
/// Of a disk: its own GUID and its parent's, as the parent locator has it.
constexpr const char* kDataWriteId = "data_write_id";
constexpr const char* kParentLinkage = "parent_linkage";
/// Of a disk that the VM's own configuration names: its place among those, from "1".
/// What only others hang on, or only a checkpoint names, is in no drive.
constexpr const char* kDrive = "drive";
/// Of a disk: "every", or "referenced": the others are holes.
constexpr const char* kBytesKept = "bytes";
/// Of a runtime-state: "yes" if it holds the VM's memory.
constexpr const char* kSavedMemory = "memory";

}  // namespace sealift::vm
