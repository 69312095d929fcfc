// Copies what the allow-list holds from one definition to another.
#pragma once

#include <pugixml.hpp>
#include <vector>

#include "vm/definition.h"

namespace sealift::vm {

struct Copied {
  std::vector<Blocker> blockers;
  std::set<std::string> unused;  ///< Names that `places` allows and nothing has.
};

/// Appends to `to` a domain with every element and attribute of `from` that the rules
/// list with a fitting value, or that `places` allows by name; the rest become
/// blockers. Elements to be replaced are copied empty.
Copied copy_listed(const pugi::xml_node& from, pugi::xml_document& to,
                   const DefinitionPlaces& places);

/// How messages and --allow-element call `element`, whose parent is called `parent`:
/// "os/loader", "devices/hostdev[1]", "devices/disk[vdb]".
std::string shown_path(const pugi::xml_node& element, const std::string& parent);

}  // namespace sealift::vm
