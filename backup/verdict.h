// What the snapshot just taken is worth.
#pragma once

#include <vector>

#include "archive/manifest.h"
#include "backup/protection.h"
#include "vm/description.h"

namespace sealift::backup {

/// One verdict for the whole, first, then one per component.
/// files  What was captured: a VM whose NVRAM file is gone has none, whatever it names.
/// missing  What should have been: each makes its component and the whole incomplete.
std::vector<archive::Verdict> judge(const vm::VmDescription& description,
                                    const std::vector<vm::CapturedFile>& files,
                                    const std::vector<vm::MissingPart>& missing,
                                    const Protection& protection);

}  // namespace sealift::backup
