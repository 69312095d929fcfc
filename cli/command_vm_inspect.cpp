// sealift vm inspect: what the files of a Hyper-V VM are.  Manual:
// docs/man/sealift-vm.1
#include <algorithm>

#include "backup/exported_keys.h"
#include "backup/hyperv_verdict.h"
#include "cli/commands.h"
#include "cli/session.h"
#include "cli/table.h"
#include "vm/hyperv_export.h"
#include "vm/private_keys.h"

namespace sealift::cli {

namespace fs = std::filesystem;

namespace {

void no_options(boost::program_options::options_description& /*described*/) {}

void print(std::ostream& output, const vm::InspectedFile& file,
           const std::vector<std::string>& remarks) {
  output << base::printable(file.path.string()) << ": " << file.type << "\n";
  Table table({{""}, {""}});
  for (const vm::FileFact& fact : file.facts) table.add({fact.words, fact.text});
  table.print(output, "  ");
  for (const std::string& remark : remarks) {
    output << "  !  " << base::printable(remark) << "\n";
  }
}

base::Json to_json(const vm::InspectedFile& file,
                   const std::vector<std::string>& remarks) {
  base::Json object{{"file", file.path.string()}, {"type", file.type}};
  for (const vm::FileFact& fact : file.facts) object[fact.name] = fact.value;
  object["remarks"] = remarks;
  return object;
}

// Whatever the words on standard error say.
base::Json refused_json(const vm::InspectedFile& file) {
  const base::Error& error = *file.refused;
  base::Json object{{"file", file.path.string()},
                    {"type", file.type},
                    {"reason", base::one_line(error)},
                    {"exit_status", static_cast<int>(error.code())},
                    {"problems", error.next_steps()}};
  for (const base::Error::Place& place : error.places()) {
    if (place.kind == "rule") object["rule"] = place.name;
  }
  return object;
}

base::Result<std::vector<fs::path>> choose(const fs::path& named) {
  std::error_code failure;
  if (fs::is_directory(named, failure)) return vm::list_hyperv_files(named);
  return std::vector<fs::path>{named};
}

std::vector<backup::ExportedKey> keys_in(const vm::HypervExport& found) {
  std::vector<fs::path> files;
  for (const vm::InspectedFile& file : found.files) {
    if (file.type == "wrapped-key" && !file.refused) files.push_back(file.path);
  }
  return backup::read_keys_in_export(files);
}

bool has_key_of(const vm::HypervVm& vm, const std::vector<backup::ExportedKey>& keys) {
  return std::ranges::any_of(keys, [&](const backup::ExportedKey& key) {
    return !key.refused && backup::is_key_of(key, vm.id);
  });
}

// What is odd about a file in the light of the others; one alone has none.
std::vector<std::string> remarks_on(const vm::HypervExport& found,
                                    const vm::InspectedFile& file,
                                    const std::vector<backup::ExportedKey>& keys) {
  std::vector<std::string> words;
  for (const vm::HypervVm& vm : found.vms) {
    const bool is_its = std::ranges::any_of(
        vm.files, [&](std::size_t at) { return found.files[at].path == file.path; });
    if (is_its && backup::needs_key(file) && !has_key_of(vm, keys)) {
      words.push_back("no protection key of its VM is here, " + vm.id);
    }
    for (const auto& list : {vm.blockers, vm.remarks}) {
      for (const vm::HypervRemark& remark : list) {
        if (remark.file == file.path) words.push_back(remark.words);
      }
    }
  }
  for (const vm::AbsentParent& absent : found.absent_parents) {
    if (found.files[absent.child].path == file.path) {
      words.emplace_back("its parent is not here");
    }
  }
  return words;
}

// What should not be there at all.
std::vector<vm::InspectedFile> private_keys(const fs::path& folder) {
  std::vector<vm::InspectedFile> files;
  const auto add = [&](const std::vector<fs::path>& found) {
    for (const fs::path& path : found) {
      files.emplace_back();
      files.back().path = path;
      files.back().type = "private-key";
    }
  };
  add(vm::private_keys_in(folder));
  const fs::path whole = fs::absolute(folder).lexically_normal();
  add(vm::private_keys_beside(whole.has_filename() ? whole : whole.parent_path()));
  return files;
}

base::Result<ExitStatus> run(const Session& session, const Values& values) {
  const fs::path named = values.arguments().front();
  ASSIGN_OR_RETURN(const std::vector<fs::path> paths, choose(named));
  std::vector<vm::InspectedFile> files;
  files.reserve(paths.size());
  for (const fs::path& path : paths) files.push_back(vm::inspect_or_refuse(path));
  // One file says nothing of what lies beside it.
  const bool is_alone = named == paths.front();
  const vm::HypervExport found = is_alone
                                     ? vm::HypervExport{std::move(files), {}, {}, {}}
                                     : vm::sort_out_export(std::move(files));
  const std::vector<backup::ExportedKey> keys = keys_in(found);
  std::vector<base::Error> refused;
  base::Json list = base::Json::array();
  for (const vm::InspectedFile& file : found.files) {
    if (file.refused) {
      refused.push_back(*file.refused);
      list.push_back(refused_json(file));
      continue;
    }
    const std::vector<std::string> remarks = remarks_on(found, file, keys);
    list.push_back(to_json(file, remarks));
    if (!session.wants_json()) print(session.output(), file, remarks);
  }
  const auto left = is_alone ? std::vector<vm::InspectedFile>() : private_keys(named);
  for (const vm::InspectedFile& key : left) {
    const std::vector<std::string> remarks{vm::kPrivateKeyWords};
    list.push_back(to_json(key, remarks));
    if (!session.wants_json()) print(session.output(), key, remarks);
  }
  if (session.wants_json()) session.answer(list);
  session.output().flush();
  if (refused.empty()) return ExitStatus::kDone;
  // What is damaged decides the exit status.
  std::stable_partition(refused.begin(), refused.end(), [](const base::Error& error) {
    return error.code() != base::ErrorCode::kCorrupt;
  });
  for (std::size_t at = 0; at + 1 < refused.size(); ++at) session.report(refused[at]);
  return refused.back();
}

}  // namespace

const Command kVmInspect{
    .words = "vm inspect",
    .group = Group::kBackUp,
    .summary = "say what the files of a Hyper-V VM are",
    .synopsis = "FILE|DIR",
    .details =
        "Reads the files that Hyper-V exports (.vmcx, .VMRS, .vmgs, .vhdx, .avhdx):\n"
        "which VM, its guest state and what protects that, disks and their parents,\n"
        "whether memory was saved. Nothing is written, and no secret is shown: the\n"
        "answer can be sent to somebody who is asked for help. A file is known by\n"
        "what it holds; one that is damaged or torn is named, with its reason.\n",
    .examples = "  sealift vm inspect /mnt/inbox/payroll-01\n",
    .arguments = {.least = 1, .most = 1},
    .add_options = no_options,
    .run = run,
};

}  // namespace sealift::cli
