// Text files as they come from Windows tools.
#pragma once

#include <string>

#include "base/bytes.h"
#include "base/result.h"

namespace sealift::keyvault {

/// `bytes` as UTF-8 without byte order mark: UTF-16 of either order is converted when a
/// byte order mark announces it, anything else is taken as it is.
/// errors  kCorrupt: UTF-16 that is none.
base::Result<std::string> read_field_text(base::ByteView bytes);

}  // namespace sealift::keyvault
