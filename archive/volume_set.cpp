#include "archive/volume_set.h"

#include "archive/limits.h"
#include "archive/sums.h"
#include "archive/tar_form.h"

namespace sealift::archive {

base::Result<std::shared_ptr<const Volume>> VolumeSet::get(const std::string& name) {
  const std::lock_guard guard(guard_);
  auto found = opened_.find(name);
  if (found == opened_.end()) found = opened_.emplace(name, open(name)).first;
  return found->second;
}

VolumeSet::Opened VolumeSet::open(const std::string& name) const {
  auto object = store_->examine(name);
  if (!object) return missing_is_corrupt(std::move(object).error(), name);
  auto volume = open_volume(*store_, object.value(), repository_, *trust_);
  if (!volume) return std::move(volume).error();
  auto kept = std::make_shared<Volume>(std::move(volume).value());
  kept->index_frames = {};
  kept->snapshot.reset();
  return std::shared_ptr<const Volume>(std::move(kept));
}

base::Error missing_is_corrupt(base::Error error, const std::string& volume) {
  if (error.code() != base::ErrorCode::kNotFound) return error;
  return base::Error(base::ErrorCode::kCorrupt, "a volume is missing")
      .at("volume", volume)
      .because(error.what());
}

std::string member_at(const ObjectReader& store, const std::string& volume,
                      std::uint64_t offset) {
  std::uint64_t begin = 0;
  for (std::uint32_t number = 0; number <= kMaxSegments; ++number) {
    TarHeader header{};
    if (!store.read(volume, begin, header)) return "";
    const auto size = claimed_tar_size(header);
    if (!size) return "";
    begin += kTarBlock + tar_padded(size.value());
    if (offset < begin) return number == 0 ? "header.json" : segment_name(number);
  }
  return "";
}

}  // namespace sealift::archive
