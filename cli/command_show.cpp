// sealift show: everything about one snapshot.  Manual: docs/man/sealift-show.1
#include <algorithm>

#include "base/byte_count.h"
#include "cli/commands.h"
#include "cli/open.h"
#include "cli/select_snapshot.h"
#include "cli/snapshot_answer.h"
#include "cli/snapshot_details.h"
#include "cli/table.h"

namespace sealift::cli {

namespace {

void no_options(boost::program_options::options_description& /*described*/) {}

std::string size_text(std::uint64_t bytes) { return base::ByteCount(bytes).text(); }

// "1 of 2": the place of a recovery key among the repository's recipients.
std::string place_of(const archive::RepositoryDocument& document,
                     const archive::RecipientId& id) {
  const auto place_in = [&id](const std::vector<keyvault::Recipient>& all) {
    const auto found = std::ranges::find(all, id, &keyvault::Recipient::id);
    return found == all.end() ? std::string()
                              : std::to_string(found - all.begin() + 1) + " of " +
                                    std::to_string(all.size());
  };
  if (const std::string place = place_in(document.recipients); !place.empty()) {
    return "recipient " + place;
  }
  const std::string place = place_in(document.key_recipients);
  return place.empty() ? "not a recipient of the repository" : "key recipient " + place;
}

// Of an export that was made by hand the manifest knows only who read it.
std::string taken_on(const archive::Manifest& manifest) {
  const bool is_by_hand =
      manifest.platform == "hyper-v" && !manifest.consistency.contains("exported");
  if (is_by_hand) {
    return ", read by " + manifest.host +
           "; the export was made by hand, and says no cluster and no host";
  }
  return " on " + manifest.host + ", cluster " + manifest.cluster;
}

void print_facts(std::ostream& output, const SnapshotDetails& details) {
  const archive::Manifest& manifest = details.manifest;
  Table table({{""}, {""}});
  table.add({"snapshot", details.snapshot.id.hex()});
  table.add({"vm", manifest.vm_name + "  " + manifest.vm_uuid});
  table.add({"taken", manifest.created.text() + taken_on(manifest)});
  table.add({"kind", manifest.kind + " (read: " + manifest.read + ")"});
  table.add({"size", size_text(manifest.source_bytes) + ", of that " +
                         size_text(manifest.changed_bytes) + " read, " +
                         size_text(manifest.stored_bytes) + " stored"});
  table.add({"signer", details.snapshot.signer.hex()});
  table.add({"record", std::to_string(details.snapshot.sequence) + " of this signer"});
  table.print(output, "");
}

bool is_damaged(const SnapshotDetails& details) {
  return details.restore_error || details.loss.is_any();
}

std::string verdict_of(const SnapshotDetails& details) {
  if (details.loss.is_any()) return "damaged: " + words_of(details.loss);
  return is_damaged(details) ? "damaged" : base::printable(details.snapshot.verdict);
}

void print_verdicts(std::ostream& output, const SnapshotDetails& details) {
  output << "\nverdict: " << verdict_of(details) << "\n";
  Table table({{""}, {""}, {""}});
  for (const archive::Verdict& verdict : details.manifest.verdicts) {
    const bool is_whole = verdict.component.empty();
    if (is_whole && verdict.reason.empty()) continue;
    table.add(
        {is_whole ? "as a whole" : verdict.component, verdict.state, verdict.reason});
  }
  table.print(output, "  ");
}

void print_components(std::ostream& output, const archive::Manifest& manifest) {
  output << "\ncomponents\n";
  Table table({{""}, {"", Align::kRight}, {"", Align::kRight}});
  for (const archive::Component& component : manifest.components) {
    table.add({component.kind + " " + component.name, size_text(component.size),
               size_text(component.stored_bytes) + " stored"});
  }
  table.print(output, "  ");
}

void print_map(std::ostream& output, const char* title,
               const std::map<std::string, std::string>& map) {
  if (map.empty()) return;
  output << "\n" << title << "\n";
  Table table({{""}, {""}});
  for (const auto& [name, text] : map) table.add({name, text});
  table.print(output, "  ");
}

void print_protection_keys(std::ostream& output, const archive::Manifest& manifest,
                           const archive::RepositoryDocument& document) {
  if (manifest.protection_keys.empty()) return;
  output << "\nprotection keys\n";
  for (const archive::ProtectionKeyEntry& entry : manifest.protection_keys) {
    output << "  " << base::printable(entry.member)
           << (manifest.platform == "libvirt" ? "  libvirt secret " : "  key ")
           << base::printable(entry.key_name);
    if (!entry.usage.empty()) output << " (" << base::printable(entry.usage) << ")";
    output << "\n      opens with recovery key " << entry.recipient.hex() << ",\n      "
           << place_of(document, entry.recipient) << "\n";
  }
}

void print_volumes(std::ostream& output, const SnapshotDetails& details) {
  output << "\nvolumes\n";
  for (const archive::ObjectInfo& volume : details.own_volumes) {
    output << "  " << volume.name << "  " << size_text(volume.size) << "\n";
  }
  if (!details.other_volumes.empty()) {
    output << "  and, for what was stored before:\n";
  }
  for (const std::string& name : details.other_volumes) {
    output << "  " << name << "\n";
  }
  if (!details.loss.volumes.empty()) output << "  and, lost:\n";
  for (const std::string& name : details.loss.volumes) output << "  " << name << "\n";
}

base::Json details_json(const SnapshotDetails& details) {
  const archive::Manifest& manifest = details.manifest;
  base::Json object = to_json(details.snapshot, details.loss);
  if (is_damaged(details)) object["verdict"] = "damaged";
  object["verdicts"] = base::Json::array();
  for (const archive::Verdict& verdict : manifest.verdicts) {
    object["verdicts"].push_back({{"component", verdict.component},
                                  {"state", verdict.state},
                                  {"reason", verdict.reason}});
  }
  object["components"] = base::Json::array();
  for (const archive::Component& component : manifest.components) {
    object["components"].push_back({{"kind", component.kind},
                                    {"name", component.name},
                                    {"size", component.size},
                                    {"stored_bytes", component.stored_bytes},
                                    {"attributes", component.attributes}});
  }
  object["protection_keys"] = base::Json::array();
  for (const archive::ProtectionKeyEntry& entry : manifest.protection_keys) {
    object["protection_keys"].push_back({{"member", entry.member},
                                         {"recipient", entry.recipient.hex()},
                                         {"key_name", entry.key_name},
                                         {"usage", entry.usage},
                                         {"encoding", entry.encoding}});
  }
  object["consistency"] = manifest.consistency;
  object["versions"] = manifest.versions;
  object["own_volumes"] = base::Json::array();
  for (const archive::ObjectInfo& volume : details.own_volumes) {
    object["own_volumes"].push_back({{"name", volume.name}, {"size", volume.size}});
  }
  object["other_volumes"] = details.other_volumes;
  return object;
}

// A restore of this snapshot fails: that comes last, and what else is lost before it.
base::Error damaged(const OpenRepository& open, const SnapshotDetails& details) {
  if (!details.loss.is_any()) return *details.restore_error;
  base::Error error(base::ErrorCode::kCorrupt,
                    "the snapshot needs what is lost: " + words_of(details.loss));
  return std::move(error)
      .at("vm", details.manifest.vm_name)
      .at("snapshot", details.snapshot.id.hex())
      .at("repository", open.repository.store().place())
      .next(
          "bring it back from a copy of the repository; without it the snapshot "
          "cannot be restored")
      .next("see what can be restored with `sealift verify --all`");
}

base::Result<ExitStatus> conclude(const Session& session, const OpenRepository& open,
                                  const SnapshotDetails& details) {
  session.output().flush();
  if (!is_damaged(details)) return conclude_losses(session, open, ExitStatus::kDone);
  for (const base::Error& loss : open.losses) session.report(loss);
  return damaged(open, details);
}

base::Result<ExitStatus> run_show(const Session& session, const Values& values) {
  ASSIGN_OR_RETURN(const OpenRepository open,
                   open_for_reading(session, OnLoss::kReport));
  ASSIGN_OR_RETURN(const catalog::Snapshot snapshot,
                   select_snapshot(session, open, values.arguments().front()));
  ASSIGN_OR_RETURN(const SnapshotDetails details,
                   read_details(session, open, snapshot));
  if (session.wants_json()) {
    session.answer(details_json(details));
    return conclude(session, open, details);
  }
  std::ostream& output = session.output();
  print_facts(output, details);
  print_verdicts(output, details);
  print_components(output, details.manifest);
  print_map(output, "consistency", details.manifest.consistency);
  print_map(output, "versions", details.manifest.versions);
  print_protection_keys(output, details.manifest, open.repository.document());
  print_volumes(output, details);
  return conclude(session, open, details);
}

}  // namespace

const Command kShow{
    .words = "show",
    .group = Group::kBackUp,
    .summary = "show one snapshot: verdict, parts, keys",
    .synopsis = "SNAPSHOT",
    .details =
        "Shows one snapshot: the verdict of every component, how consistency was\n"
        "reached and how long the guest stood still, versions, protection keys and\n"
        "which recovery key opens them, volumes. SNAPSHOT is an id or the start of\n"
        "one, VM, VM@latest or VM@TIME.\n",
    .examples = "  sealift show web-01@latest --repo /mnt/backup\n",
    .arguments = {.least = 1, .most = 1},
    .add_options = no_options,
    .run = run_show,
};

}  // namespace sealift::cli
