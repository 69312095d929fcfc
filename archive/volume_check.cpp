#include "archive/volume.h"
#include "archive/volume_segments.h"

namespace sealift::archive {

namespace {

base::Status check_bytes(const ObjectReader& store, const Volume& volume,
                         const Trust& trust, const std::stop_token& stop) {
  const ObjectInfo object{volume.name, volume.size};
  ASSIGN_OR_RETURN(const VolumeTail tail, read_volume_tail(store, object, trust));
  ASSIGN_OR_RETURN(
      const VolumeHeader header,
      read_volume_header(store, volume.name, tail, volume.repository, trust));
  static_cast<void>(header);
  ASSIGN_OR_RETURN(const std::vector<Segment> segments,
                   list_segments(store, volume.name, tail));
  base::Bytes buffer;
  for (const Segment& segment : segments) {
    if (stop.stop_requested()) {
      return base::Error(base::ErrorCode::kInterrupted, "the check was stopped");
    }
    ASSIGN_OR_RETURN(const base::ByteView content,
                     read_segment(store, volume.name, segment, buffer));
    static_cast<void>(content);
  }
  return base::Done{};
}

}  // namespace

base::Status check_every_byte(const ObjectReader& store, const Volume& volume,
                              const Trust& trust, const std::stop_token& stop) {
  auto checked = check_bytes(store, volume, trust, stop);
  if (!checked) return std::move(checked).error().at("volume", volume.name);
  return checked;
}

}  // namespace sealift::archive
