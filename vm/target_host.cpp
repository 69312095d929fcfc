#include "vm/target_host.h"

#include <libvirt/virterror.h>

#include <cstdlib>
#include <memory>
#include <string_view>

#include "vm/definition.h"
#include "vm/definition_xml.h"

namespace sealift::vm {

namespace {

using Network = base::Handle<virNetwork, virNetworkFree>;
using StoragePool = base::Handle<virStoragePool, virStoragePoolFree>;

struct FreeText {
  void operator()(char* text) const noexcept { std::free(text); }
};
// Text that libvirt allocated.
using LibvirtText = std::unique_ptr<char, FreeText>;

// The list that libvirt allocated, each entry with an owner.
template <typename Owner, typename T>
std::vector<Owner> owned(T** list, int count) {
  std::vector<Owner> owners;
  for (int i = 0; i < count; ++i) owners.emplace_back(list[i]);
  std::free(static_cast<void*>(list));
  return owners;
}

void add_files(const pugi::xml_node& domain, KnownVm& vm) {
  for (const pugi::xml_node& disk : domain.child("devices").children("disk")) {
    const pugi::xml_node source = disk.child("source");
    for (const char* kind : {"file", "dev"}) {
      const std::string_view path = source.attribute(kind).value();
      if (!path.empty()) vm.files.emplace_back(path);
    }
  }
  const std::string nvram = text_of(domain.child("os").child("nvram"));
  if (!nvram.empty()) vm.files.emplace_back(nvram);
}

base::Result<KnownVm> read_known_vm(const Domain& domain) {
  const LibvirtText text(virDomainGetXMLDesc(domain.get(), VIR_DOMAIN_XML_INACTIVE));
  if (!text) {
    return take_libvirt_error(base::ErrorCode::kHypervisor,
                              "cannot read the definition of a VM of this host");
  }
  ASSIGN_OR_RETURN(const DefinitionFacts facts, read_definition(text.get()));
  ASSIGN_OR_RETURN(const std::unique_ptr<pugi::xml_document> document,
                   parse_domain_xml(text.get()));
  KnownVm vm;
  vm.name = facts.name;
  vm.uuid = facts.uuid;
  vm.mac_addresses = facts.mac_addresses;
  add_files(document->document_element(), vm);
  return vm;
}

base::Status survey_vms(const Connection& connection, TargetHost& host) {
  virDomainPtr* list = nullptr;
  const int count = virConnectListAllDomains(connection.get(), &list, 0);
  if (count < 0) {
    return take_libvirt_error(base::ErrorCode::kHypervisor,
                              "cannot list the VMs of this host");
  }
  for (const Domain& domain : owned<Domain>(list, count)) {
    base::Result<KnownVm> vm = read_known_vm(domain);
    if (vm) {
      host.vms.push_back(std::move(vm).value());
      continue;
    }
    // One that went away between listing and reading collides with nothing.
    if (virDomainIsActive(domain.get()) < 0) continue;
    return std::move(vm).error();
  }
  return base::Done{};
}

base::Status survey_networks(const Connection& connection, TargetHost& host) {
  virNetworkPtr* list = nullptr;
  const int count = virConnectListAllNetworks(connection.get(), &list, 0);
  if (count < 0) {
    return take_libvirt_error(base::ErrorCode::kHypervisor,
                              "cannot list the networks of this host");
  }
  for (const Network& network : owned<Network>(list, count)) {
    host.networks.emplace(virNetworkGetName(network.get()));
  }
  return base::Done{};
}

void add_texts(const pugi::xml_node& parent, const char* name,
               std::set<std::string>& texts) {
  for (const pugi::xml_node& child : parent.children(name)) {
    texts.insert(text_of(child));
  }
}

base::Status survey_capabilities(const Connection& connection, TargetHost& host) {
  const LibvirtText text(virConnectGetCapabilities(connection.get()));
  if (!text) {
    return take_libvirt_error(base::ErrorCode::kHypervisor,
                              "cannot read the capabilities of this host");
  }
  pugi::xml_document document;
  if (!document.load_string(text.get())) {
    return base::Error(base::ErrorCode::kHypervisor,
                       "libvirt describes its capabilities in no XML");
  }
  for (const pugi::xml_node& guest : document.document_element().children("guest")) {
    const pugi::xml_node arch = guest.child("arch");
    if (std::string_view(arch.attribute("name").value()) != "x86_64") continue;
    add_texts(arch, "emulator", host.emulators);
    add_texts(arch, "machine", host.machines);
    for (const pugi::xml_node& domain : arch.children("domain")) {
      host.domain_types.emplace(domain.attribute("type").value());
      add_texts(domain, "emulator", host.emulators);
      add_texts(domain, "machine", host.machines);
    }
  }
  return base::Done{};
}

// Where this host keeps images: its pool "default", if there is one.
void survey_default_pool(const Connection& connection, TargetHost& host) {
  const StoragePool pool(virStoragePoolLookupByName(connection.get(), "default"));
  if (!pool) return;
  const LibvirtText text(virStoragePoolGetXMLDesc(pool.get(), 0));
  pugi::xml_document document;
  if (!text || !document.load_string(text.get())) return;
  const pugi::xml_node root = document.document_element();
  if (std::string_view(root.attribute("type").value()) != "dir") return;
  const std::string path = text_of(root.child("target").child("path"));
  if (!path.empty()) host.image_directory = path;
}

}  // namespace

base::Result<TargetHost> survey_target(const Connection& connection) {
  TargetHost host;
  RETURN_IF_ERROR(survey_vms(connection, host));
  RETURN_IF_ERROR(survey_networks(connection, host));
  RETURN_IF_ERROR(survey_capabilities(connection, host));
  survey_default_pool(connection, host);
  return host;
}

base::Status define_domain(const Connection& connection, const std::string& xml) {
  const Domain domain(virDomainDefineXMLFlags(connection.get(), xml.c_str(), 0));
  if (domain) return base::Done{};
  return take_libvirt_error(base::ErrorCode::kHypervisor,
                            "libvirt does not accept the definition");
}

base::Status start_domain(const Connection& connection, const base::Uuid& uuid) {
  const Domain domain(
      virDomainLookupByUUIDString(connection.get(), uuid.text().c_str()));
  if (domain && virDomainCreate(domain.get()) == 0) return base::Done{};
  return take_libvirt_error(base::ErrorCode::kHypervisor, "the VM does not start");
}

base::Status undefine_domain(const Connection& connection, const base::Uuid& uuid) {
  const Domain domain(
      virDomainLookupByUUIDString(connection.get(), uuid.text().c_str()));
  if (!domain && virGetLastErrorCode() == VIR_ERR_NO_DOMAIN) return base::Done{};
  constexpr unsigned kKeepFiles =
      VIR_DOMAIN_UNDEFINE_KEEP_NVRAM | VIR_DOMAIN_UNDEFINE_KEEP_TPM;
  if (domain && virDomainUndefineFlags(domain.get(), kKeepFiles) == 0) {
    return base::Done{};
  }
  return take_libvirt_error(base::ErrorCode::kHypervisor,
                            "cannot take a definition away again");
}

}  // namespace sealift::vm
