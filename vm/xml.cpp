#include "vm/xml.h"

#include <sstream>

namespace sealift::vm {

base::Result<XmlDocument> parse_xml(std::string_view text) {
  auto document = std::make_unique<pugi::xml_document>();
  const pugi::xml_parse_result outcome = document->load_buffer(
      text.data(), text.size(), pugi::parse_default | pugi::parse_ws_pcdata_single,
      pugi::encoding_utf8);
  if (!outcome) {
    return base::Error(base::ErrorCode::kCorrupt, "not well-formed XML")
        .at("offset", std::to_string(outcome.offset))
        .because(outcome.description());
  }
  return document;
}

std::string write_xml(const pugi::xml_node& node) {
  std::ostringstream text;
  node.print(text, "  ", pugi::format_default | pugi::format_no_declaration);
  return text.str();
}

}  // namespace sealift::vm
