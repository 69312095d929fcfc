// The allow-list: what an ordinary guest's definition may hold.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sealift::vm {

enum class Treatment {
  kOnce,      ///< Copied; a second one beside it is a blocker.
  kMany,      ///< Copied.
  kReplaced,  ///< Written anew with the target's paths; its children must be listed.
  kDropped,   ///< Left out, whatever it holds: the target makes its own.
};

struct AttributeRule {
  std::string_view name;
  std::string_view form;  ///< As value_fits() reads it.
};

/// One element, by its path below `domain`: "devices/disk/driver". "devices/*/address"
/// stands for every device.
struct ElementRule {
  std::string_view path;
  Treatment treatment = Treatment::kOnce;
  std::string_view text = {};  ///< The form of its text; empty: it has none.
  std::vector<AttributeRule> attributes = {};
};

/// Every rule, sorted by subject. docs/restore-definition.md shows the same table.
/// Source  What virt-install 4.1 and virt-manager 4.1 write, and what libvirt 9.0 to 11
///         add when they store it (docs of the domain XML format).
std::span<const ElementRule> definition_rules();

/// The rule for a path without indices, or null.
const ElementRule* find_rule(std::string_view path);

}  // namespace sealift::vm
