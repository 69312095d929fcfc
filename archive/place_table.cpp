#include "archive/place_table.h"

#include <algorithm>

namespace sealift::archive {

std::uint64_t id_head_of(const ChunkId& id) { return base::read_be64(id.view(), 0); }

void PlaceTable::add(const std::string& volume,
                     const std::vector<IndexEntry>& entries) {
  const auto number = static_cast<std::uint32_t>(volumes_.size());
  volumes_.push_back(volume);
  places_.reserve(places_.size() + entries.size());
  for (const IndexEntry& entry : entries) {
    places_.push_back({id_head_of(entry.id), entry.offset, entry.stored_size, number});
  }
}

void PlaceTable::sort() { std::ranges::sort(places_, {}, &Place::id_head); }

base::Result<std::vector<ChunkLocation>> PlaceTable::locate(const ChunkId& id) const {
  std::vector<ChunkLocation> locations;
  const std::uint64_t head = id_head_of(id);
  auto place = std::ranges::lower_bound(places_, head, {}, &Place::id_head);
  for (; place != places_.end() && place->id_head == head; ++place) {
    locations.push_back({volumes_[place->volume], place->offset, place->stored_size});
  }
  return locations;
}

}  // namespace sealift::archive
