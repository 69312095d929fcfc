#include "restore/volume_checks.h"

#include "restore/workers.h"

namespace sealift::restore {

base::Result<archive::Volume> open_believed(const archive::VolumeSource& source,
                                            const std::string& name) {
  base::Result<archive::ObjectInfo> info = source.store.examine(name);
  if (!info) {
    if (info.error().code() != base::ErrorCode::kNotFound) {
      return std::move(info).error();
    }
    return base::Error(base::ErrorCode::kCorrupt, "a volume is missing")
        .at("volume", name)
        .at("repository", source.store.place())
        .next(
            "put the volume back from a copy of the repository, or choose another "
            "snapshot");
  }
  return archive::open_volume(source.store, info.value(), source.repository,
                              source.trust);
}

base::Result<std::unique_ptr<archive::SegmentChecks>> open_volumes(
    const archive::VolumeSource& source, const std::vector<std::string>& names,
    const std::stop_token& stop) {
  auto checks = std::make_unique<archive::SegmentChecks>(source.store, source.trust);
  for (const std::string& name : names) {
    if (stop.stop_requested()) {
      return base::Error(base::ErrorCode::kInterrupted, "stopped while checking");
    }
    ASSIGN_OR_RETURN(const archive::Volume volume, open_believed(source, name));
    RETURN_IF_ERROR(checks->add(volume));
  }
  return checks;
}

base::Status check_rest(archive::SegmentChecks& checks,
                        const std::function<void(const std::string& words)>& told,
                        const std::stop_token& stop) {
  int told_percent = -1;
  const auto tell = [&](std::uint64_t bytes) {
    const int percent = static_cast<int>(static_cast<double>(bytes) * 100 /
                                         static_cast<double>(checks.bytes()));
    if (!told || percent == told_percent) return;
    told_percent = percent;
    told("checking every byte of " + std::to_string(checks.volumes()) +
         " volumes: " + std::to_string(percent) + " %");
  };
  return checks.check_rest(worker_count(), tell, stop);
}

}  // namespace sealift::restore
