// Why a capture of a running VM came to its end before all was read.
#pragma once

#include <string>

#include "vm/capture_traces.h"
#include "vm/connection.h"

namespace sealift::vm {

/// What the guard undid, or who else; `words` say what shows it.
base::Error let_go_early(const CaptureTraces& traces, const std::string& words);

/// Reading fails with a broken socket; what broke it says more: the VM is off, or the
/// job was ended. Any other `error` as it is.
base::Error explain_reading(const Domain& domain, const CaptureTraces& traces,
                            base::Error error);

}  // namespace sealift::vm
