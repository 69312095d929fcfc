#include "archive/segment_checks.h"

#include <algorithm>
#include <mutex>
#include <optional>
#include <thread>

namespace sealift::archive {

namespace {

base::Result<std::vector<Segment>> segments_of(const ObjectReader& store,
                                               const Volume& volume,
                                               const Trust& trust) {
  const ObjectInfo object{volume.name, volume.size};
  ASSIGN_OR_RETURN(const VolumeTail tail, read_volume_tail(store, object, trust));
  ASSIGN_OR_RETURN(
      const VolumeHeader header,
      read_volume_header(store, volume.name, tail, volume.repository, trust));
  static_cast<void>(header);
  return list_segments(store, volume.name, tail);
}

}  // namespace

base::Status SegmentChecks::add(const Volume& volume) {
  auto found = segments_of(*store_, volume, *trust_);
  if (!found) return std::move(found).error().at("volume", volume.name);
  const auto place = segments_.try_emplace(volume.name).first;
  for (Segment& segment : found.value()) {
    place->second.emplace_back(place->first, std::move(segment));
  }
  bytes_ += volume.size;
  return base::Done{};
}

CheckedSegment* SegmentChecks::find(const std::string& volume, std::uint64_t offset) {
  const auto found = segments_.find(volume);
  if (found == segments_.end()) return nullptr;
  const auto after = std::ranges::upper_bound(
      found->second, offset, {},
      [](const CheckedSegment& one) { return one.segment.content_begin(); });
  if (after == found->second.begin()) return nullptr;
  CheckedSegment& before = *std::prev(after);
  return offset < before.segment.content_end() ? &before : nullptr;
}

base::Result<base::ByteView> SegmentChecks::read(const CheckedSegment& segment,
                                                 base::Bytes& buffer) const {
  auto content = read_segment(*store_, segment.volume, segment.segment, buffer);
  if (!content) return std::move(content).error().at("volume", segment.volume);
  return content;
}

namespace {

/// What several threads do together: the segments one after the other, until one fails.
class RestOfSegments {
 public:
  RestOfSegments(const SegmentChecks& checks, std::vector<CheckedSegment*> segments,
                 const std::function<void(std::uint64_t bytes)>& told,
                 const std::stop_token& stop)
      : checks_(checks), segments_(std::move(segments)), told_(told), stop_(stop) {}

  void work() {
    base::Bytes buffer;
    while (CheckedSegment* const segment = next()) {
      auto checked = checks_.read(*segment, buffer);
      const std::lock_guard guard(guard_);
      if (!checked) {
        if (!failure_) failure_ = std::move(checked).error();
        return;
      }
      bytes_ += segment->segment.size;
      if (told_) told_(bytes_);
    }
  }

  base::Status result() {
    if (failure_) return *std::move(failure_);
    return base::Done{};
  }

 private:
  CheckedSegment* next() {
    const std::lock_guard guard(guard_);
    if (stop_.stop_requested() && !failure_) {
      failure_ = base::Error(base::ErrorCode::kInterrupted, "the check was stopped");
    }
    if (failure_) return nullptr;
    while (next_ < segments_.size()) {
      CheckedSegment* const segment = segments_[next_++];
      if (SegmentChecks::take(*segment)) return segment;
    }
    return nullptr;
  }

  const SegmentChecks& checks_;
  const std::vector<CheckedSegment*> segments_;
  const std::function<void(std::uint64_t bytes)>& told_;
  const std::stop_token& stop_;
  std::mutex guard_;  // Guards what follows; told_ is called under it.
  std::size_t next_ = 0;
  std::uint64_t bytes_ = 0;
  std::optional<base::Error> failure_;
};

}  // namespace

base::Status SegmentChecks::check_rest(
    unsigned jobs, const std::function<void(std::uint64_t bytes)>& told,
    const std::stop_token& stop) {
  std::vector<CheckedSegment*> all;
  for (auto& [volume, segments] : segments_) {
    for (CheckedSegment& segment : segments) all.push_back(&segment);
  }
  RestOfSegments rest(*this, std::move(all), told, stop);
  {
    std::vector<std::jthread> threads;
    for (unsigned i = 1; i < jobs; ++i) threads.emplace_back([&rest] { rest.work(); });
    rest.work();
  }
  return rest.result();
}

}  // namespace sealift::archive
