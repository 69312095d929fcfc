// A domain's XML as a tree.
#pragma once

#include <memory>
#include <pugixml.hpp>
#include <string>

#include "base/result.h"

namespace sealift::vm {

/// `xml` as a tree whose root element is `domain`: UTF-8, at most 1 MiB, no document
/// type, so that no entity means anything but itself.
/// errors  kCorrupt: anything else.
base::Result<std::unique_ptr<pugi::xml_document>> parse_domain_xml(
    const std::string& xml);

/// All text directly in `element`, comments left out.
std::string text_of(const pugi::xml_node& element);

std::string to_text(const pugi::xml_document& document);

}  // namespace sealift::vm
