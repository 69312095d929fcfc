#include "archive/portable_plan.h"

#include <algorithm>
#include <map>
#include <string>
#include <tuple>

#include "archive/place_table.h"
#include "archive/volume_set.h"

namespace sealift::archive {

namespace {

constexpr std::uint64_t kEntryCost = 64;          // Of 56 bytes, sealed with others.
constexpr std::uint64_t kLargestEnvelope = 4096;  // 16384 bits in hexadecimal digits.
constexpr std::uint64_t kKeyText = 512;  // A key, or an envelope without its bytes.
constexpr std::uint64_t kSegmentShare =
    512;  // A segment takes less per byte than 1/512.

class Finding {
 public:
  Finding(const VolumeSource& source, NeededFrames& needed)
      : opened_(source.store, source.repository, source.trust), needed_(needed) {}

  base::Status add(const ChunkId& id, const ChunkLocation& location) {
    ASSIGN_OR_RETURN(const std::uint32_t volume, number_of(location.volume));
    needed_.places.push_back(
        {location.offset, id_head_of(id), location.stored_size, volume});
    return base::Done{};
  }

 private:
  base::Result<std::uint32_t> number_of(const std::string& name) {
    const auto found = numbers_.find(name);
    if (found != numbers_.end()) return found->second;
    ASSIGN_OR_RETURN(const std::shared_ptr<const Volume> volume, opened_.get(name));
    const auto number = static_cast<std::uint32_t>(needed_.volumes.size());
    needed_.volumes.push_back(*volume);
    numbers_.emplace(name, number);
    return number;
  }

  VolumeSet opened_;
  NeededFrames& needed_;
  std::map<std::string, std::uint32_t> numbers_;
};

// A page or chunk that stands at several places of the trees is needed once.
void sort_and_unite(NeededFrames& needed) {
  const auto place = [](const FramePlace& frame) {
    return std::tuple(frame.volume, frame.offset);
  };
  std::ranges::sort(needed.places, {}, place);
  const auto is_same = [&place](const FramePlace& one, const FramePlace& other) {
    return place(one) == place(other);
  };
  needed.places.erase(std::unique(needed.places.begin(), needed.places.end(), is_same),
                      needed.places.end());
  for (const FramePlace& frame : needed.places) needed.bytes += frame.size;
}

void take(VolumeRoom& room, const VolumeRoom& cost) {
  room.bytes -= cost.bytes;
  room.header -= cost.header;
  room.frames -= cost.frames;
  room.keys -= cost.keys;
  room.envelopes -= cost.envelopes;
}

bool has(const VolumeRoom& room, const VolumeRoom& cost) {
  return cost.bytes <= room.bytes && cost.header <= room.header &&
         cost.frames <= room.frames && cost.keys <= room.keys &&
         cost.envelopes <= room.envelopes;
}

// Of the first frame out of `volume` if it `is_new` to the plan, else of a further one.
VolumeRoom cost_in(const FramePlace& place, const Volume& volume, bool is_new,
                   std::size_t added) {
  VolumeRoom cost{cost_of(place), 0, 1, 0, 0, added};
  if (!is_new) return cost;
  cost.header = header_cost_of(volume, added);
  cost.bytes += cost.header;
  cost.keys = volume.keys.size();
  cost.envelopes = envelopes_of(volume, added);
  return cost;
}

base::Error does_not_fit(const Volume& volume) {
  return base::Error(base::ErrorCode::kRefused,
                     "a volume of that size has no room for what must be in it")
      .at("volume", volume.name)
      .next("choose a greater --volume-size");
}

}  // namespace

std::uint64_t cost_of(const FramePlace& place) {
  return place.size + kEntryCost + place.size / kSegmentShare;
}

std::size_t envelopes_of(const Volume& volume, std::size_t added) {
  // Each content key has one of its own at least.
  return volume.envelopes.size() * (1 + added);
}

std::uint64_t header_cost_of(const Volume& volume, std::size_t added) {
  std::uint64_t cost = kKeyText * (volume.keys.size() + envelopes_of(volume, added) +
                                   volume.metadata_envelopes.size());
  for (const Envelope& envelope : volume.envelopes) cost += 2 * envelope.wrapped.size();
  return cost + envelopes_of(volume, added) * (added == 0 ? 0 : kLargestEnvelope);
}

base::Result<NeededFrames> find_needed(const VolumeSource& source,
                                       const SnapshotReader& reader,
                                       const std::stop_token& stop) {
  NeededFrames needed;
  Finding finding(source, needed);
  const auto add = [&finding](const ChunkId& id, const ChunkLocation& location) {
    return finding.add(id, location);
  };
  RETURN_IF_ERROR(reader.frames_needed(add, stop));
  sort_and_unite(needed);
  return needed;
}

base::Result<std::vector<VolumePlan>> plan_volumes(const NeededFrames& needed,
                                                   const VolumeRoom& room) {
  std::vector<VolumePlan> plans(1);
  VolumeRoom left = room;
  for (std::size_t at = 0; at < needed.places.size(); ++at) {
    const FramePlace& place = needed.places[at];
    const Volume& volume = needed.volumes[place.volume];
    const auto is_new = [&] {
      const auto& sources = plans.back().sources;
      return sources.empty() || sources.back() != place.volume;
    };
    if (!has(left, cost_in(place, volume, is_new(), room.added))) {
      plans.push_back({at, at, {}});
      left = room;
    }
    const VolumeRoom cost = cost_in(place, volume, is_new(), room.added);
    if (!has(left, cost)) return does_not_fit(volume);
    take(left, cost);
    if (is_new()) plans.back().sources.push_back(place.volume);
    plans.back().end = at + 1;
  }
  return plans;
}

}  // namespace sealift::archive
