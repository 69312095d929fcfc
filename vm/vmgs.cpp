#include "vm/vmgs.h"

#include <algorithm>

#include "base/byte_count.h"
#include "keyvault/aead.h"
#include "keyvault/kbkdf.h"
#include "vm/crc.h"
#include "vm/microsoft_guid.h"
#include "vm/rule.h"

namespace sealift::vm {

namespace {

constexpr std::uint64_t kBlock = 4096;
constexpr std::uint64_t kFewestBlocks = 4;
constexpr std::uint64_t kMostBlocks = std::uint64_t{1} << 20U;

// Footer, as in the first table of docs/format/vmgs.md, section 2.
constexpr std::uint64_t kFooterSize = 512;
constexpr std::string_view kCookie = "conectix";
constexpr std::size_t kFooterVersionAt = 12;
constexpr std::size_t kCurrentSizeAt = 48;
constexpr std::size_t kDiskTypeAt = 60;
constexpr std::size_t kFooterChecksumAt = 64;
constexpr std::uint32_t kFooterVersion = 0x00010000;
constexpr std::uint32_t kFixedDisk = 2;

// Header.
constexpr std::size_t kHeaderSize = 168;
constexpr std::uint64_t kSmallSector = 512;
constexpr std::string_view kSignature = "GUESTRTS";
constexpr std::size_t kVersionAt = 8;
constexpr std::size_t kChecksumAt = 12;
constexpr std::size_t kSequenceAt = 16;
constexpr std::size_t kHeaderSizeAt = 20;
constexpr std::size_t kTableAt = 24;
constexpr std::size_t kTableBlocksAt = 28;
constexpr std::size_t kEncryptionAt = 32;
constexpr std::size_t kMarkersAt = 34;
constexpr std::array<std::size_t, 2> kSlotsAt{36, 100};
constexpr std::uint32_t kVersion = 0x00030000;
constexpr unsigned kReprovisioned = 1;
constexpr std::size_t kSlotTagAt = 16;
constexpr std::size_t kSlotKeyAt = 32;

// File table.
constexpr std::size_t kFiles = 64;
constexpr std::size_t kEntrySize = 64;
constexpr std::size_t kBlocksAt = 4;
constexpr std::size_t kValidAt = 8;
constexpr std::size_t kNonceAt = 16;
constexpr std::size_t kTagAt = 28;
constexpr std::size_t kAttributesAt = 44;
constexpr std::uint32_t kSecured = 3;  // Encrypted or authenticated.
constexpr std::uint64_t kFirstBlock = 2;

constexpr std::uint32_t kKeyProtector = 6;
constexpr std::uint32_t kUniqueId = 7;
constexpr std::uint32_t kExtendedTable = 63;
constexpr std::size_t kExtendedKeyAt = 4;

constexpr std::size_t kKeyProtectorSize = 2060;
constexpr std::array<std::size_t, 2> kGspAt{1024, 1540};
constexpr std::uint32_t kGspBuffer = 512;
constexpr std::size_t kActiveGspAt = 2056;

constexpr std::size_t kKeySize = 32;
constexpr std::uint64_t kLargestChecked = 64 * base::kMiB;
constexpr std::string_view kKeyLabel = "VMGSKEY";

struct Entry {
  std::uint64_t first = 0;
  std::uint64_t blocks = 0;
  std::uint64_t size = 0;
  std::uint32_t attributes = 0;
  keyvault::GcmNonce nonce{};
  std::array<std::byte, keyvault::kGcmTagSize> tag{};

  bool is_there() const { return blocks > 0; }
};

using Header = std::array<std::byte, kHeaderSize>;

enum class HeaderState { kZero, kValid, kOtherVersion, kInvalid };

// The store with its active header and its file table.
struct Store {
  const base::ByteSource* file = nullptr;
  std::uint64_t blocks = 0;
  bool has_footer = false;
  bool is_empty = false;
  bool is_torn = false;
  Header active{};
  std::optional<Header> inactive;  // If it is valid.
  std::array<Entry, kFiles> entries;

  bool is_encrypted() const { return base::read_le16(active, kEncryptionAt) != 0; }
};

bool starts_with(base::ByteView bytes, std::string_view text) {
  return base::as_text(bytes).starts_with(text);
}

base::Result<bool> has_footer(const base::ByteSource& file) {
  if (file.size() < kFooterSize) return false;
  const std::uint64_t data = file.size() - kFooterSize;
  ASSIGN_OR_RETURN(base::Bytes footer, file.read(data, std::size_t{kFooterSize}));
  if (!starts_with(footer, kCookie)) return false;
  const std::uint32_t stated = base::read_be32(footer, kFooterChecksumAt);
  base::write_be32(footer, kFooterChecksumAt, 0);
  std::uint32_t sum = 0;
  for (const std::byte byte : footer) sum += std::to_integer<std::uint32_t>(byte);
  if (~sum != stated || base::read_be32(footer, kFooterVersionAt) != kFooterVersion ||
      base::read_be64(footer, kCurrentSizeAt) != data ||
      base::read_be32(footer, kDiskTypeAt) != kFixedDisk) {
    return broken("G2", "the footer of the guest-state file is damaged");
  }
  return true;
}

HeaderState judge(const Header& header, std::uint64_t blocks) {
  if (base::is_all_zero(header)) return HeaderState::kZero;
  if (!starts_with(header, kSignature) ||
      base::read_le32(header, kChecksumAt) !=
          checksum_without<Crc32>(header, kChecksumAt)) {
    return HeaderState::kInvalid;
  }
  if (base::read_le32(header, kVersionAt) != kVersion) {
    return HeaderState::kOtherVersion;
  }
  const std::uint32_t table = base::read_le32(header, kTableAt);
  const bool is_sound = base::read_le32(header, kHeaderSizeAt) == kHeaderSize &&
                        base::read_le32(header, kTableBlocksAt) == 1 &&
                        table >= kFirstBlock && table < blocks;
  return is_sound ? HeaderState::kValid : HeaderState::kInvalid;
}

base::Status choose_header(Store& store) {
  const std::uint64_t second_at = store.has_footer ? kSmallSector : kBlock;
  std::array<Header, 2> headers{};
  RETURN_IF_ERROR(store.file->read(0, headers[0]));
  RETURN_IF_ERROR(store.file->read(second_at, headers[1]));
  const std::array states{judge(headers[0], store.blocks),
                          judge(headers[1], store.blocks)};
  const auto is = [&](HeaderState state) {
    return std::array{states[0] == state, states[1] == state};
  };
  const auto zero = is(HeaderState::kZero);
  const auto valid = is(HeaderState::kValid);
  const auto other = is(HeaderState::kOtherVersion);
  // Without a footer it is no store of Hyper-V's, but a copy that was broken off.
  if (zero[0] && zero[1] && store.has_footer) {
    store.is_empty = true;
    return base::Done{};
  }
  if (valid[0] && valid[1]) {
    const std::uint32_t first = base::read_le32(headers[0], kSequenceAt);
    const std::uint32_t second = base::read_le32(headers[1], kSequenceAt);
    if (first != second + 1 && second != first + 1) {
      return broken("G7", "the headers of the guest-state file contradict each other");
    }
    const std::size_t active = first == second + 1 ? 0 : 1;
    store.active = headers.at(active);
    store.inactive = headers.at(1 - active);
    return base::Done{};
  }
  if (!valid[0] && !valid[1]) {
    if (other[0] || other[1]) {
      return broken("G5", "the guest-state file has another version",
                    base::ErrorCode::kUnsupported);
    }
    return broken("G6", "the guest-state file has no valid header");
  }
  const std::size_t active = valid[0] ? 0 : 1;
  store.active = headers.at(active);
  store.is_torn = !zero.at(1 - active);
  return base::Done{};
}

Entry decode_entry(base::ByteView bytes) {
  Entry entry;
  entry.first = base::read_le32(bytes, 0);
  entry.blocks = base::read_le32(bytes, kBlocksAt);
  entry.size = base::read_le64(bytes, kValidAt);
  entry.attributes = base::read_le32(bytes, kAttributesAt);
  std::ranges::copy(bytes.subspan(kNonceAt, entry.nonce.size()), entry.nonce.begin());
  std::ranges::copy(bytes.subspan(kTagAt, entry.tag.size()), entry.tag.begin());
  return entry;
}

base::Status check_entries(const Store& store) {
  std::vector<const Entry*> in_order;
  for (std::size_t number = 0; number < kFiles; ++number) {
    const Entry& entry = store.entries.at(number);
    if (!entry.is_there()) continue;
    if (entry.first < kFirstBlock || entry.first + entry.blocks > store.blocks ||
        entry.size > entry.blocks * kBlock) {
      return broken("G9", "a file of the guest-state file does not lie inside it")
          .at("file", std::to_string(number));
    }
    in_order.push_back(&entry);
  }
  const Entry& table = store.entries.front();
  const Entry& extended = store.entries.at(kExtendedTable);
  if (table.first != base::read_le32(store.active, kTableAt) || table.blocks != 1 ||
      extended.blocks != 1 || extended.size != kBlock) {
    return broken("G10", "the file tables of the guest-state file contradict it");
  }
  std::ranges::sort(in_order, {}, &Entry::first);
  for (std::size_t i = 1; i < in_order.size(); ++i) {
    const Entry& before = *in_order[i - 1];
    if (before.first + before.blocks > in_order[i]->first) {
      return broken("G11", "two files of the guest-state file share a block")
          .at("block", std::to_string(in_order[i]->first));
    }
  }
  return base::Done{};
}

base::Result<Store> open_store(const base::ByteSource& file) {
  Store store;
  store.file = &file;
  ASSIGN_OR_RETURN(store.has_footer, has_footer(file));
  const std::uint64_t data = file.size() - (store.has_footer ? kFooterSize : 0);
  store.blocks = data / kBlock;
  if (data % kBlock != 0 || store.blocks < kFewestBlocks ||
      store.blocks > kMostBlocks) {
    return broken("G1", "not a guest-state file: it has no size that one can have");
  }
  ASSIGN_OR_RETURN(const base::Bytes second,
                   file.read(kSmallSector, kSignature.size()));
  if (starts_with(second, "EFI PART")) {
    return broken("G3", "the guest-state file has the form of version 1",
                  base::ErrorCode::kUnsupported);
  }
  if (!store.has_footer && starts_with(second, kSignature)) {
    return broken("G4", "the guest-state file was cut off: its footer is missing");
  }
  RETURN_IF_ERROR(choose_header(store));
  if (store.is_empty) return store;
  if (base::read_le16(store.active, kEncryptionAt) > 1) {
    return broken("G8", "the guest-state file is encrypted in a way that is not known",
                  base::ErrorCode::kUnsupported);
  }
  ASSIGN_OR_RETURN(
      const base::Bytes table,
      file.read(base::read_le32(store.active, kTableAt) * kBlock, std::size_t{kBlock}));
  for (std::size_t number = 0; number < kFiles; ++number) {
    store.entries.at(number) =
        decode_entry(base::ByteView(table).subspan(number * kEntrySize, kEntrySize));
  }
  RETURN_IF_ERROR(check_entries(store));
  return store;
}

base::Result<base::Bytes> read_entry(const Store& store, const Entry& entry) {
  return store.file->read(entry.first * kBlock, static_cast<std::size_t>(entry.size));
}

base::Result<std::optional<GspState>> read_gsp(const Store& store) {
  const Entry& entry = store.entries.at(kKeyProtector);
  if (!entry.is_there()) return std::optional<GspState>();
  if (entry.size > kKeyProtectorSize) {
    return broken("G12", "the key protector of the guest-state file is too long");
  }
  ASSIGN_OR_RETURN(base::Bytes bytes, read_entry(store, entry));
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

base::Result<std::optional<base::Uuid>> read_bios_id(const Store& store) {
  const Entry& entry = store.entries.at(kUniqueId);
  if (!entry.is_there()) return std::optional<base::Uuid>();
  if (entry.size < base::Uuid::Array().size()) {
    return broken("G13", "the VM's id in the guest-state file is too short");
  }
  ASSIGN_OR_RETURN(const base::Bytes bytes,
                   store.file->read(entry.first * kBlock, base::Uuid::Array().size()));
  return std::optional(microsoft_guid(bytes));
}

VmgsProtection protection_of(const Store& store, const std::optional<GspState>& gsp) {
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

base::Result<std::optional<OpenedSlot>> open_slot(const Header& header,
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

base::Result<keyvault::Secret> open_table(const Store& store,
                                          const keyvault::Secret& key) {
  const Entry& entry = store.entries.at(kExtendedTable);
  ASSIGN_OR_RETURN(const base::Bytes ciphertext, read_entry(store, entry));
  ASSIGN_OR_RETURN(keyvault::Secret plain, keyvault::Secret::allocate(kBlock));
  if (decrypt(key, entry.nonce, ciphertext, entry.tag, plain.writable())) return plain;
  return damaged(kExtendedTable);
}

base::Status check_file(const Store& store, std::uint32_t number,
                        const keyvault::Secret& key) {
  const Entry& entry = store.entries.at(number);
  if (entry.size > kLargestChecked) {
    return base::Error(base::ErrorCode::kUnsupported,
                       "a file in the guest-state file is too large to be checked")
        .at("file", vmgs_file_name(number));
  }
  ASSIGN_OR_RETURN(const base::Bytes ciphertext, read_entry(store, entry));
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
    case kExtendedTable:
      return "extended file table";
    default:
      return std::to_string(number);
  }
}

base::Result<Vmgs> read_vmgs(const base::ByteSource& file) {
  ASSIGN_OR_RETURN(const Store store, open_store(file));
  Vmgs vmgs;
  vmgs.is_empty = store.is_empty;
  vmgs.has_footer = store.has_footer;
  if (store.is_empty) return vmgs;
  vmgs.is_encrypted = store.is_encrypted();
  vmgs.is_reprovisioned =
      (base::read_le16(store.active, kMarkersAt) & kReprovisioned) != 0;
  vmgs.is_torn = store.is_torn;
  vmgs.sequence = base::read_le32(store.active, kSequenceAt);
  for (std::uint32_t number = 0; number < kFiles; ++number) {
    const Entry& entry = store.entries.at(number);
    if (!entry.is_there()) continue;
    vmgs.files.push_back({number, entry.size, (entry.attributes & kSecured) != 0});
  }
  ASSIGN_OR_RETURN(vmgs.gsp, read_gsp(store));
  ASSIGN_OR_RETURN(vmgs.bios_id, read_bios_id(store));
  vmgs.protection = protection_of(store, vmgs.gsp);
  return vmgs;
}

base::Result<VmgsProof> prove_datastore_key(const base::ByteSource& file,
                                            const keyvault::Secret& key) {
  ASSIGN_OR_RETURN(const Store store, open_store(file));
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
  for (std::uint32_t number = 1; number < kExtendedTable; ++number) {
    const base::ByteView entry = table.view().subspan(number * kEntrySize, kEntrySize);
    if ((base::read_le32(entry, 0) & kSecured) == 0) continue;
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
