// sealift list: the snapshots there are.  Manual: docs/man/sealift-list.1
#include <algorithm>

#include "base/byte_count.h"
#include "cli/commands.h"
#include "cli/open.h"
#include "cli/snapshot_answer.h"
#include "cli/snapshot_loss.h"
#include "cli/table.h"

namespace sealift::cli {

namespace {

void no_options(boost::program_options::options_description& /*described*/) {}

std::string verdict_of(const catalog::Snapshot& snapshot, const SnapshotLoss& loss) {
  return loss.is_any() ? "damaged: " + words_of(loss) : snapshot.verdict;
}

void print(std::ostream& output, const std::vector<catalog::Snapshot>& snapshots,
           const std::vector<SnapshotLoss>& losses) {
  Table table({{"ID"},
               {"VM"},
               {"CREATED"},
               {"KIND"},
               {"SIZE", Align::kRight},
               {"STORED", Align::kRight},
               {"VERDICT"}});
  for (std::size_t at = 0; at < snapshots.size(); ++at) {
    const catalog::Snapshot& snapshot = snapshots[at];
    const bool is_opened = snapshot.is_opened;
    const auto size = [&](std::uint64_t bytes) {
      return is_opened ? base::ByteCount(bytes).text() : std::string("?");
    };
    table.add({short_id(snapshot.id), vm_label(snapshot), snapshot.created.text(),
               is_opened ? snapshot.kind : "?", size(snapshot.source_bytes),
               size(snapshot.stored_bytes), verdict_of(snapshot, losses[at])});
  }
  table.print(output, "");
}

base::Error none_of(const std::string& vm, const OpenRepository& open) {
  if (!open.keys) return names_are_sealed(open).at("vm", vm);
  return base::Error(base::ErrorCode::kNotFound,
                     "the repository holds no snapshot of this VM")
      .at("vm", vm)
      .at("repository", open.repository.store().place())
      .next("list what it holds with `sealift list`");
}

base::Result<ExitStatus> run_list(const Session& session, const Values& values) {
  const std::vector<std::string> arguments = values.arguments();
  const std::string vm = arguments.empty() ? "" : arguments.front();
  ASSIGN_OR_RETURN(const OpenRepository open,
                   open_for_reading(session, OnLoss::kReport));
  ASSIGN_OR_RETURN(const std::vector<catalog::Snapshot> snapshots,
                   open.catalog->list(vm));
  if (snapshots.empty() && !vm.empty()) {
    auto concluded = conclude_reading(session, open);
    if (!concluded) return concluded;
    return none_of(vm, open);
  }
  ASSIGN_OR_RETURN(const std::vector<SnapshotLoss> losses,
                   find_losses(session, open, snapshots));
  if (session.wants_json()) {
    base::Json list = base::Json::array();
    for (std::size_t at = 0; at < snapshots.size(); ++at) {
      base::Json object = to_json(snapshots[at], losses[at]);
      object["sealed"] = !snapshots[at].is_opened;
      list.push_back(std::move(object));
    }
    session.answer(list);
  } else if (snapshots.empty()) {
    session.say("the repository holds no snapshot yet");
  } else {
    print(session.output(), snapshots, losses);
  }
  if (!std::ranges::all_of(snapshots, &catalog::Snapshot::is_opened)) {
    session.warn("names and sizes are sealed; a recovery key opens them: --identity");
  }
  session.output().flush();
  return conclude_reading(session, open);
}

}  // namespace

const Command kList{
    .words = "list",
    .group = Group::kBackUp,
    .summary = "list snapshots, newest first",
    .synopsis = "[VM]",
    .details =
        "Lists the snapshots of the repository, or of one VM (name or UUID), newest\n"
        "first. SIZE is what the guest sees, STORED what the snapshot added. Volumes\n"
        "that are not believed are reported, with exit status 4; what is missing, "
        "with\n"
        "3, and snapshots that need it are damaged.\n",
    .examples = "  sealift list web-01 --repo /mnt/backup\n",
    .arguments = {.least = 0, .most = 1},
    .add_options = no_options,
    .run = run_list,
};

}  // namespace sealift::cli
