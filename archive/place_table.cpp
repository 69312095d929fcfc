#include "archive/place_table.h"

#include <algorithm>

namespace sealift::archive {

namespace {
std::uint64_t head_of(const ChunkId& id) { return base::read_be64(id.view(), 0); }
}  // namespace

void PlaceTable::add(const std::string& volume,
                     const std::vector<IndexEntry>& entries) {
  const auto number = static_cast<std::uint32_t>(volumes_.size());
  volumes_.push_back(volume);
  places_.reserve(places_.size() + entries.size());
  for (const IndexEntry& entry : entries) {
    places_.push_back({head_of(entry.id), entry.offset, entry.stored_size, number});
  }
}

void PlaceTable::sort() { std::ranges::sort(places_, {}, &Place::id_head); }

base::Result<std::vector<ChunkLocation>> PlaceTable::locate(const ChunkId& id) const {
  std::vector<ChunkLocation> locations;
  for (const Place& place :
       std::ranges::equal_range(places_, head_of(id), {}, &Place::id_head)) {
    locations.push_back({volumes_[place.volume], place.offset, place.stored_size});
  }
  return locations;
}

}  // namespace sealift::archive
