#include <sys/stat.h>

#include <algorithm>

#include "backup/export_inbox.h"
#include "backup/fresh_catalog.h"
#include "backup/hyperv_snapshot.h"
#include "backup/inventory_check.h"
#include "backup/outcome.h"
#include "vm/private_keys.h"

namespace sealift::backup {

namespace {

namespace fs = std::filesystem;

/// One run over one folder.
class HypervRun {
 public:
  HypervRun(BackupEnvironment& environment, const HypervBackupRequest& request,
            const std::stop_token& stop)
      : environment_(environment),
        request_(request),
        folder_(fs::absolute(request.folder).lexically_normal()),
        stop_(stop) {
    // "export/" ends in an empty name.
    if (!folder_.has_filename()) folder_ = folder_.parent_path();
  }

  base::Result<HypervOutcome> run() {
    ASSIGN_OR_RETURN(const ExportFolders folders,
                     find_exports(folder_, environment_.repository.id()));
    ASSIGN_OR_RETURN(given_keys_, read_exported_keys(request_.keys));
    RETURN_IF_ERROR(given_keys_must_be_read());
    note_folders(folders);
    note_private_keys(folders.is_inbox);
    for (const fs::path& folder : oldest_first(folders.finished)) {
      auto status = back_up_export(folder, folders.is_inbox);
      if (status) continue;
      if (!folders.is_inbox) return std::move(status).error();
      VmOutcome outcome;
      outcome.vm = folder.filename().string();
      outcome.error = std::move(status).error();
      add(std::move(outcome));
    }
    if (folders.is_inbox) note_inventories(folder_, environment_.catalog, outcome_);
    return std::move(outcome_);
  }

 private:
  void add(VmOutcome outcome) {
    outcome_.vms.push_back(std::move(outcome));
    if (environment_.finished) environment_.finished(outcome_.vms.back());
  }

  // One that the operator named is meant.
  base::Status given_keys_must_be_read() const {
    for (const ExportedKey& key : given_keys_) {
      if (!key.is_named || !key.refused) continue;
      const base::Error& error = *key.refused;
      base::Error refused(base::ErrorCode::kRefused, error.what());
      refused.at("protection key", key.path.string());
      for (const std::string& step : error.next_steps()) refused.next(step);
      return std::move(refused).because(error.cause());
    }
    return base::Done{};
  }

  void note_folders(const ExportFolders& folders) {
    for (const fs::path& folder : folders.stored) {
      outcome_.warnings.push_back(folder.string() + " is stored already");
    }
    for (const fs::path& folder : folders.not_ours) {
      outcome_.warnings.push_back(
          folder.string() +
          " is left alone: it is no finished export, which has "
          "sealift-export.json and no "
          "sealift-export.unfinished; one that was made by hand "
          "is taken when it is named itself");
    }
    for (const fs::path& folder : folders.broken_off) {
      outcome_.warnings.push_back(folder.string() +
                                  ": its export began more than a day ago and is not "
                                  "finished; if it broke off, remove the folder and "
                                  "export the VM again");
      outcome_.has_leftovers = true;
    }
    if (folders.finished.empty() && folders.stored.empty()) {
      outcome_.warnings.push_back("no finished export is in " + folder_.string() +
                                  ": did Export-SealiftVM.ps1 run, and is the right "
                                  "share mounted?");
      outcome_.has_leftovers = true;
    }
    struct stat found {};
    if (::stat(folder_.c_str(), &found) == 0 && (found.st_mode & S_IRWXO) != 0) {
      outcome_.warnings.push_back(
          folder_.string() +
          " can be looked into by every user of this host, and an export holds all of "
          "a "
          "VM: take their rights away (chmod o= FOLDER, or the share's mount options)");
    }
  }

  // Beside an export by hand, too: what lies beside one of an inbox lies in the inbox.
  void note_private_keys(bool is_inbox) {
    std::vector<fs::path> found = vm::private_keys_in(folder_);
    if (!is_inbox)
      std::ranges::copy(vm::private_keys_beside(folder_), std::back_inserter(found));
    for (const fs::path& given : request_.keys) {
      std::ranges::copy(vm::private_keys_in(given), std::back_inserter(found));
    }
    std::ranges::sort(found);
    found.erase(std::unique(found.begin(), found.end()), found.end());
    for (const fs::path& file : found) {
      outcome_.warnings.push_back(file.string() + " " + vm::kPrivateKeyWords);
    }
  }

  base::Status back_up_export(const fs::path& folder, bool is_inbox) {
    ExportScene scene;
    scene.folder = folder;
    scene.cluster = request_.cluster;
    scene.host = request_.host;
    ExportOutcome through_inbox;
    through_inbox.folder = folder;
    bool is_all = true;
    ASSIGN_OR_RETURN(const std::vector<fs::path> paths, vm::list_hyperv_files(folder));
    // Looked at first: what changes from here on is noticed.
    RETURN_IF_ERROR(look_at_files(paths, scene));
    if (is_inbox) {
      ASSIGN_OR_RETURN(const ExportDocument document, read_export_document(folder));
      RETURN_IF_ERROR(check_export_files(folder, document, paths, stop_));
      take_over(document, scene);
      ASSIGN_OR_RETURN(is_all, note_other_files(folder, paths));
      is_all = note_said_vms(document, scene, outcome_) && is_all;
      through_inbox.said = document.digest;
    }
    RETURN_IF_ERROR(name_given_keys(scene, is_inbox));
    for (const vm::HypervVm& vm : scene.found.vms) {
      through_inbox.places.push_back(outcome_.vms.size());
      add(stop_.stop_requested() ? not_begun(vm.name) : back_up(scene, vm));
    }
    is_all = is_all && scene.found.unclaimed.empty();
    if (is_inbox && is_all) outcome_.exports.push_back(std::move(through_inbox));
    outcome_.has_leftovers = outcome_.has_leftovers || (is_inbox && !is_all);
    return base::Done{};
  }

  // Of a kind that Sealift does not store; also what came after the export, since all
  // of the folder goes when it is cleaned. Whether there is none.
  base::Result<bool> note_other_files(const fs::path& folder,
                                      const std::vector<fs::path>& known) {
    ASSIGN_OR_RETURN(const std::vector<fs::path> others, files_besides(folder, known));
    for (const fs::path& path : others) {
      outcome_.warnings.push_back(path.string() +
                                  " is no file of a VM that Sealift knows, and is not "
                                  "stored; the export is not marked as stored: keep "
                                  "the file elsewhere, take it out of the VM's folder "
                                  "and export the VM again");
    }
    return others.empty();
  }

  void take_over(const ExportDocument& document, ExportScene& scene) {
    if (!document.cluster.empty()) scene.cluster = document.cluster;
    if (!document.host.empty()) scene.host = document.host;
    scene.host_build = document.host_build;
    scene.exported = document.created;
  }

  base::Status look_at_files(const std::vector<fs::path>& paths, ExportScene& scene) {
    std::vector<vm::InspectedFile> files;
    std::vector<fs::path> keys;
    for (const fs::path& path : paths) {
      files.push_back(vm::inspect_or_refuse(path));
      if (files.back().type == "wrapped-key") keys.push_back(path);
    }
    scene.found = vm::sort_out_export(std::move(files));
    if (scene.found.vms.empty()) {
      return base::Error(base::ErrorCode::kNotFound,
                         "no configuration of a VM lies in the folder")
          .at("folder", scene.folder.string())
          .next("name a folder that Export-VM wrote: a .vmcx file is in it");
    }
    for (const std::size_t at : scene.found.unclaimed) {
      outcome_.warnings.push_back(scene.found.files[at].path.string() +
                                  " belongs to no VM here and is not stored: if it is "
                                  "one's, its .vmcx is missing here or does not name "
                                  "it");
    }
    scene.keys = read_keys_in_export(keys);
    scene.keys.insert(scene.keys.end(), given_keys_.begin(), given_keys_.end());
    return base::Done{};
  }

  // A file whose name says nothing is for the one VM that is there and has no other.
  base::Status name_given_keys(ExportScene& scene, bool is_inbox) {
    const auto& vms = scene.found.vms;
    const auto is_of_one = [&](const ExportedKey& key) {
      return std::ranges::any_of(
          vms, [&](const vm::HypervVm& vm) { return is_key_of(key, vm.id); });
    };
    const bool has_key = std::ranges::any_of(scene.keys, is_of_one);
    for (ExportedKey& key : scene.keys) {
      const bool is_clear = !key.is_named || key.name == kAttestationRootKey ||
                            is_other_key(key) || is_of_one(key);
      if (is_clear) continue;
      const bool says_a_vm = base::Uuid::is_uuid(key.name);
      if (says_a_vm && is_inbox) continue;  // It may be for another export's.
      if (says_a_vm) {
        return base::Error(base::ErrorCode::kRefused,
                           "the protection key is named after another VM")
            .at("protection key", key.path.string())
            .next("give the key of " + vms.front().name + ": " + vms.front().id +
                  "_256.json");
      }
      if (is_inbox || has_key || vms.size() > 1) {
        return base::Error(base::ErrorCode::kRefused,
                           "the name of the protection key does not say which VM it "
                           "is for")
            .at("protection key", key.path.string())
            .next("name the file as it was exported: VM-id_256.json");
      }
      outcome_.warnings.push_back(key.path.string() +
                                  " does not say by its name which VM it is for: it is "
                                  "taken for " +
                                  vms.front().name);
      key.name = vms.front().id;
      key.is_assumed = true;
    }
    return base::Done{};
  }

  VmOutcome back_up(const ExportScene& scene, const vm::HypervVm& vm) {
    VmOutcome outcome;
    outcome.vm = vm.name;
    auto taken = take_hyperv_snapshot(environment_, request_, scene, vm, stop_);
    if (taken) {
      note_stored(environment_, std::move(taken).value(), outcome);
      if (!outcome.error) return outcome;
    } else {
      outcome.error = std::move(taken).error().at("vm", vm.name);
    }
    if (base::Uuid::is_uuid(vm.id)) outcome.vm_uuid = vm.id;
    return outcome;
  }

  BackupEnvironment& environment_;
  const HypervBackupRequest& request_;
  fs::path folder_;
  const std::stop_token& stop_;
  std::vector<ExportedKey> given_keys_;
  HypervOutcome outcome_;
};

}  // namespace

base::Result<HypervOutcome> run_hyperv_backup(BackupEnvironment& environment,
                                              const HypervBackupRequest& request,
                                              const std::stop_token& stop) {
  RETURN_IF_ERROR(refuse_if_not_enrolled(environment));
  ASSIGN_OR_RETURN(std::vector<std::string> warnings, refresh_catalog(environment));
  auto outcome = HypervRun(environment, request, stop).run();
  if (outcome) {
    std::ranges::move(warnings, std::back_inserter(outcome->warnings));
  }
  return outcome;
}

}  // namespace sealift::backup
