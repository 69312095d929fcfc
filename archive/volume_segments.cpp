#include "archive/volume_segments.h"

#include "archive/limits.h"
#include "archive/rule.h"
#include "keyvault/digest.h"

namespace sealift::archive {

namespace {

base::Error cannot_be(const MemberSum& sum) {
  return broken("V13", "a segment has a size that cannot be").at("member", sum.name);
}

// The segment whose header block lies at `begin`, all of it before `end`.
base::Result<Segment> examine_segment(const ObjectReader& store,
                                      const std::string& volume, std::uint64_t begin,
                                      std::uint64_t end, const MemberSum& sum) {
  if (end - begin < kTarBlock) return cannot_be(sum);
  TarHeader header{};
  RETURN_IF_ERROR(store.read(volume, begin, header));
  const auto size = claimed_tar_size(header);
  if (!size) return base::Error(size.error()).at("member", sum.name);
  if (size.value() < 1 || size.value() > kMaxSegmentSize ||
      kTarBlock + tar_padded(size.value()) > end - begin) {
    return cannot_be(sum);
  }
  RETURN_IF_ERROR(check_tar_header(header, sum.name, size.value()));
  return Segment{begin, static_cast<std::uint32_t>(size.value()), sum};
}

}  // namespace

base::Result<std::vector<Segment>> list_segments(const ObjectReader& store,
                                                 const std::string& volume,
                                                 const VolumeTail& tail) {
  std::vector<Segment> segments;
  std::uint64_t begin = kTarBlock + tar_padded(tail.footer.header_size);
  const std::size_t tail_sums = tail_members(tail.footer).size() - 2;
  for (std::size_t i = 1; i < tail.sums.size() - tail_sums; ++i) {
    ASSIGN_OR_RETURN(Segment segment, examine_segment(store, volume, begin,
                                                      tail.footer.tail, tail.sums[i]));
    begin += kTarBlock + tar_padded(segment.size);
    segments.push_back(std::move(segment));
  }
  if (begin == tail.footer.tail) return segments;
  return broken("V13", "the segments do not end where the index begins")
      .at("member", "index");
}

base::Result<base::ByteView> read_segment(const ObjectReader& store,
                                          const std::string& volume,
                                          const Segment& segment, base::Bytes& buffer) {
  buffer.resize(kTarBlock + tar_padded(segment.size));
  RETURN_IF_ERROR(store.read(volume, segment.begin, buffer));
  RETURN_IF_ERROR(check_tar_member(buffer, segment.sum.name, segment.size));
  const auto content = base::ByteView(buffer).subspan(kTarBlock, segment.size);
  if (keyvault::sha256(content) == segment.sum.digest) return content;
  return broken("V8", "a member is not what was signed").at("member", segment.sum.name);
}

}  // namespace sealift::archive
