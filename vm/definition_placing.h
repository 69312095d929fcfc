// Gives a copied definition the target's own places.
#pragma once

#include <pugixml.hpp>

#include "vm/definition.h"

namespace sealift::vm {

/// Every disk of `rebuilt.domain` gets its place and states its format, drives with
/// removable media are emptied, NVRAM gets its path. `original` is the domain as it was
/// on the source. Appends blockers and notes to `result`.
void place_disks(pugi::xml_node domain, const pugi::xml_node& original,
                 const DefinitionPlaces& places, RebuiltDefinition& result);
void place_nvram(pugi::xml_node domain, const pugi::xml_node& original,
                 const DefinitionPlaces& places, RebuiltDefinition& result);
/// Whether the firmware that `os` describes keeps its variables in a file.
bool keeps_variables(const pugi::xml_node& os);
/// libvirt makes the sockets of channels anew, in its own folder.
void drop_channel_sockets(pugi::xml_node domain);

}  // namespace sealift::vm
