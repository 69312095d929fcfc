// libvirt's XML, read and written with pugixml.
#pragma once

#include <cstdlib>
#include <memory>
#include <pugixml.hpp>
#include <string>
#include <string_view>

#include "base/handle.h"
#include "base/result.h"

namespace sealift::vm {

/// Text that libvirt allocated.
using Text = base::Handle<char, std::free>;
using XmlDocument = std::unique_ptr<pugi::xml_document>;

/// No entities beyond XML's own five, no DTD. errors  kCorrupt: not well-formed.
base::Result<XmlDocument> parse_xml(std::string_view text);

std::string write_xml(const pugi::xml_node& node);

}  // namespace sealift::vm
