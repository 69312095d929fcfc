#include "restore/handover.h"

#include <algorithm>
#include <set>

#include "archive/component_attribute.h"
#include "archive/restored_names.h"
#include "keyvault/digest.h"
#include "keyvault/protection_key.h"
#include "restore/runbook_plan.h"
#include "vm/hyperv_attributes.h"
#include "vm/hyperv_files.h"

namespace sealift::restore {

namespace {

constexpr std::size_t kVmKeySize = 32;  // Bytes of an AES-256 key.
constexpr unsigned kVmKeyBits = 256;
constexpr unsigned kRootKeyBits = 4096;

// "20261127201507" of 2026-11-27T20:15:07Z: how TvmBackupUtils names a folder.
std::string folder_name(base::Timestamp time) {
  std::string digits;
  for (const char c : time.text()) {
    if (c >= '0' && c <= '9') digits += c;
  }
  return digits;
}

std::string fact(const std::map<std::string, std::string>& facts, const char* name) {
  const auto found = facts.find(name);
  return found == facts.end() ? std::string() : found->second;
}

std::vector<std::string> split_names(std::string_view names) {
  constexpr std::string_view kBetween = ", ";
  std::vector<std::string> list;
  while (!names.empty()) {
    const std::size_t end = names.find(kBetween);
    list.emplace_back(names.substr(0, end));
    if (end == std::string_view::npos) break;
    names.remove_prefix(end + kBetween.size());
  }
  return list;
}

/// Collects what the manifest says, then wraps the keys.
class HandoverMaker {
 public:
  HandoverMaker(const archive::SnapshotReader& reader,
                const catalog::Snapshot& snapshot, const SnapshotPlace& place,
                const WrapTarget& target)
      : reader_(reader),
        manifest_(reader.manifest()),
        target_(target),
        time_(folder_name(manifest_.created)) {
    facts_.vm_name = manifest_.vm_name;
    facts_.vm_id = manifest_.vm_uuid;
    facts_.snapshot = snapshot.id.hex();
    facts_.created = manifest_.created;
    facts_.repository = place.source.repository.hex();
    facts_.archives = place.archives;
    // Of an export that was made by hand nothing says where, or when.
    const std::string exported = fact(manifest_.consistency, "exported");
    if (const auto time = base::Timestamp::parse_stored(exported)) {
      facts_.exported = time.value();
      facts_.source_cluster = manifest_.cluster;
      facts_.source_host = manifest_.host;
    }
    facts_.host_build = fact(manifest_.versions, "windows");
    facts_.disks = drive_disks(manifest_);
    facts_.guest_state = GuestStateProtection::kAbsent;
    facts_.recovery_key_id = target.identity.key->recipient().id().hex();
    facts_.wrapping_key_name = target.key_name;
    facts_.wrapping_key_id = target.key.id().hex();
    facts_.target_cluster = target.cluster;
  }

  base::Result<Handover> make() {
    for (const archive::Component& component : manifest_.components) note(component);
    RETURN_IF_ERROR(must_have_own_name());
    RETURN_IF_ERROR(wrap_keys());
    base::Json said = record();
    files_.push_back({std::string(archive::kRunbook), write_runbook(facts_)});
    return Handover{std::move(files_), std::move(said)};
  }

 private:
  void note(const archive::Component& component) {
    const std::string path = archive::attribute_of(component, archive::kExportPath);
    if (archive::attribute_of(component, vm::kExportRole) != vm::kRoleOfVm) {
      note_checkpoint(component);
    } else if (component.kind == "guest-state") {
      guest_state_ = archive::attribute_of(component, vm::kProtection);
      facts_.guest_state = vm::protection_called(guest_state_);
    } else if (component.kind == "runtime-state") {
      facts_.has_saved_memory =
          facts_.has_saved_memory ||
          archive::attribute_of(component, vm::kSavedMemory) == "yes";
    } else if (component.kind == "config") {
      facts_.configuration = path;
      facts_.bios_id = archive::attribute_of(component, vm::kBiosId);
      facts_.left_wrapping_keys =
          split_names(archive::attribute_of(component, vm::kOtherKeys));
    }
  }

  void note_checkpoint(const archive::Component& component) {
    if (component.kind != "guest-state") return;
    const auto protection =
        vm::protection_called(archive::attribute_of(component, vm::kProtection));
    if (vm::needs_key(protection)) facts_.checkpoint_needs_key = true;
  }

  // An import of a key named like the wrapping key hangs, and so does one beside a key
  // of that name which an earlier restore left.
  base::Status must_have_own_name() const {
    const auto is_it = [this](std::string_view name) {
      return runbook::is_same_name(name, target_.key_name);
    };
    const bool is_taken = is_it(runbook::kRootKeyName) || is_it(manifest_.vm_uuid) ||
                          std::ranges::any_of(facts_.left_wrapping_keys, is_it) ||
                          std::ranges::any_of(manifest_.protection_keys, is_it,
                                              &archive::ProtectionKeyEntry::key_name);
    if (!is_taken) return base::Done{};
    return base::Error(base::ErrorCode::kRefused,
                       "the wrapping key is named like a key of the source; nothing "
                       "was written")
        .at("option", "--wrapping-key-name " + target_.key_name)
        .next(
            "make a wrapping key under a name of its own, and name that one with "
            "--wrap-to and --wrapping-key-name");
  }

  base::Status wrap_keys() {
    std::set<std::string> done;
    bool has_vm_key = false;
    for (std::size_t at = 0; at < manifest_.protection_keys.size(); ++at) {
      const archive::ProtectionKeyEntry& entry = manifest_.protection_keys[at];
      has_vm_key = has_vm_key || entry.usage == kOfVm;
      const bool is_ours = entry.recipient == target_.identity.key->recipient().id();
      if (!is_ours || !done.insert(vm::lower_case(entry.key_name)).second) continue;
      auto status = wrap(entry, reader_.protection_keys()[at].second);
      if (!status) return std::move(status).error().at("member", entry.member);
    }
    if (!has_vm_key || done.contains(vm::lower_case(manifest_.vm_uuid)))
      return base::Done{};
    return not_wrapped_to(target_.identity, manifest_);
  }

  base::Status wrap(const archive::ProtectionKeyEntry& entry, const std::string& text) {
    ASSIGN_OR_RETURN(
        keyvault::RewrappedKey wrapped,
        keyvault::rewrap_key_json(base::as_bytes(text), *target_.identity.key,
                                  target_.key, target_.key_name));
    const bool is_vm_key = entry.usage == kOfVm;
    if (is_vm_key && wrapped.key_size != kVmKeySize) {
      return base::Error(base::ErrorCode::kCorrupt,
                         "the protection key has " + std::to_string(wrapped.key_size) +
                             " bytes, not 32");
    }
    RunbookKey key;
    key.name = entry.key_name;
    key.type = is_vm_key ? "AES" : "RSA";
    key.size = is_vm_key ? kVmKeyBits : kRootKeyBits;
    key.member = entry.member;
    key.path = std::string(archive::kRestoredKeys) + "/" + time_ + "/" + key.type +
               "/" + key.name + "_" + std::to_string(key.size) + ".json";
    if (!archive::is_export_path(key.path)) {
      return base::Error(base::ErrorCode::kCorrupt, "a key's name cannot be a file's")
          .at("key", key.name);
    }
    files_.push_back({key.path, std::move(wrapped.json)});
    facts_.keys.push_back(std::move(key));
    return base::Done{};
  }

  base::Json record() const {
    base::Json json{{"format", 1},
                    {"vm_id", manifest_.vm_uuid},
                    {"vm_name", manifest_.vm_name},
                    {"snapshot", facts_.snapshot},
                    {"created", manifest_.created.text()},
                    {"source_cluster", facts_.source_cluster},
                    {"bios_id", facts_.bios_id},
                    {"guest_state", guest_state_},
                    {"configuration", facts_.configuration},
                    {"wrapping_key_name", target_.key_name},
                    {"keys", base::Json::array()},
                    {"files", base::Json::array()}};
    // Import-SealiftVM.ps1 imports what stands here.
    const std::size_t imported = needs_key(facts_) ? facts_.keys.size() : 0;
    for (std::size_t at = 0; at < imported; ++at) {
      const RunbookKey& key = facts_.keys[at];
      json["keys"].push_back(
          {{"path", key.path},
           {"key_name", key.name},
           {"type", key.type},
           {"size", key.size},
           {"sha256", keyvault::sha256(base::as_bytes(files_[at].text)).hex()}});
    }
    for (const archive::Component& component : manifest_.components) {
      json["files"].push_back(
          {{"path", archive::attribute_of(component, archive::kExportPath)},
           {"size", component.size}});
    }
    return json;
  }

  const archive::SnapshotReader& reader_;
  const archive::Manifest& manifest_;
  const WrapTarget& target_;
  std::string time_;
  // As the attribute has it: of a word that is not known here the script says so.
  std::string guest_state_ = vm::word_for(GuestStateProtection::kAbsent);
  RunbookFacts facts_;
  std::vector<HandoverFile> files_;  // One for each of facts_.keys comes first.
};

}  // namespace

base::Result<Handover> make_handover(const archive::SnapshotReader& reader,
                                     const catalog::Snapshot& snapshot,
                                     const SnapshotPlace& place,
                                     const WrapTarget& target) {
  const archive::Manifest& manifest = reader.manifest();
  if (manifest.platform != "hyper-v") {
    return base::Error(base::ErrorCode::kRefused,
                       "--wrap-to is for VMs of Azure Local, and this one is libvirt's")
        .at("vm", manifest.vm_name)
        .next(
            "write its files without it, then `sealift keyvault rewrap "
            "protection-key.json`");
  }
  return HandoverMaker(reader, snapshot, place, target).make();
}

std::string record_text(const Handover& handover,
                        const std::map<std::string, std::string>& sums) {
  base::Json json = handover.record;
  for (base::Json& file : json["files"]) {
    file["sha256"] = sums.at(file["path"].get<std::string>());
  }
  return json.dump(2, ' ', false, base::Json::error_handler_t::replace) + "\n";
}

}  // namespace sealift::restore
