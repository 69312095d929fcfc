#include "vm/capture_images.h"

#include <deque>
#include <future>

#include "vm/overlay.h"

namespace sealift::vm {

namespace {

constexpr std::size_t kMostProgramsAtOnce = 4;

}  // namespace

base::Status make_images(const CapturePlan& plan) {
  std::deque<std::future<base::Status>> making;
  base::Status status = base::Done{};
  const auto wait_until_left = [&](std::size_t left) {
    while (making.size() > left) {
      auto made = making.front().get();
      making.pop_front();
      if (!made && status) status = std::move(made);
    }
  };
  auto scratch = plan.traces.scratch_files.begin();
  auto overlay = plan.traces.overlays.begin();
  for (const auto& [disk, way] : plan.disks) {
    wait_until_left(kMostProgramsAtOnce - 1);
    if (way == Way::kPull) {
      making.push_back(
          std::async(std::launch::async, make_image, *scratch++, disk.size));
    }
    if (way == Way::kOverlay) {
      making.push_back(std::async(std::launch::async, make_overlay, *overlay++, disk));
    }
  }
  wait_until_left(0);
  return status;
}

}  // namespace sealift::vm
