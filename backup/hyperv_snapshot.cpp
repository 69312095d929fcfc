#include "backup/hyperv_snapshot.h"

#include <algorithm>
#include <set>

#include "backup/disk_pipeline.h"
#include "backup/earlier_disks.h"
#include "backup/export_age.h"
#include "backup/hyperv_verdict.h"
#include "backup/snapshot_commit.h"
#include "backup/vm_lock.h"
#include "vm/captured_files.h"
#include "vm/hyperv_attributes.h"

namespace sealift::backup {

namespace {

namespace fs = std::filesystem;

std::string kind_of(const vm::InspectedFile& file) {
  if (std::holds_alternative<vm::Vhdx>(file.content)) return "disk";
  if (std::holds_alternative<vm::Vmgs>(file.content)) return "guest-state";
  if (std::holds_alternative<vm::SavedState>(file.content)) return "runtime-state";
  return "config";
}

// A name that is taken gets a number: two files of one name lie in two folders.
std::string own_name(const fs::path& path, const std::string& kind,
                     std::set<std::pair<std::string, std::string>>& taken) {
  const std::string plain = vm::component_name(path);
  std::string name = plain;
  for (int number = 2; !taken.emplace(kind, name).second; ++number) {
    name = plain + "-" + std::to_string(number);
  }
  return name;
}

class HypervSnapshotTaker {
 public:
  HypervSnapshotTaker(BackupEnvironment& environment,
                      const HypervBackupRequest& request, const ExportScene& scene,
                      const vm::HypervVm& vm, const std::stop_token& stop)
      : environment_(environment),
        request_(request),
        scene_(scene),
        vm_(vm),
        stop_(stop) {}

  base::Result<TakenSnapshot> take() {
    ASSIGN_OR_RETURN(const WholeExport whole, check_export(environment_, scene_, vm_));
    ASSIGN_OR_RETURN(const base::Uuid id, base::Uuid::parse(vm_.id));
    ASSIGN_OR_RETURN(const VmLock lock, lock_vm(environment_.vault, id));
    read_at_ = environment_.clock.now();
    exported_ = time_of_export(scene_, vm_);
    RETURN_IF_ERROR(look_for_newer_state());
    note_remarks(whole.keys);
    ASSIGN_OR_RETURN(const archive::ArchiveId drawn, archive::ArchiveWriter::draw_id());
    ASSIGN_OR_RETURN(
        const std::unique_ptr<archive::ArchiveWriter> writer,
        archive::ArchiveWriter::begin(
            environment_.repository, environment_.keys,
            environment_.vault.signing_key(), environment_.catalog, drawn, read_at_,
            archive_options(environment_, request_.volume_size)));
    RETURN_IF_ERROR(store_files(*writer));
    RETURN_IF_ERROR(go_on_with(whole.earlier, *writer));
    RETURN_IF_ERROR(must_be_unchanged());
    ASSIGN_OR_RETURN(
        taken_.committed,
        commit_snapshot(environment_, *writer, manifest(whole.keys, whole.earlier),
                        whole.keys.files));
    return std::move(taken_);
  }

 private:
  const vm::InspectedFile& file(std::size_t at) const { return scene_.found.files[at]; }

  // What is stored last is VM@latest: an older state must not become that unnoticed.
  base::Status look_for_newer_state() {
    ASSIGN_OR_RETURN(const std::optional<NewerState> newer,
                     find_newer_state(environment_, vm_, exported_, taken_.warnings));
    if (!newer) return base::Done{};
    const std::string words = words_of(exported_, *newer);
    if (!newer->is_certain) {
      older_ = "it may be an older state than what is stored: " + words;
      taken_.warnings.push_back(older_ + "; it is VM@latest now");
      return base::Done{};
    }
    if (request_.older == OlderExport::kStored) {
      older_ = "an older state: " + words;
      taken_.warnings.push_back(words + "; the older state is VM@latest now");
      return base::Done{};
    }
    return base::Error(base::ErrorCode::kRefused,
                       "a newer state of the VM is stored already, and nothing of this "
                       "export was")
        .because(words)
        .at("folder", scene_.folder.string())
        .next("export the VM again; remove this folder if it is not needed any more")
        .next(
            "if the older state is to be kept, and to be VM@latest, add --allow-older");
  }

  void note_remarks(const ChosenKeys& keys) {
    for (const vm::HypervRemark& remark : vm_.remarks) {
      taken_.warnings.push_back(remark.file.filename().string() + ": " + remark.words);
    }
    std::ranges::copy(keys.warnings, std::back_inserter(taken_.warnings));
    const vm::GuestStateProtection protection = own_protection(scene_.found, vm_);
    if (protection == vm::GuestStateProtection::kNone) {
      taken_.warnings.emplace_back(
          "the guest state is not encrypted: whoever reads the export has the vTPM");
    } else if (protection == vm::GuestStateProtection::kGspById) {
      taken_.warnings.emplace_back(
          "the guest state is bound to a seed of its host (GspById): on another "
          "cluster the vTPM does not open, whatever key is imported");
    } else if (protection == vm::GuestStateProtection::kUnknown) {
      taken_.warnings.emplace_back(
          "the guest state is encrypted, and nothing in it says with what");
    }
  }

  std::map<std::string, std::string> attributes_of(
      const vm::InspectedFile& file) const {
    std::map<std::string, std::string> attributes{
        {archive::kExportPath, path_below(scene_, file.path)}};
    if (const auto* disk = std::get_if<vm::Vhdx>(&file.content)) {
      attributes[vm::kDataWriteId] = disk->data_write_id.text();
      if (disk->parent) attributes[vm::kParentLinkage] = disk->parent->linkage.text();
      if (const auto drive = drive_of(file)) {
        attributes[vm::kDrive] = std::to_string(*drive);
      }
      attributes[vm::kBytesKept] = keeps_every_byte(*disk) ? "every" : "referenced";
    } else if (const auto* state = std::get_if<vm::Vmgs>(&file.content)) {
      attributes[vm::kProtection] = vm::word_for(vm::protection_of(*state));
    } else if (const auto* saved = std::get_if<vm::SavedState>(&file.content)) {
      attributes[vm::kSavedMemory] = saved->has_memory ? "yes" : "no";
    }
    attributes[vm::kExportRole] =
        is_of_vm(file) ? vm::kRoleOfVm : vm::kRoleOfCheckpoint;
    return attributes;
  }

  // From 1, in the order of the VM's configuration.
  std::optional<std::size_t> drive_of(const vm::InspectedFile& disk) const {
    for (std::size_t place = 0; place < vm_.drives.size(); ++place) {
      if (file(vm_.drives[place]).path == disk.path) return place + 1;
    }
    return std::nullopt;
  }

  // Of a state that is what the VM names: the folder alone says too little.
  bool is_of_vm(const vm::InspectedFile& file) const {
    const auto is_it = [&](const std::optional<std::size_t>& own) {
      return own && this->file(*own).path == file.path;
    };
    const std::string kind = kind_of(file);
    if (kind == "guest-state") return is_it(vm_.guest_state);
    if (kind == "runtime-state") return is_it(vm_.runtime_state);
    return !vm::is_of_checkpoint(file.path);
  }

  // A log that waits may write anywhere.
  bool keeps_every_byte(const vm::Vhdx& disk) const {
    return request_.bytes == BytesKept::kEvery || disk.has_log;
  }

  base::Status store_files(archive::ArchiveWriter& writer) {
    Pace pace({request_.read_limit, request_.write_limit}, writer, stop_);
    for (const std::size_t at : vm_.files) {
      RETURN_IF_ERROR(store(file(at), writer, pace));
    }
    return base::Done{};
  }

  base::Status store(const vm::InspectedFile& file, archive::ArchiveWriter& writer,
                     Pace& pace) {
    const std::string kind = kind_of(file);
    const std::string name = own_name(file.path, kind, taken_names_);
    names_.push_back(name);
    std::optional<std::vector<vm::ByteRange>> counting;
    const auto* const disk = std::get_if<vm::Vhdx>(&file.content);
    if (disk != nullptr && !keeps_every_byte(*disk)) counting = disk->referenced;
    const std::unique_ptr<vm::DiskSource> source =
        vm::open_file_source(name, file.path, file.stamp, std::move(counting));
    ASSIGN_OR_RETURN(const std::unique_ptr<archive::ComponentWriter> component,
                     writer.add_component(kind, name,
                                          disk != nullptr ? archive::IdScope::kShared
                                                          : archive::IdScope::kPrivate,
                                          source->size()));
    RETURN_IF_ERROR(store_disk(*source, Pieces::kAllocated, *component,
                               environment_.repository.document().settings.chunk_size,
                               default_jobs(), pace, progress_of(name), stop_));
    auto attributes = attributes_of(file);
    if (file.path == this->file(vm_.configuration).path) {
      add_facts_of_vm(attributes);
    }
    return component->finish(std::move(attributes));
  }

  void add_facts_of_vm(std::map<std::string, std::string>& attributes) const {
    const auto& vm = std::get<vm::HypervConfiguration>(file(vm_.configuration).content);
    if (vm.bios_id) attributes[vm::kBiosId] = vm.bios_id->text();
    std::string names;
    for (const std::string& name : names_of_other_keys(scene_.keys)) {
      names += (names.empty() ? "" : ", ") + name;
    }
    if (!names.empty()) attributes[vm::kOtherKeys] = names;
  }

  DiskProgress progress_of(const std::string& name) const {
    if (!environment_.progress) return nullptr;
    return progress_in_words(name, [this](const std::string& words) {
      environment_.progress(vm_.name, words);
    });
  }

  base::Status go_on_with(const EarlierDisks& earlier, archive::ArchiveWriter& writer) {
    for (const archive::Component& disk : earlier.disks) {
      const std::string name = own_name(disk.name, "disk", taken_names_);
      ASSIGN_OR_RETURN(const archive::TreeView tree, earlier.reader->view(disk));
      ASSIGN_OR_RETURN(const std::unique_ptr<archive::ComponentWriter> component,
                       writer.continue_disk(name, tree));
      auto attributes = disk.attributes;
      attributes.erase(vm::kDrive);  // A disk of the export hangs on it now.
      RETURN_IF_ERROR(component->finish(std::move(attributes)));
      continued_.push_back(name);
    }
    return base::Done{};
  }

  base::Status must_be_unchanged() const {
    ASSIGN_OR_RETURN(const std::vector<fs::path> now,
                     vm::list_hyperv_files(scene_.folder));
    const auto& before = scene_.found.files;
    if (!std::ranges::equal(now, before, {}, {}, &vm::InspectedFile::path)) {
      return vm::changed_meanwhile().at("folder", scene_.folder.string());
    }
    for (std::size_t at = 0; at < before.size(); ++at) {
      const bool is_used =
          before[at].type == "wrapped-key" || std::ranges::binary_search(vm_.files, at);
      if (!is_used) continue;
      ASSIGN_OR_RETURN(const vm::FileStamp stamp, vm::stamp_of(before[at].path));
      if (stamp == before[at].stamp) continue;
      return vm::changed_meanwhile().at("file", before[at].path.string());
    }
    return base::Done{};
  }

  archive::Manifest manifest(const ChosenKeys& keys,
                             const EarlierDisks& earlier) const {
    const auto& vm = std::get<vm::HypervConfiguration>(file(vm_.configuration).content);
    archive::Manifest manifest;
    manifest.vm_name = vm_.name;
    manifest.vm_uuid = vm_.id;
    manifest.platform = "hyper-v";
    manifest.cluster = scene_.cluster;
    manifest.host = scene_.host;
    manifest.created = read_at_;
    manifest.kind = continued_.empty() ? "full" : "incremental";
    manifest.read = continued_.empty() ? "all" : "changed";
    manifest.verdicts = judge_export(scene_.found, vm_, names_, keys);
    if (!older_.empty()) {
      std::string& reason = manifest.verdicts.front().reason;
      reason = older_ + (reason.empty() ? "" : "; " + reason);
    }
    for (const std::string& name : continued_) {
      manifest.verdicts.push_back(
          {"disk " + name, "complete", "as in snapshot " + earlier.snapshot.hex()});
    }
    for (const archive::ProtectionKeyFile& key : keys.files) {
      manifest.protection_keys.push_back(key.entry);
    }
    manifest.consistency["method"] = "export";
    note_time(exported_, manifest);
    manifest.versions["sealift"] = SEALIFT_VERSION;
    if (vm.version) {
      manifest.versions["configuration"] = vm::configuration_version(*vm.version);
    }
    if (!scene_.host_build.empty()) manifest.versions["windows"] = scene_.host_build;
    return manifest;
  }

  BackupEnvironment& environment_;
  const HypervBackupRequest& request_;
  const ExportScene& scene_;
  const vm::HypervVm& vm_;
  const std::stop_token& stop_;
  base::Timestamp read_at_;
  ExportTime exported_;
  std::string older_;  // Than which snapshot it is; mostly empty.
  std::set<std::pair<std::string, std::string>> taken_names_;  // Kind and name.
  std::vector<std::string> names_;      // Of the components of vm_.files.
  std::vector<std::string> continued_;  // Of disks of an earlier snapshot.
  TakenSnapshot taken_;
};

}  // namespace

base::Result<TakenSnapshot> take_hyperv_snapshot(BackupEnvironment& environment,
                                                 const HypervBackupRequest& request,
                                                 const ExportScene& scene,
                                                 const vm::HypervVm& vm,
                                                 const std::stop_token& stop) {
  return HypervSnapshotTaker(environment, request, scene, vm, stop).take();
}

}  // namespace sealift::backup
