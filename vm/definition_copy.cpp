#include "vm/definition_copy.h"

#include <algorithm>
#include <string_view>

#include "vm/definition_rules.h"
#include "vm/definition_value.h"
#include "vm/definition_xml.h"

namespace sealift::vm {

namespace {

constexpr std::size_t kShownValue = 100;

std::string joined(const std::string& parent, std::string_view name) {
  return parent.empty() ? std::string(name) : parent + "/" + std::string(name);
}

bool is_blank(const std::string& text) {
  return text.find_first_not_of(" \t\r\n") == std::string::npos;
}

// A value as a message shows it; what may be a password is not shown.
std::string quoted(std::string_view name, std::string_view value) {
  if (name == "passwd") return "its value";
  return "\"" + std::string(value.substr(0, kShownValue)) + "\"";
}

class Copying {
 public:
  explicit Copying(const DefinitionPlaces& places)
      : unused(places.allowed_elements), places_(places) {}

  std::vector<Blocker> blockers;
  std::set<std::string> unused;

  void copy_content(const pugi::xml_node& from, pugi::xml_node to,
                    const std::string& path, const std::string& shown,
                    const ElementRule& rule) {
    if (rule.treatment != Treatment::kReplaced) {
      copy_attributes(from, to, shown, rule);
      copy_text(from, to, shown, rule);
    }
    for (const pugi::xml_node& child : from.children()) {
      if (child.type() == pugi::node_element) copy_element(child, to, path, shown);
    }
  }

 private:
  void block(const std::string& shown, std::string reason) {
    blockers.push_back({shown.empty() ? "domain" : shown, std::move(reason)});
  }

  void copy_element(const pugi::xml_node& from, pugi::xml_node to,
                    const std::string& parent_path, const std::string& parent_shown) {
    const std::string path = joined(parent_path, from.name());
    const std::string shown = shown_path(from, parent_shown);
    if (places_.allowed_elements.contains(path) ||
        places_.allowed_elements.contains(shown)) {
      unused.erase(path);
      unused.erase(shown);
      to.append_copy(from);
      return;
    }
    const ElementRule* rule = find_rule(path);
    if (rule == nullptr) {
      block(shown, "an ordinary guest's definition has no such element");
      return;
    }
    if (rule->treatment == Treatment::kDropped) return;
    if (rule->treatment != Treatment::kMany &&
        !from.previous_sibling(from.name()).empty()) {
      block(shown, "the element stands twice");
      return;
    }
    copy_content(from, to.append_child(from.name()), path, shown, *rule);
  }

  void copy_attributes(const pugi::xml_node& from, pugi::xml_node to,
                       const std::string& shown, const ElementRule& rule) {
    for (const pugi::xml_attribute& attribute : from.attributes()) {
      const std::string_view name = attribute.name();
      const auto known = std::ranges::find(rule.attributes, name, &AttributeRule::name);
      if (known == rule.attributes.end()) {
        // Declared here, used only below elements that are allowed by name.
        if (shown.empty() && name.starts_with("xmlns:")) continue;
        block(shown, "an ordinary guest's definition has no attribute " +
                         std::string(name) + " there");
        continue;
      }
      if (known->form == "<dropped>") continue;
      if (!to.attribute(attribute.name()).empty()) {
        block(shown, "the attribute " + std::string(name) + " stands twice");
        continue;
      }
      if (!value_fits(attribute.value(), known->form, places_.emulators)) {
        block(shown, "the attribute " + std::string(name) + " may not be " +
                         quoted(name, attribute.value()));
        continue;
      }
      to.append_attribute(attribute.name()).set_value(attribute.value());
    }
  }

  void copy_text(const pugi::xml_node& from, pugi::xml_node to,
                 const std::string& shown, const ElementRule& rule) {
    const std::string text = text_of(from);
    if (text.empty() || (rule.text.empty() && is_blank(text))) return;
    if (rule.text.empty()) {
      block(shown, "an ordinary guest's definition has no text there");
      return;
    }
    if (!value_fits(text, rule.text, places_.emulators)) {
      block(shown, "its value may not be " + quoted(from.name(), text));
      return;
    }
    to.text().set(text.c_str());
  }

  const DefinitionPlaces& places_;
};

// The prefix of an element that is allowed by name means nothing without its
// declaration.
void copy_declarations(const pugi::xml_node& from, pugi::xml_node to,
                       const DefinitionPlaces& places) {
  for (const pugi::xml_attribute& attribute : from.attributes()) {
    const std::string_view name = attribute.name();
    constexpr std::string_view kDeclaration = "xmlns:";
    if (!name.starts_with(kDeclaration)) continue;
    const std::string prefix = std::string(name.substr(kDeclaration.size())) + ":";
    if (std::ranges::any_of(places.allowed_elements, [&](const std::string& allowed) {
          return allowed.starts_with(prefix);
        })) {
      to.append_attribute(attribute.name()).set_value(attribute.value());
    }
  }
}

}  // namespace

std::string shown_path(const pugi::xml_node& element, const std::string& parent) {
  const std::string_view name = element.name();
  std::string shown = joined(parent, name);
  if (parent == "devices" && name == "disk") {
    const std::string target = element.child("target").attribute("dev").value();
    if (value_fits(target, "<word>", {})) return shown + "[" + target + "]";
  }
  std::size_t index = 1;
  for (pugi::xml_node before = element.previous_sibling(element.name()); before;
       before = before.previous_sibling(element.name())) {
    ++index;
  }
  const bool is_alone = index == 1 && !element.next_sibling(element.name());
  const bool is_device = parent == "devices" && name != "emulator";
  if (is_alone && !is_device) return shown;
  return shown + "[" + std::to_string(index) + "]";
}

Copied copy_listed(const pugi::xml_node& from, pugi::xml_document& to,
                   const DefinitionPlaces& places) {
  Copying copying(places);
  pugi::xml_node domain = to.append_child("domain");
  copying.copy_content(from, domain, "", "", *find_rule(""));
  copy_declarations(from, domain, places);
  return {std::move(copying.blockers), std::move(copying.unused)};
}

}  // namespace sealift::vm
