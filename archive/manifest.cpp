#include "archive/manifest.h"

#include <algorithm>
#include <set>

#include "archive/limits.h"
#include "archive/manifest_text.h"
#include "archive/page.h"
#include "archive/repository_document.h"
#include "archive/rule.h"
#include "base/uuid.h"

namespace sealift::archive {

namespace {

using Words = std::initializer_list<std::string_view>;

bool is_one_of(std::string_view word, Words words) {
  return std::ranges::find(words, word) != words.end();
}

base::Error exceeded(std::string what) { return broken("M6", std::move(what)); }

base::Status check_text(std::string_view text, std::size_t limit) {
  if (text.size() > limit) return exceeded("a text of the manifest is too long");
  return base::Done{};
}

base::Status check_map(const std::map<std::string, std::string>& map) {
  if (map.size() > kMaxMapEntries) return exceeded("a map of the manifest is too long");
  for (const auto& [name, text] : map) {
    RETURN_IF_ERROR(check_text(name, kMaxNameSize));
    RETURN_IF_ERROR(check_text(text, kMaxTextSize));
  }
  return base::Done{};
}

base::Status check_component(const Component& component, std::uint32_t chunk_size) {
  if (!is_component_kind(component.kind) || !is_component_name(component.name) ||
      component.scope != scope_of(component.kind)) {
    return broken("M3", "a component's kind, name or scope is not as it must be");
  }
  if (component.size > kMaxComponentSize ||
      (component.size == 0 && !component.root.is_zero()) ||
      component.depth != TreeShape(component.size, chunk_size).depth()) {
    return broken("M4", "a component's size or depth cannot be");
  }
  return check_map(component.attributes);
}

base::Status check_components(const Manifest& manifest) {
  if (manifest.components.size() > kMaxComponents) {
    return exceeded("the manifest has too many components");
  }
  std::set<std::pair<std::string, std::string>> seen;
  for (const Component& component : manifest.components) {
    if (auto checked = check_component(component, manifest.chunk_size); !checked) {
      return std::move(checked).error().at("component",
                                           component.kind + " " + component.name);
    }
    if (!seen.insert({component.kind, component.name}).second) {
      return broken("M5", "a component stands twice in the manifest")
          .at("component", component.kind + " " + component.name);
    }
  }
  return base::Done{};
}

base::Status check_words(const Manifest& manifest) {
  const auto uuid = base::Uuid::parse(manifest.vm_uuid);
  const bool is_known =
      uuid && uuid.value().text() == manifest.vm_uuid && !manifest.vm_name.empty() &&
      is_one_of(manifest.platform, {"libvirt", "hyper-v"}) &&
      is_one_of(manifest.kind, {"full", "incremental", "state"}) &&
      is_one_of(manifest.read, {"all", "changed", "state"}) &&
      !manifest.verdicts.empty() &&
      std::ranges::all_of(manifest.verdicts, [](const Verdict& verdict) {
        return is_one_of(verdict.state, {"complete", "incomplete", "absent"});
      });
  if (!is_known) return broken("M3", "a word of the manifest is none that it knows");
  return base::Done{};
}

base::Status check_texts(const Manifest& manifest) {
  for (const std::string* name :
       {&manifest.vm_name, &manifest.cluster, &manifest.host}) {
    RETURN_IF_ERROR(check_text(*name, kMaxNameSize));
  }
  if (manifest.verdicts.size() > kMaxVerdicts ||
      manifest.protection_keys.size() > kMaxProtectionKeys) {
    return exceeded("a list of the manifest is too long");
  }
  for (const Verdict& verdict : manifest.verdicts) {
    RETURN_IF_ERROR(check_text(verdict.component, kMaxTextSize));
    RETURN_IF_ERROR(check_text(verdict.reason, kMaxTextSize));
  }
  for (const ProtectionKeyEntry& key : manifest.protection_keys) {
    for (const std::string* text :
         {&key.member, &key.key_name, &key.usage, &key.encoding}) {
      RETURN_IF_ERROR(check_text(*text, kMaxTextSize));
    }
  }
  RETURN_IF_ERROR(check_map(manifest.consistency));
  return check_map(manifest.versions);
}

// Each a file of its own, and none the folder of another.
base::Status check_export_paths(const Manifest& manifest) {
  std::set<std::string> paths;
  for (const Component& component : manifest.components) {
    const auto path = component.attributes.find(kExportPath);
    if (path == component.attributes.end() || !is_export_path(path->second)) {
      return broken("M9", "a component has no path that its file can have")
          .at("component", component.kind + " " + component.name);
    }
    if (!paths.insert(path->second + "/").second) {
      return broken("M9", "two components have one path").at("path", path->second);
    }
  }
  // What begins with another stands right behind it, or behind its like.
  for (auto path = paths.begin(); path != paths.end(); ++path) {
    const auto next = std::next(path);
    if (next == paths.end() || !next->starts_with(*path)) continue;
    return broken("M9", "a component's file would be a folder").at("path", *path);
  }
  return base::Done{};
}

}  // namespace

bool is_export_path(std::string_view path) {
  constexpr std::size_t kMostNames = 64;
  std::size_t names = 0;
  while (true) {
    const std::string_view name = path.substr(0, path.find('/'));
    const bool is_plain = std::ranges::none_of(
        name, [](unsigned char c) { return c < ' ' || c == 0x7f || c == '\\'; });
    if (name.empty() || name.size() > kMaxNameSize || name == "." || name == ".." ||
        !is_plain || ++names > kMostNames) {
      return false;
    }
    if (name.size() == path.size()) return true;
    path.remove_prefix(name.size() + 1);
  }
}

bool is_said_absent(const Manifest& manifest, std::string_view component) {
  return std::ranges::any_of(manifest.verdicts, [&](const Verdict& verdict) {
    return verdict.component == component && verdict.state == "absent";
  });
}

bool is_component_kind(std::string_view kind) {
  return is_one_of(kind,
                   {"config", "disk", "firmware-vars", "guest-state", "runtime-state"});
}

bool is_component_name(std::string_view name) {
  constexpr std::string_view kAllowed =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
  return !name.empty() && name.size() <= kMaxNameSize && name != "." && name != ".." &&
         name.find_first_not_of(kAllowed) == std::string_view::npos;
}

IdScope scope_of(std::string_view kind) {
  return kind == "disk" ? IdScope::kShared : IdScope::kPrivate;
}

base::Status check_manifest(const Manifest& manifest) {
  RETURN_IF_ERROR(check_words(manifest));
  if (!is_chunk_size(manifest.chunk_size)) {
    return broken("M4", "the manifest's chunk size cannot be");
  }
  RETURN_IF_ERROR(check_components(manifest));
  RETURN_IF_ERROR(check_texts(manifest));
  if (manifest.platform != "hyper-v") return base::Done{};
  return check_export_paths(manifest);
}

std::string protection_key_member(std::size_t position) {
  if (position == 0) return "protection-key.json";
  return "protection-key." + std::to_string(position + 1) + ".json";
}

}  // namespace sealift::archive
