// The guest-state file of a Hyper-V VM: what it holds, what protects it, and whether a
// key opens it. docs/format/vmgs.md.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "base/byte_source.h"
#include "base/uuid.h"
#include "keyvault/secret.h"

namespace sealift::vm {

enum class VmgsProtection {
  kNone,     ///< Whoever has the file has the vTPM.
  kGspKey,   ///< The protection key of a cluster's key vault.
  kGspById,  ///< A seed of the host it was made on, which no key vault holds.
  kUnknown,  ///< Encrypted, and nothing in the file says with what.
};

struct VmgsFile {
  std::uint32_t number = 0;
  std::uint64_t size = 0;     ///< Bytes that are valid.
  bool is_encrypted = false;  ///< Says the file table; file 63 may be without.
};

/// What protects the state, from file 6.
struct GspState {
  std::array<std::uint32_t, 2> lengths{};  ///< Bytes; both are set if the last boot
                                           ///< broke off while it changed keys.
  unsigned active = 0;
};

struct Vmgs {
  bool is_empty = false;  ///< Of a VM that was never started; nothing else is set.
  bool has_footer = false;
  bool is_encrypted = false;
  bool is_reprovisioned = false;
  bool is_torn = false;  ///< The inactive header is neither valid nor zero.
  std::uint32_t sequence = 0;
  VmgsProtection protection = VmgsProtection::kNone;
  std::vector<VmgsFile> files;  ///< By number.
  std::optional<GspState> gsp;
  std::optional<base::Uuid> bios_id;  ///< File 7: the VM's BIOS GUID.
};

/// "vTPM state"; the number of a file that has no name.
std::string vmgs_file_name(std::uint32_t number);

/// errors  kCorrupt, kUnsupported: rules G1 to G13.  kIo.
base::Result<Vmgs> read_vmgs(const base::ByteSource& file);

struct VmgsProof {
  unsigned slot = 0;  ///< Of the active header: the one the key opened.
  std::vector<std::uint32_t>
      opened;  ///< Numbers of the encrypted files whose tags fit.
};

/// Proves that a datastore key of 32 bytes opens the store: the metadata key, file 63
/// and every encrypted file. What was decrypted is wiped.
///
/// errors  kRefused: the store is not encrypted, or empty.  kWrongKey: G14; the error
///         says if the key is that of an earlier boot.  kCorrupt: G15, and as
///         read_vmgs().
base::Result<VmgsProof> prove_datastore_key(const base::ByteSource& file,
                                            const keyvault::Secret& key);

/// From a guest-state protection seed of 32 bytes, which the cluster got out of file 6
/// with the protection key.
base::Result<keyvault::Secret> datastore_key_of_seed(const keyvault::Secret& seed);

/// From a host's own seed and the BIOS GUID of file 7.
base::Result<keyvault::Secret> datastore_key_by_id(const keyvault::Secret& seed,
                                                   const base::Uuid& bios_id);

}  // namespace sealift::vm
