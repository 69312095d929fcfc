// GUIDs as Microsoft's formats store them.
#pragma once

#include <algorithm>

#include "base/bytes.h"
#include "base/uuid.h"

namespace sealift::vm {

/// The GUID that begins `bytes`, 16 of them: its first three fields are little-endian
/// (MS-DTYP, 2.3.4.2).
inline base::Uuid microsoft_guid(base::ByteView bytes) {
  base::Uuid::Array array{};
  std::ranges::copy(bytes.first(array.size()), array.begin());
  std::ranges::reverse(array.begin(), array.begin() + 4);
  std::ranges::reverse(array.begin() + 4, array.begin() + 6);
  std::ranges::reverse(array.begin() + 6, array.begin() + 8);
  return base::Uuid(array);
}

}  // namespace sealift::vm
