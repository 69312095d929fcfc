// sealift vm inspect: what the files of a Hyper-V VM are.  Manual:
// docs/man/sealift-vm.1
#include <algorithm>

#include "cli/commands.h"
#include "cli/session.h"
#include "cli/table.h"
#include "vm/hyperv_files.h"

namespace sealift::cli {

namespace fs = std::filesystem;

namespace {

void no_options(boost::program_options::options_description& /*described*/) {}

void print(std::ostream& output, const vm::InspectedFile& file) {
  output << base::printable(file.path.string()) << ": " << file.type << "\n";
  Table table({{""}, {""}});
  for (const vm::FileFact& fact : file.facts) table.add({fact.words, fact.text});
  table.print(output, "  ");
  for (const std::string& remark : file.remarks) {
    output << "  !  " << base::printable(remark) << "\n";
  }
}

base::Json to_json(const vm::InspectedFile& file) {
  base::Json object{{"file", file.path.string()}, {"type", file.type}};
  for (const vm::FileFact& fact : file.facts) object[fact.name] = fact.value;
  object["remarks"] = file.remarks;
  return object;
}

base::Result<std::vector<fs::path>> choose(const fs::path& named) {
  std::error_code failure;
  if (fs::is_directory(named, failure)) return vm::list_hyperv_files(named);
  return std::vector<fs::path>{named};
}

base::Result<ExitStatus> run(const Session& session, const Values& values) {
  const fs::path named = values.arguments().front();
  ASSIGN_OR_RETURN(const std::vector<fs::path> files, choose(named));
  std::vector<base::Error> refused;
  std::vector<vm::InspectedFile> read;
  base::Json list = base::Json::array();
  for (const fs::path& path : files) {
    auto inspected = vm::inspect_hyperv_file(path);
    if (inspected) {
      read.push_back(std::move(inspected).value());
      continue;
    }
    list.push_back({{"file", path.string()},
                    {"type", "refused"},
                    {"reason", inspected.error().what()}});
    refused.push_back(std::move(inspected).error());
  }
  // One file says nothing of what lies beside it.
  if (fs::path(named) != files.front()) vm::compare_hyperv_files(read);
  for (const vm::InspectedFile& file : read) {
    list.push_back(to_json(file));
    if (!session.wants_json()) print(session.output(), file);
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
