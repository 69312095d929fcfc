// The images that QEMU writes to during a capture.
#pragma once

#include "vm/capture_plan.h"

namespace sealift::vm {

/// Makes scratch files and overlays, some at a time, before the guest stands still:
/// QEMU would make them meanwhile, at 50 ms and more each.
/// errors  As make_image(), make_overlay(): the first that failed.
base::Status make_images(const CapturePlan& plan);

}  // namespace sealift::vm
