#include "archive/limits.h"
#include "archive/rule.h"
#include "archive/volume.h"
#include "archive/volume_tail.h"
#include "keyvault/digest.h"

namespace sealift::archive {

namespace {

// Walks through the segments; each is read once, into a buffer that is used again.
class SegmentWalk {
 public:
  SegmentWalk(const ObjectReader& store, const std::string& name,
              const VolumeTail& tail)
      : store_(&store),
        name_(&name),
        tail_(&tail),
        offset_(kTarBlock + tar_padded(tail.footer.header_size)) {}

  base::Status check(const MemberSum& sum) {
    const std::uint64_t left = tail_->footer.tail - offset_;
    if (left < kTarBlock) return too_few(sum);
    buffer_.resize(kTarBlock);
    RETURN_IF_ERROR(store_->read(*name_, offset_, buffer_));
    auto size = claimed_tar_size(buffer_);
    if (!size) return std::move(size).error().at("member", sum.name);
    if (size.value() < 1 || size.value() > kMaxSegmentSize ||
        kTarBlock + tar_padded(size.value()) > left) {
      return too_few(sum);
    }
    buffer_.resize(kTarBlock + tar_padded(size.value()));
    RETURN_IF_ERROR(store_->read(*name_, offset_ + kTarBlock,
                                 std::span(buffer_).subspan(kTarBlock)));
    RETURN_IF_ERROR(check_tar_member(buffer_, sum.name, size.value()));
    const auto content = base::ByteView(buffer_).subspan(kTarBlock, size.value());
    if (keyvault::sha256(content) != sum.digest) {
      return broken("V8", "a member is not what was signed").at("member", sum.name);
    }
    offset_ += buffer_.size();
    return base::Done{};
  }

  base::Status end() const {
    if (offset_ == tail_->footer.tail) return base::Done{};
    return broken("V13", "the segments do not end where the index begins")
        .at("member", "index");
  }

 private:
  static base::Error too_few(const MemberSum& sum) {
    return broken("V13", "a segment has a size that cannot be").at("member", sum.name);
  }

  const ObjectReader* store_;
  const std::string* name_;
  const VolumeTail* tail_;
  std::uint64_t offset_;
  base::Bytes buffer_;
};

base::Status check_bytes(const ObjectReader& store, const Volume& volume,
                         const RepositoryId& repository, const Trust& trust,
                         const std::stop_token& stop) {
  const ObjectInfo object{volume.name, volume.size};
  ASSIGN_OR_RETURN(const VolumeTail tail, read_volume_tail(store, object, trust));
  ASSIGN_OR_RETURN(const VolumeHeader header,
                   read_volume_header(store, volume.name, tail, repository, trust));
  static_cast<void>(header);
  SegmentWalk walk(store, volume.name, tail);
  const std::size_t tail_sums = tail_members(tail.footer).size() - 2;
  for (std::size_t i = 1; i < tail.sums.size() - tail_sums; ++i) {
    if (stop.stop_requested()) {
      return base::Error(base::ErrorCode::kInterrupted, "the check was stopped");
    }
    RETURN_IF_ERROR(walk.check(tail.sums[i]));
  }
  return walk.end();
}

}  // namespace

base::Status check_every_byte(const ObjectReader& store, const Volume& volume,
                              const Trust& trust, std::stop_token stop) {
  auto checked = check_bytes(store, volume, volume.repository, trust, stop);
  if (!checked) return std::move(checked).error().at("volume", volume.name);
  return checked;
}

}  // namespace sealift::archive
