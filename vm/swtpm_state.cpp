#include "vm/swtpm_state.h"

#include <algorithm>
#include <map>

#include "keyvault/digest.h"
#include "keyvault/pbkdf2.h"
#include "vm/rule.h"

namespace sealift::vm {

namespace {

// Field offsets, as in the table of docs/format/swtpm-state.md, section 2.
constexpr std::size_t kVersionAt = 0;
constexpr std::size_t kMinVersionAt = 1;
constexpr std::size_t kHeaderSizeAt = 2;
constexpr std::size_t kFlagsAt = 4;
constexpr std::size_t kTotalSizeAt = 6;
constexpr std::size_t kHeaderSize = 10;
constexpr unsigned kVersion = 2;

constexpr unsigned kFlagEncrypted = 0x01;
constexpr unsigned kFlagsOfMigration = 0x02 | 0x04 | 0x10;
constexpr unsigned kFlag256BitKey = 0x08;
constexpr unsigned kKnownFlags = kFlagEncrypted | kFlagsOfMigration | kFlag256BitKey;

constexpr std::size_t kTlvSizeAt = 2;
constexpr std::size_t kTlvHeaderSize = 6;
constexpr std::uint16_t kTagData = 1;
constexpr std::uint16_t kTagEncryptedData = 2;
constexpr std::uint16_t kTagHmac = 3;
constexpr std::uint16_t kTagIv = 6;

constexpr std::size_t kCipherBlock = 16;
constexpr std::size_t kHmacSize = 32;
constexpr std::uint32_t kIterations = 1000;
constexpr std::string_view kSalt = "swtpm";

struct OpenedState {
  SwtpmState state;
  base::ByteView payload;
  base::ByteView hmac;
  base::ByteView iv;
};

using Tlvs = std::map<std::uint16_t, base::ByteView>;

base::Result<Tlvs> decode_tlvs(base::ByteView stream) {
  Tlvs found;
  while (!stream.empty()) {
    if (stream.size() < kTlvHeaderSize)
      return broken("W6", "the vTPM state ends early");
    const std::uint16_t tag = base::read_be16(stream, 0);
    const std::size_t size = base::read_be32(stream, kTlvSizeAt);
    stream = stream.subspan(kTlvHeaderSize);
    if (size > stream.size()) return broken("W6", "the vTPM state ends early");
    if (!found.emplace(tag, stream.first(size)).second) {
      return broken("W7", "a part of the vTPM state is there twice");
    }
    stream = stream.subspan(size);
  }
  return found;
}

base::Result<unsigned> decode_flags(base::ByteView file) {
  if (file.size() < kHeaderSize ||
      base::read_be16(file, kHeaderSizeAt) != kHeaderSize ||
      std::to_integer<unsigned>(file[kVersionAt]) < kVersion) {
    return broken("W1", "not a vTPM state of swtpm");
  }
  if (std::to_integer<unsigned>(file[kMinVersionAt]) > kVersion) {
    return base::Error(base::ErrorCode::kUnsupported,
                       "the vTPM state was written by a newer swtpm")
        .at("rule", "W2");
  }
  if (base::read_be32(file, kTotalSizeAt) != file.size()) {
    return broken("W3", "the vTPM state has not the size that it states");
  }
  const unsigned flags = base::read_be16(file, kFlagsAt);
  if ((flags & ~kKnownFlags) != 0) {
    return base::Error(base::ErrorCode::kUnsupported,
                       "the vTPM state was written by a newer swtpm")
        .at("rule", "W4");
  }
  if ((flags & kFlagsOfMigration) != 0) {
    return broken("W5", "a vTPM state under way to another host, not one at rest");
  }
  return flags;
}

base::Result<OpenedState> open_state(base::ByteView file) {
  ASSIGN_OR_RETURN(const unsigned flags, decode_flags(file));
  ASSIGN_OR_RETURN(const Tlvs tlvs, decode_tlvs(file.subspan(kHeaderSize)));
  OpenedState opened;
  opened.state.is_encrypted = (flags & kFlagEncrypted) != 0;
  opened.state.has_256_bit_key = (flags & kFlag256BitKey) != 0;
  const auto payload =
      tlvs.find(opened.state.is_encrypted ? kTagEncryptedData : kTagData);
  if (payload == tlvs.end() || payload->second.empty()) {
    return broken("W8", "the vTPM state holds no data");
  }
  opened.payload = payload->second;
  opened.state.payload_size = opened.payload.size();
  if (!opened.state.is_encrypted) return opened;

  if (opened.payload.size() % kCipherBlock != 0) {
    return broken("W9", "the vTPM state is not whole cipher blocks");
  }
  const auto hmac = tlvs.find(kTagHmac);
  if (hmac == tlvs.end() || hmac->second.size() != kHmacSize) {
    return broken("W10", "the vTPM state holds no HMAC");
  }
  opened.hmac = hmac->second;
  if (const auto iv = tlvs.find(kTagIv); iv != tlvs.end()) {
    if (iv->second.size() < kCipherBlock) {
      return broken("W11", "the vTPM state's initialisation vector is too short");
    }
    opened.iv = iv->second;
  }
  return opened;
}

enum class Proof { kOpens, kDoesNot };

base::Result<Proof> try_key(base::ByteView value, const OpenedState& opened) {
  ASSIGN_OR_RETURN(const keyvault::Secret password, keyvault::Secret::copy_of(value));
  ASSIGN_OR_RETURN(
      const keyvault::Secret key,
      keyvault::pbkdf2_hmac_sha512(password, base::as_bytes(kSalt), kIterations,
                                   opened.state.has_256_bit_key ? 32 : 16));
  ASSIGN_OR_RETURN(keyvault::HmacSha256 hmac, keyvault::HmacSha256::create(key));
  const auto digest = hmac.of({opened.payload, opened.iv});
  return keyvault::is_same(digest.view(), opened.hmac) ? Proof::kOpens
                                                       : Proof::kDoesNot;
}

base::ByteView without_line_end(base::ByteView value) {
  while (!value.empty() &&
         (value.back() == std::byte{'\n'} || value.back() == std::byte{'\r'})) {
    value = value.first(value.size() - 1);
  }
  return value;
}

}  // namespace

base::Result<SwtpmState> parse_swtpm_state(base::ByteView file) {
  ASSIGN_OR_RETURN(const OpenedState opened, open_state(file));
  return opened.state;
}

base::Status prove_key_opens(const keyvault::Secret& protection_key,
                             base::ByteView file) {
  ASSIGN_OR_RETURN(const OpenedState opened, open_state(file));
  if (!opened.state.is_encrypted) {
    return base::Error(base::ErrorCode::kRefused, "the vTPM state is not encrypted");
  }
  ASSIGN_OR_RETURN(const Proof proof, try_key(protection_key.view(), opened));
  if (proof == Proof::kOpens) return base::Done{};

  base::Error error(base::ErrorCode::kWrongKey,
                    "the protection key does not open the vTPM state");
  const base::ByteView shorter = without_line_end(protection_key.view());
  if (shorter.size() < protection_key.size()) {
    ASSIGN_OR_RETURN(const Proof shorter_proof, try_key(shorter, opened));
    if (shorter_proof == Proof::kOpens) {
      return std::move(error).next(
          "take the line feed away from the end of the key: every byte of it counts, "
          "and without that one it opens the vTPM state");
    }
  }
  return error;
}

}  // namespace sealift::vm
