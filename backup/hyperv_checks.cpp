#include "backup/hyperv_checks.h"

#include <algorithm>
#include <set>

#include "archive/component_attribute.h"
#include "archive/restored_names.h"
#include "backup/hyperv_verdict.h"
#include "vm/hyperv_attributes.h"

namespace sealift::backup {

namespace {

namespace fs = std::filesystem;

constexpr const char* kNeverAgain =
    "there is no protection key of this VM: this VM can never start again from this "
    "backup";

/// Says all that is missing or contradicts itself at once.
class ExportCheck {
 public:
  ExportCheck(const BackupEnvironment& environment, const ExportScene& scene,
              const vm::HypervVm& vm)
      : environment_(environment), scene_(scene), vm_(vm) {}

  base::Result<WholeExport> check() {
    for (const vm::HypervRemark& blocker : vm_.blockers) {
      reasons_.push_back(blocker.file.filename().string() + ": " + blocker.words +
                         (blocker.next.empty() ? "" : "; " + blocker.next));
    }
    choose();
    RETURN_IF_ERROR(look_for_parents());
    look_at_paths();
    if (reasons_.empty()) return std::move(whole_);
    base::Error error(base::ErrorCode::kRefused,
                      "the export is not whole, and nothing of it was stored");
    error.at("folder", scene_.folder.string());
    for (const std::string& reason : reasons_) error.next(reason);
    return error;
  }

 private:
  const vm::InspectedFile& file(std::size_t at) const { return scene_.found.files[at]; }

  void note(const base::Error& error) {
    // Whole paths: keys of several exports have one name.
    std::string words;
    for (const base::Error::Place& place : error.places()) {
      if (place.kind != "file") continue;
      words += (words.empty() ? "" : ", ") + place.name;
    }
    words += (words.empty() ? "" : ": ") + error.what();
    if (!error.cause().empty()) words += " (" + error.cause() + ")";
    for (const std::string& step : error.next_steps()) words += "; " + step;
    reasons_.push_back(std::move(words));
  }

  void choose() {
    auto chosen = choose_keys(scene_.keys, vm_.id, environment_.repository.document());
    if (!chosen) {
      note(chosen.error());
      return;
    }
    whole_.keys = std::move(chosen).value();
    if (whole_.keys.has_vm_key || !needs_key(scene_.found, vm_)) return;
    reasons_.push_back(std::string(kNeverAgain) +
                       "; export its key with Export-MocKey, named " + vm_.id +
                       "_256.json, and give it with --protection-key");
  }

  std::vector<WantedDisk> absent_parents() const {
    std::vector<WantedDisk> wanted;
    for (const vm::AbsentParent& absent : scene_.found.absent_parents) {
      if (!std::ranges::binary_search(vm_.files, absent.child)) continue;
      wanted.push_back(
          {absent.linkage, file(absent.child).path.filename().string() + " hangs on " +
                               std::string(vm::name_in_path(absent.source_path))});
    }
    return wanted;
  }

  base::Status look_for_parents() {
    const auto id = base::Uuid::parse(vm_.id);
    if (!id) return base::Done{};  // Of a damaged configuration; said already.
    auto found = find_earlier_disks(environment_, id.value(), absent_parents());
    if (!found) {
      if (found.error().code() != base::ErrorCode::kRefused) {
        return std::move(found).error();
      }
      note(found.error());
      return base::Done{};
    }
    whole_.earlier = std::move(found).value();
    std::erase_if(whole_.earlier.disks, [this](const archive::Component& disk) {
      return is_in_export(archive::attribute_of(disk, vm::kDataWriteId));
    });
    place_earlier();
    return base::Done{};
  }

  bool is_in_export(const std::string& data_write_id) const {
    return std::ranges::any_of(vm_.files, [&](std::size_t at) {
      const auto* const disk = std::get_if<vm::Vhdx>(&file(at).content);
      return disk != nullptr && disk->data_write_id.text() == data_write_id;
    });
  }

  // Where one lay beside the VM's configuration then, it lies beside it now.
  void place_earlier() {
    if (whole_.earlier.disks.empty()) return;
    const auto& components = whole_.earlier.reader->manifest().components;
    const auto configuration =
        std::ranges::find_if(components, [](const archive::Component& component) {
          return component.kind == "config" &&
                 archive::attribute_of(component, vm::kExportRole) == vm::kRoleOfVm;
        });
    if (configuration == components.end()) return;
    const fs::path root = "/";
    const fs::path before = vm::folder_of_vm(
        root / archive::attribute_of(*configuration, archive::kExportPath));
    const fs::path now =
        vm::folder_of_vm(root / path_below(scene_, file(vm_.configuration).path));
    for (archive::Component& disk : whole_.earlier.disks) {
      const fs::path below = (root / archive::attribute_of(disk, archive::kExportPath))
                                 .lexically_relative(before);
      if (below.empty() || *below.begin() == "..") continue;
      disk.attributes[archive::kExportPath] =
          (now / below).lexically_relative(root).generic_string();
    }
  }

  // What cannot lie in a folder as it lay in the export.
  void look_at_paths() {
    std::set<std::string> seen;
    const auto look = [&](const std::string& path) {
      if (!archive::is_export_path(path) || base::printable(path) != path) {
        reasons_.push_back(base::printable(path) +
                           ": its name has characters that are not kept; rename it");
      } else if (archive::is_restored_name(path.substr(0, path.find('/')))) {
        reasons_.push_back(path +
                           ": a restore writes a file of its own under the first of "
                           "these names; rename it");
      } else if (!seen.insert(vm::lower_case(path)).second) {
        reasons_.push_back(path +
                           ": another file has its name, in any case of letters");
      }
    };
    for (const std::size_t at : vm_.files) look(path_below(scene_, file(at).path));
    for (const archive::Component& disk : whole_.earlier.disks) {
      look(archive::attribute_of(disk, archive::kExportPath));
    }
  }

  const BackupEnvironment& environment_;
  const ExportScene& scene_;
  const vm::HypervVm& vm_;
  WholeExport whole_;
  std::vector<std::string> reasons_;
};

}  // namespace

std::string path_below(const ExportScene& scene, const fs::path& file) {
  return file.lexically_relative(scene.folder).generic_string();
}

base::Result<WholeExport> check_export(const BackupEnvironment& environment,
                                       const ExportScene& scene,
                                       const vm::HypervVm& vm) {
  return ExportCheck(environment, scene, vm).check();
}

}  // namespace sealift::backup
