// Any text is refused, has blockers, or becomes a definition that holds nothing outside
// the allow-list, no path but those given, and that is rebuilt to itself.
#include <cstdint>
#include <pugixml.hpp>
#include <string>
#include <string_view>

#include "vm/definition.h"
#include "vm/definition_rules.h"

namespace {

namespace vm = sealift::vm;

constexpr std::string_view kDisk = "/var/lib/libvirt/images/disk.qcow2";
constexpr std::string_view kNvram = "/var/lib/libvirt/qemu/nvram/vm.fd";

void require(bool is_so) {
  if (!is_so) __builtin_trap();
}

bool is_given_path(std::string_view value) {
  return value == kDisk || value == kNvram || value == "/dev/random" ||
         value == "/dev/urandom" || value == "/machine" ||
         value == "/usr/bin/qemu-system-x86_64" ||
         value.starts_with("/var/log/libvirt/") || value.starts_with("/usr/share/");
}

// Text that no rule may let a path into.
bool is_free_text(const std::string& path) {
  return path == "title" || path == "description" || path.ends_with("/serial") ||
         path.ends_with("/vendor") || path.ends_with("/product") ||
         path.ends_with("libosinfo:os") || path == "devices/graphics";
}

void look(const pugi::xml_node& element, const std::string& path) {
  require(vm::find_rule(path) != nullptr);
  for (const pugi::xml_attribute& attribute : element.attributes()) {
    const std::string_view value = attribute.value();
    require(!value.starts_with('/') || is_given_path(value) || is_free_text(path));
  }
  for (const pugi::xml_node& child : element.children()) {
    if (child.type() == pugi::node_element) {
      look(child, path.empty() ? child.name() : path + "/" + child.name());
      continue;
    }
    const std::string_view value = child.value();
    require(!value.starts_with('/') || is_given_path(value) || is_free_text(path));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  vm::DefinitionPlaces places;
  places.disks["vda"] = {kDisk, "qcow2"};
  places.nvram = kNvram;
  places.emulators = {"/usr/bin/qemu-system-x86_64"};
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto rebuilt = vm::rebuild_definition(text, places);
  if (!rebuilt || !rebuilt.value().blockers.empty()) return 0;

  const std::string& xml = rebuilt.value().xml;
  pugi::xml_document document;
  require(static_cast<bool>(document.load_string(xml.c_str())));
  look(document.document_element(), "");
  const auto again = vm::rebuild_definition(xml, places);
  require(again && again.value().blockers.empty() && again.value().xml == xml);
  return 0;
}
