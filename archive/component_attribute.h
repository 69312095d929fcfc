// One fact about a component, from its attributes.
#pragma once

#include <string>

#include "archive/manifest.h"

namespace sealift::archive {

/// Empty: the manifest does not say it.
inline std::string attribute_of(const Component& component, const std::string& name) {
  const auto found = component.attributes.find(name);
  return found == component.attributes.end() ? std::string() : found->second;
}

}  // namespace sealift::archive
