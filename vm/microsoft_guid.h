// GUIDs as Microsoft's formats store them.
#pragma once

#include <algorithm>
#include <optional>
#include <string_view>

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

/// "{7fb1…}" or "7FB1…"; none of any other text.
inline std::optional<base::Uuid> guid_of_text(std::string_view text) {
  if (text.starts_with('{') && text.ends_with('}')) {
    text = text.substr(1, text.size() - 2);
  }
  auto guid = base::Uuid::parse(text);
  if (!guid) return std::nullopt;
  return std::move(guid).value();
}

}  // namespace sealift::vm
