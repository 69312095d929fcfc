#include "vm/vmgs.h"

#include <algorithm>

#include "base/byte_count.h"
#include "keyvault/aead.h"
#include "keyvault/kbkdf.h"
#include "vm/microsoft_guid.h"
#include "vm/rule.h"
#include "vm/vmgs_store.h"

namespace sealift::vm {

namespace {

constexpr std::array<std::size_t, 2> kSlotsAt{36, 100};
constexpr std::size_t kSlotTagAt = 16;
constexpr std::size_t kSlotKeyAt = 32;

constexpr std::uint32_t kKeyProtector = 6;
constexpr std::uint32_t kUniqueId = 7;
constexpr std::size_t kExtendedKeyAt = 4;

constexpr std::size_t kKeyProtectorSize = 2060;
constexpr std::array<std::size_t, 2> kGspAt{1024, 1540};
constexpr std::uint32_t kGspBuffer = 512;
constexpr std::size_t kActiveGspAt = 2056;

constexpr std::size_t kKeySize = 32;
constexpr std::uint64_t kLargestChecked = 64 * base::kMiB;
constexpr std::string_view kKeyLabel = "VMGSKEY";

base::Result<std::optional<GspState>> read_gsp(const VmgsStore& store) {
  const VmgsEntry& entry = store.entries.at(kKeyProtector);
  if (!entry.is_there()) return std::optional<GspState>();
  if (entry.size > kKeyProtectorSize) {
    return broken("G12", "the key protector of the guest-state file is too long");
  }
  ASSIGN_OR_RETURN(base::Bytes bytes, store.read(entry));
  bytes.resize(kKeyProtectorSize);
  GspState state;
  for (std::size_t i = 0; i < kGspAt.size(); ++i) {
    state.lengths.at(i) = base::read_le32(bytes, kGspAt.at(i));
    if (state.lengths.at(i) > kGspBuffer) {
      return broken("G12", "the key protector of the guest-state file is malformed");
    }
  }
  state.active = base::read_le32(bytes, kActiveGspAt) % 2;
  return std::optional(state);
}

base::Result<std::optional<base::Uuid>> read_bios_id(const VmgsStore& store) {
  const VmgsEntry& entry = store.entries.at(kUniqueId);
  if (!entry.is_there()) return std::optional<base::Uuid>();
  if (entry.size < base::Uuid::Array().size()) {
    return broken("G13", "the VM's id in the guest-state file is too short");
  }
  ASSIGN_OR_RETURN(
      const base::Bytes bytes,
      store.file->read(entry.first * kVmgsBlock, base::Uuid::Array().size()));
  return std::optional(microsoft_guid(bytes));
}

VmgsProtection protection_of(const VmgsStore& store,
                             const std::optional<GspState>& gsp) {
  if (!store.is_encrypted()) return VmgsProtection::kNone;
  if (gsp && (gsp->lengths[0] > 0 || gsp->lengths[1] > 0)) {
    return VmgsProtection::kGspKey;
  }
  return store.entries.at(kUniqueId).is_there() ? VmgsProtection::kGspById
                                                : VmgsProtection::kUnknown;
}

base::Status decrypt(const keyvault::Secret& key, const keyvault::GcmNonce& nonce,
                     base::ByteView ciphertext, base::ByteView tag,
                     std::span<std::byte> plain) {
  ASSIGN_OR_RETURN(keyvault::Aes256Gcm cipher, keyvault::Aes256Gcm::create(key));
  base::Bytes sealed(ciphertext.begin(), ciphertext.end());
  sealed.insert(sealed.end(), tag.begin(), tag.end());
  return cipher.open(nonce, {}, sealed, plain);
}

struct OpenedSlot {
  unsigned number = 0;
  keyvault::Secret metadata_key;
};

base::Result<std::optional<OpenedSlot>> open_slot(const VmgsHeader& header,
                                                  const keyvault::Secret& key) {
  for (unsigned number = 0; number < kSlotsAt.size(); ++number) {
    const base::ByteView slot = base::ByteView(header).subspan(kSlotsAt.at(number), 64);
    const base::ByteView wrapped = slot.subspan(kSlotKeyAt);
    if (base::is_all_zero(wrapped)) continue;
    keyvault::GcmNonce nonce{};
    std::ranges::copy(slot.first(nonce.size()), nonce.begin());
    ASSIGN_OR_RETURN(keyvault::Secret opened, keyvault::Secret::allocate(kKeySize));
    if (decrypt(key, nonce, wrapped, slot.subspan(kSlotTagAt, keyvault::kGcmTagSize),
                opened.writable())) {
      return std::optional(OpenedSlot{number, std::move(opened)});
    }
  }
  return std::optional<OpenedSlot>();
}

base::Error damaged(std::uint32_t number) {
  return broken("G15",
                "a part of the guest-state file is damaged: its tag does not fit")
      .at("file", vmgs_file_name(number));
}

base::Result<keyvault::Secret> open_table(const VmgsStore& store,
                                          const keyvault::Secret& key) {
  const VmgsEntry& entry = store.entries.at(kVmgsExtendedTable);
  ASSIGN_OR_RETURN(const base::Bytes ciphertext, store.read(entry));
  ASSIGN_OR_RETURN(keyvault::Secret plain, keyvault::Secret::allocate(kVmgsBlock));
  if (decrypt(key, entry.nonce, ciphertext, entry.tag, plain.writable())) return plain;
  return damaged(kVmgsExtendedTable);
}

base::Status check_file(const VmgsStore& store, std::uint32_t number,
                        const keyvault::Secret& key) {
  const VmgsEntry& entry = store.entries.at(number);
  if (entry.size > kLargestChecked) {
    return base::Error(base::ErrorCode::kUnsupported,
                       "a file in the guest-state file is too large to be checked")
        .at("file", vmgs_file_name(number));
  }
  ASSIGN_OR_RETURN(const base::Bytes ciphertext, store.read(entry));
  base::Bytes plain(ciphertext.size());
  const auto opened = decrypt(key, entry.nonce, ciphertext, entry.tag, plain);
  keyvault::wipe(plain);
  if (!opened) return damaged(number);
  return base::Done{};
}

}  // namespace

std::string vmgs_file_name(std::uint32_t number) {
  switch (number) {
    case 0:
      return "file table";
    case 1:
      return "firmware variables";
    case 2:
      return "TPM physical presence";
    case 3:
      return "vTPM state";
    case 4:
      return "RTC skew";
    case 5:
      return "attestation";
    case kKeyProtector:
      return "key protector";
    case kUniqueId:
      return "VM unique id";
    case 8:
      return "guest firmware";
    case 9:
      return "custom UEFI";
    case 10:
      return "guest watchdog";
    case 11:
      return "hardware key protector";
    case 13:
      return "guest secret key";
    case 14:
      return "hibernation token";
    case 15:
      return "platform seed";
    case 16:
      return "provenance document";
    case 17:
      return "backup of the vTPM state";
    case 18:
      return "provisioning marker";
    case kVmgsExtendedTable:
      return "extended file table";
    default:
      return std::to_string(number);
  }
}

base::Result<Vmgs> read_vmgs(const base::ByteSource& file) {
  ASSIGN_OR_RETURN(const VmgsStore store, open_vmgs_store(file));
  Vmgs vmgs;
  vmgs.is_empty = store.is_empty;
  vmgs.has_footer = store.has_footer;
  if (store.is_empty) return vmgs;
  vmgs.is_encrypted = store.is_encrypted();
  vmgs.is_reprovisioned = store.is_reprovisioned();
  vmgs.is_torn = store.is_torn;
  vmgs.sequence = store.sequence();
  for (std::uint32_t number = 0; number < kVmgsFiles; ++number) {
    const VmgsEntry& entry = store.entries.at(number);
    if (!entry.is_there()) continue;
    vmgs.files.push_back({number, entry.size, (entry.attributes & kVmgsSecured) != 0});
  }
  ASSIGN_OR_RETURN(vmgs.gsp, read_gsp(store));
  ASSIGN_OR_RETURN(vmgs.bios_id, read_bios_id(store));
  vmgs.protection = protection_of(store, vmgs.gsp);
  return vmgs;
}

base::Result<VmgsProof> prove_datastore_key(const base::ByteSource& file,
                                            const keyvault::Secret& key) {
  ASSIGN_OR_RETURN(const VmgsStore store, open_vmgs_store(file));
  if (store.is_empty || !store.is_encrypted()) {
    return base::Error(base::ErrorCode::kRefused,
                       "the guest-state file is not encrypted");
  }
  if (key.size() != kKeySize) {
    return broken("G14", "a key of a guest-state file has 32 bytes",
                  base::ErrorCode::kWrongKey);
  }
  ASSIGN_OR_RETURN(const std::optional<OpenedSlot> opened,
                   open_slot(store.active, key));
  if (!opened) {
    bool is_old = false;
    if (store.inactive) {
      ASSIGN_OR_RETURN(const auto older, open_slot(*store.inactive, key));
      is_old = older.has_value();
    }
    return broken("G14",
                  is_old ? "the key is that of an earlier boot: it does not open the "
                           "guest-state file any more"
                         : "the key does not open the guest-state file",
                  base::ErrorCode::kWrongKey);
  }
  ASSIGN_OR_RETURN(const keyvault::Secret table,
                   open_table(store, opened->metadata_key));
  VmgsProof proof;
  proof.slot = opened->number;
  for (std::uint32_t number = 1; number < kVmgsExtendedTable; ++number) {
    const base::ByteView entry =
        table.view().subspan(number * kVmgsEntrySize, kVmgsEntrySize);
    if ((base::read_le32(entry, 0) & kVmgsSecured) == 0) continue;
    if (!store.entries.at(number).is_there()) return damaged(number);
    ASSIGN_OR_RETURN(
        const keyvault::Secret file_key,
        keyvault::Secret::copy_of(entry.subspan(kExtendedKeyAt, kKeySize)));
    RETURN_IF_ERROR(check_file(store, number, file_key));
    proof.opened.push_back(number);
  }
  return proof;
}

base::Result<keyvault::Secret> datastore_key_of_seed(const keyvault::Secret& seed) {
  ASSIGN_OR_RETURN(const keyvault::Secret none, keyvault::Secret::allocate(kKeySize));
  return keyvault::kbkdf_hmac_sha256(none, kKeyLabel, seed.view(), kKeySize);
}

base::Result<keyvault::Secret> datastore_key_by_id(const keyvault::Secret& seed,
                                                   const base::Uuid& bios_id) {
  // Changing the order of the bytes twice is as before.
  const base::Uuid stored = microsoft_guid(bios_id.bytes());
  return keyvault::kbkdf_hmac_sha256(seed, kKeyLabel, stored.bytes(), kKeySize);
}

}  // namespace sealift::vm
