// What a VM on libvirt is made of, read from the live domain.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/uuid.h"
#include "vm/connection.h"
#include "vm/rbd_image.h"

namespace sealift::vm {

enum class RunState { kRunning, kPaused, kShutOff, kManagedSave, kCrashed };

/// What happens where a part of the VM cannot be read.
enum class Missing { kFails, kRecorded };

/// The step that is left wherever Missing::kFails refused.
inline constexpr const char* kBackUpTheRest =
    "back up what is there with --allow-incomplete; it will not be a whole VM";

/// A part that a snapshot should hold and does not.
struct MissingPart {
  std::string component;  ///< "disk vda", "firmware-vars", "guest-state".
  std::string reason;     ///< "the disk's image is missing: /srv/web.qcow2".
};

struct BackingFile {
  std::filesystem::path path;
  std::string format;
};

/// A disk that holds data of this VM (`device='disk'`). Drives with removable media and
/// empty ones are in `removable_targets`.
struct Disk {
  std::string target;          ///< "vda".
  std::string bus;             ///< "virtio", "scsi", "sata", ...
  std::string type;            ///< "file", "block", or "network": others are refused.
  std::filesystem::path path;  ///< Of a network disk "rbd:POOL/IMAGE", no path at all.
  std::optional<RbdImage> rbd;
  std::string format;  ///< "qcow2" or "raw", as the live domain states it.
  std::vector<BackingFile> backing;  ///< From the one right below to the base.
  std::uint64_t size = 0;            ///< Bytes that the guest sees.
  bool is_read_only = false;
  bool is_shareable = false;
  bool has_iothread = false;         ///< On the disk or its SCSI controller, live.
  std::uint64_t inode = 0;           ///< Of `path`, a file; 0: it is none.
  bool can_hold_bitmaps = false;     ///< Of the image that is written to.
  std::uint64_t cluster_size = 0;    ///< Of that image; 0: it has none.
  std::vector<std::string> bitmaps;  ///< That lie in it, written when QEMU closes it.
};

struct Firmware {
  std::filesystem::path loader;
  std::filesystem::path nvram;  ///< Empty: none.
  std::filesystem::path nvram_template;
  bool is_secure_boot = false;
};

struct Vtpm {
  std::string model;                      ///< "tpm-crb", "tpm-tis".
  std::string version;                    ///< "2.0".
  std::filesystem::path state_directory;  ///< .../swtpm/UUID/tpm2
  std::optional<base::Uuid> secret;       ///< None: the state is not encrypted.
};

struct VmDescription {
  std::string name;
  base::Uuid uuid;
  RunState state = RunState::kShutOff;
  std::string inactive_xml;  ///< With security information (VIR_DOMAIN_XML_SECURE).
  std::string active_xml;    ///< Empty when not running.
  std::vector<Disk> disks;
  std::vector<std::string> removable_targets;
  std::map<std::string, std::string> unread_disks;  ///< Target to reason.
  std::optional<Firmware> firmware;
  std::optional<Vtpm> vtpm;
  std::optional<std::filesystem::path> managed_save;
  std::vector<std::string> mac_addresses;
};

/// Reads the domain from the live XML where there is one, the backing chains from the
/// images (`qemu-img info -U`), formats as stated, never probed.
///
/// missing  kRecorded: a disk that cannot be read or carried is in `unread_disks`.
///
/// errors  kRefused: something that cannot be carried (TPM 1.2, passthrough TPM, LUKS
///         inside qcow2, ...): names the element; or a disk that cannot be read: names
///         VM, disk and file.  kIo, kHypervisor.
base::Result<VmDescription> describe(const Connection& connection, const Domain& domain,
                                     Missing missing = Missing::kFails);

}  // namespace sealift::vm
