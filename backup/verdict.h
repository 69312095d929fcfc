// What the snapshot just taken is worth.
#pragma once

#include <vector>

#include "archive/manifest.h"
#include "backup/protection.h"
#include "vm/description.h"

namespace sealift::backup {

/// One verdict for the whole, first, then one per component.
/// files  What was captured: a VM whose NVRAM file is gone has none, whatever it names.
std::vector<archive::Verdict> judge(const vm::VmDescription& description,
                                    const std::vector<vm::CapturedFile>& files,
                                    const Protection& protection);

}  // namespace sealift::backup
