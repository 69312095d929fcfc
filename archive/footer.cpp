#include "archive/footer.h"

#include <algorithm>

#include "archive/limits.h"
#include "archive/manifest_text.h"
#include "archive/rule.h"
#include "keyvault/digest.h"
#include "keyvault/signer.h"

namespace sealift::archive {

namespace {

// Offsets as in the table of volume.md, section 4.
constexpr std::size_t kFormatAt = 8;
constexpr std::size_t kKeysAt = 12;
constexpr std::size_t kLengthAt = 16;
constexpr std::size_t kTailAt = 24;
constexpr std::size_t kHeaderSizeAt = 32;
constexpr std::size_t kIndexSizeAt = 36;
constexpr std::size_t kManifestSizeAt = 40;
constexpr std::size_t kSnapshotSizeAt = 44;
constexpr std::size_t kSumsSizeAt = 48;
constexpr std::size_t kKeySizesAt = 52;
constexpr std::size_t kReservedAt = 308;
constexpr std::size_t kDigestAt = 480;
static_assert(kKeySizesAt + std::size_t{4} * kMaxProtectionKeys == kReservedAt);
static_assert(kDigestAt + Sha256Digest::kSize == kFooterSize);

constexpr std::string_view kMagic = "SEALIFT\n";
constexpr std::uint32_t kFormat = 1;

base::Error refused(std::string what) {
  return broken("V4", std::move(what)).at("member", "footer");
}

bool is_between(std::uint32_t value, std::uint32_t least, std::uint32_t most) {
  return value >= least && value <= most;
}

bool keeps_limits(const Footer& footer) {
  const bool has_snapshot = footer.has_snapshot();
  return is_between(footer.header_size, 1, kMaxHeaderSize) &&
         is_between(footer.index_size, 1, kMaxIndexSize) &&
         is_between(footer.sums_size, 1, kMaxSumsSize) &&
         footer.manifest_size <= kMaxFrameSize &&
         is_between(footer.snapshot_size, has_snapshot ? 1 : 0,
                    has_snapshot ? kMaxSnapshotSize : 0) &&
         (has_snapshot || footer.key_sizes.empty()) &&
         std::ranges::all_of(footer.key_sizes, [](std::uint32_t size) {
           return is_between(size, 1, kMaxProtectionKeySize);
         });
}

}  // namespace

EncodedFooter encode(const Footer& footer) {
  EncodedFooter bytes{};
  std::ranges::copy(base::as_bytes(kMagic), bytes.begin());
  base::write_be32(bytes, kFormatAt, kFormat);
  base::write_be32(bytes, kKeysAt, static_cast<std::uint32_t>(footer.key_sizes.size()));
  base::write_be64(bytes, kLengthAt, footer.length);
  base::write_be64(bytes, kTailAt, footer.tail);
  base::write_be32(bytes, kHeaderSizeAt, footer.header_size);
  base::write_be32(bytes, kIndexSizeAt, footer.index_size);
  base::write_be32(bytes, kManifestSizeAt, footer.manifest_size);
  base::write_be32(bytes, kSnapshotSizeAt, footer.snapshot_size);
  base::write_be32(bytes, kSumsSizeAt, footer.sums_size);
  std::size_t at = kKeySizesAt;
  for (const std::uint32_t size : footer.key_sizes) {
    base::write_be32(bytes, at, size);
    at += sizeof size;
  }
  const Sha256Digest digest = keyvault::sha256(base::ByteView(bytes).first(kDigestAt));
  std::ranges::copy(digest.bytes(), bytes.begin() + kDigestAt);
  return bytes;
}

base::Result<Footer> decode_footer(base::ByteView bytes, std::uint64_t length) {
  const bool is_footer =
      bytes.size() == kFooterSize &&
      base::as_text(bytes.first(kMagic.size())) == kMagic &&
      keyvault::sha256(bytes.first(kDigestAt)) ==
          Sha256Digest::from(bytes.subspan(kDigestAt, Sha256Digest::kSize));
  if (!is_footer) {
    return broken("V2", "the volume does not end with a whole footer")
        .at("member", "footer");
  }
  const std::uint32_t format = base::read_be32(bytes, kFormatAt);
  if (format > kFormat) {
    return newer("V3", "the volume is of format " + std::to_string(format));
  }
  const std::uint32_t keys = base::read_be32(bytes, kKeysAt);
  if (format != kFormat || keys > kMaxProtectionKeys) {
    return refused("the footer says what cannot be");
  }
  Footer footer;
  footer.length = base::read_be64(bytes, kLengthAt);
  footer.tail = base::read_be64(bytes, kTailAt);
  footer.header_size = base::read_be32(bytes, kHeaderSizeAt);
  footer.index_size = base::read_be32(bytes, kIndexSizeAt);
  footer.manifest_size = base::read_be32(bytes, kManifestSizeAt);
  footer.snapshot_size = base::read_be32(bytes, kSnapshotSizeAt);
  footer.sums_size = base::read_be32(bytes, kSumsSizeAt);
  for (std::size_t i = 0; i < keys; ++i) {
    footer.key_sizes.push_back(base::read_be32(bytes, kKeySizesAt + 4 * i));
  }
  const std::size_t unused = kKeySizesAt + std::size_t{4} * keys;
  if (footer.length != length ||
      !base::is_all_zero(bytes.subspan(unused, kDigestAt - unused)) ||
      !keeps_limits(footer)) {
    return refused("the footer says what cannot be");
  }
  const std::uint64_t body_end = kTarBlock + tar_padded(footer.header_size);
  if (footer.tail % kTarBlock != 0 || footer.tail < body_end || footer.tail > length ||
      end_of(tail_members(footer).back()) + kFooterReach != length) {
    return refused("the members do not end where the footer begins");
  }
  return footer;
}

std::vector<TailMember> tail_members(const Footer& footer) {
  std::vector<TailMember> members;
  const auto add = [&members, &footer](std::string name, std::uint64_t size) {
    const std::uint64_t offset = members.empty() ? footer.tail : end_of(members.back());
    members.push_back({std::move(name), offset, size});
  };
  add("index", footer.index_size);
  if (footer.has_snapshot()) {
    add("manifest", footer.manifest_size);
    for (std::size_t i = 0; i < footer.key_sizes.size(); ++i) {
      add(protection_key_member(i), footer.key_sizes[i]);
    }
    add("snapshot", footer.snapshot_size);
    add("snapshot.sig", keyvault::kSignatureSize);
  }
  add("SHA256SUMS", footer.sums_size);
  add("SHA256SUMS.sig", keyvault::kSignatureSize);
  return members;
}

std::uint64_t end_of(const TailMember& last) {
  return last.offset + kTarBlock + tar_padded(last.size);
}

}  // namespace sealift::archive
