#include "archive/object_store.h"

#include <algorithm>

namespace sealift::archive {

namespace {

constexpr std::size_t kNameLimit = 512;

bool is_name_character(char character) {
  return (character >= 'A' && character <= 'Z') ||
         (character >= 'a' && character <= 'z') ||
         (character >= '0' && character <= '9') || character == '_' ||
         character == '.' || character == '-';
}

}  // namespace

bool is_object_name(std::string_view name) {
  if (name.empty() || name.size() > kNameLimit) return false;
  for (std::size_t at = 0; at <= name.size();) {
    const std::size_t end = std::min(name.find('/', at), name.size());
    const std::string_view part = name.substr(at, end - at);
    if (part.empty() || part.front() == '.') return false;
    if (!std::ranges::all_of(part, is_name_character)) return false;
    at = end + 1;
  }
  return true;
}

base::Result<bool> ObjectReader::is_empty() const {
  ASSIGN_OR_RETURN(const std::vector<ObjectInfo> objects, list(""));
  return objects.empty();
}

base::Result<base::Bytes> read_object(const ObjectReader& store, std::string_view name,
                                      std::uint64_t limit) {
  ASSIGN_OR_RETURN(const ObjectInfo object, store.examine(name));
  if (object.size > limit) {
    return base::Error(base::ErrorCode::kCorrupt,
                       "the object is larger than the limit of " +
                           std::to_string(limit) + " bytes")
        .at("object", name)
        .at("repository", store.place());
  }
  base::Bytes bytes(static_cast<std::size_t>(object.size));
  RETURN_IF_ERROR(store.read(name, 0, bytes));
  return bytes;
}

base::Status put_object(ObjectStore& store, std::string_view name,
                        base::ByteView bytes) {
  ASSIGN_OR_RETURN(const std::unique_ptr<PendingObject> object, store.create(name));
  RETURN_IF_ERROR(object->append(bytes));
  return object->publish();
}

}  // namespace sealift::archive
