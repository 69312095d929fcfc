#include "vm/definition.h"

#include "vm/definition_copy.h"
#include "vm/definition_placing.h"
#include "vm/definition_xml.h"

namespace sealift::vm {

base::Result<RebuiltDefinition> rebuild_definition(const std::string& inactive_xml,
                                                   const DefinitionPlaces& places) {
  ASSIGN_OR_RETURN(const std::unique_ptr<pugi::xml_document> document,
                   parse_domain_xml(inactive_xml));
  const pugi::xml_node original = document->document_element();
  pugi::xml_document rebuilt;
  RebuiltDefinition result;
  Copied copied = copy_listed(original, rebuilt, places);
  result.blockers = std::move(copied.blockers);
  for (const std::string& element : copied.unused) {
    result.notes.push_back("no element " + element +
                           " is in the definition: --allow-element had no effect");
  }
  // libvirt would make up what is missing.
  for (const char* identity : {"name", "uuid"}) {
    if (text_of(original.child(identity)).empty()) {
      result.blockers.push_back({identity, "the definition does not say it"});
    }
  }
  pugi::xml_node domain = rebuilt.document_element();
  place_disks(domain, original, places, result);
  place_nvram(domain, original, places, result);
  drop_channel_sockets(domain);
  result.xml = to_text(rebuilt);
  return result;
}

}  // namespace sealift::vm
