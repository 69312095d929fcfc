#include "vm/definition_xml.h"

#include <sstream>
#include <string_view>

#include "base/byte_count.h"

namespace sealift::vm {

namespace {

constexpr std::size_t kMaxXml = base::kMiB;

base::Error no_domain(std::string_view cause) {
  return base::Error(base::ErrorCode::kCorrupt, "this is not the XML of a domain")
      .because(cause);
}

}  // namespace

base::Result<std::unique_ptr<pugi::xml_document>> parse_domain_xml(
    const std::string& xml) {
  if (xml.size() > kMaxXml) return no_domain("it is larger than 1 MiB");
  if (xml.find('\0') != std::string::npos) return no_domain("it holds a NUL byte");
  auto document = std::make_unique<pugi::xml_document>();
  const pugi::xml_parse_result parsed = document->load_buffer(
      xml.data(), xml.size(), pugi::parse_default | pugi::parse_doctype,
      pugi::encoding_utf8);
  if (!parsed) {
    return no_domain(std::string(parsed.description()) + " at byte " +
                     std::to_string(parsed.offset));
  }
  std::size_t roots = 0;
  for (const pugi::xml_node& node : *document) {
    if (node.type() == pugi::node_doctype) return no_domain("it has a document type");
    if (node.type() == pugi::node_element) ++roots;
  }
  if (roots != 1) return no_domain("it has not one root element");
  if (std::string_view(document->document_element().name()) != "domain") {
    return no_domain("its root element is no domain");
  }
  return document;
}

std::string text_of(const pugi::xml_node& element) {
  std::string text;
  for (const pugi::xml_node& child : element) {
    if (child.type() == pugi::node_pcdata || child.type() == pugi::node_cdata) {
      text += child.value();
    }
  }
  return text;
}

std::string to_text(const pugi::xml_document& document) {
  std::ostringstream out;
  document.save(out, "  ", pugi::format_indent | pugi::format_no_declaration,
                pugi::encoding_utf8);
  return out.str();
}

}  // namespace sealift::vm
