#include <string_view>

#include "vm/definition.h"
#include "vm/definition_placing.h"
#include "vm/definition_xml.h"

namespace sealift::vm {

namespace {

void add_if_given(std::vector<std::string>& list, const pugi::xml_attribute& value) {
  if (!std::string_view(value.value()).empty()) list.emplace_back(value.value());
}

void read_devices(const pugi::xml_node& devices, DefinitionFacts& facts) {
  facts.emulator = text_of(devices.child("emulator"));
  for (const pugi::xml_node& interface : devices.children("interface")) {
    add_if_given(facts.mac_addresses, interface.child("mac").attribute("address"));
    add_if_given(facts.networks, interface.child("source").attribute("network"));
    add_if_given(facts.bridges, interface.child("source").attribute("bridge"));
  }
  const pugi::xml_node backend = devices.child("tpm").child("backend");
  facts.has_vtpm = std::string_view(backend.attribute("type").value()) == "emulator";
  facts.tpm_secret = backend.child("encryption").attribute("secret").value();
}

}  // namespace

base::Result<DefinitionFacts> read_definition(const std::string& xml) {
  ASSIGN_OR_RETURN(const std::unique_ptr<pugi::xml_document> document,
                   parse_domain_xml(xml));
  const pugi::xml_node domain = document->document_element();
  DefinitionFacts facts;
  facts.name = text_of(domain.child("name"));
  const std::string uuid = text_of(domain.child("uuid"));
  const base::Result<base::Uuid> parsed = base::Uuid::parse(uuid);
  if (facts.name.empty() || !parsed) {
    return base::Error(base::ErrorCode::kCorrupt,
                       "the definition has no name or no UUID")
        .at("name", facts.name)
        .at("uuid", uuid);
  }
  facts.uuid = parsed.value();
  facts.domain_type = domain.attribute("type").value();
  const pugi::xml_node os = domain.child("os");
  facts.machine = os.child("type").attribute("machine").value();
  facts.loader = text_of(os.child("loader"));
  facts.has_nvram = keeps_variables(os);
  read_devices(domain.child("devices"), facts);
  return facts;
}

}  // namespace sealift::vm
