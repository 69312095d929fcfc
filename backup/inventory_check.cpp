#include "backup/inventory_check.h"

#include <algorithm>

#include "backup/export_inbox.h"

namespace sealift::backup {

namespace {

namespace fs = std::filesystem;

std::string name_of(const std::string& name, const std::string& id) {
  return std::string(name).append(" (").append(id).append(")");
}

bool is_among(const std::vector<InventoryVm>& vms, const std::string& id) {
  return std::ranges::find(vms, id, &InventoryVm::id) != vms.end();
}

void alarm(HypervOutcome& outcome, std::string words) {
  outcome.warnings.push_back(std::move(words));
  outcome.has_leftovers = true;
}

void note_unread(const base::Error& error, HypervOutcome& outcome) {
  std::string words =
      "an inventory in the inbox cannot be read: " + base::one_line(error);
  for (const base::Error::Place& place : error.places()) words += ", " + place.name;
  for (const std::string& step : error.next_steps()) words += "; " + step;
  alarm(outcome, std::move(words));
}

void note_listed(const InventoryVm& vm, const catalog::Catalog& catalog,
                 HypervOutcome& outcome) {
  const std::string name = name_of(vm.name, vm.id);
  if (!vm.has_key) outcome.without_key.push_back(name);
  const auto snapshots = catalog.list(vm.id);
  if (!snapshots || !snapshots->empty()) return;
  alarm(outcome, name +
                     " is a Trusted Launch VM of the cluster, and no snapshot of it is "
                     "in the repository: export it with Export-SealiftVM.ps1");
}

}  // namespace

bool note_said_vms(const ExportDocument& document, const ExportScene& scene,
                   HypervOutcome& outcome) {
  bool is_all = true;
  const std::string says = " says its " + std::string(kExportDocument) + ", and no ";
  for (const InventoryVm& vm : document.vms) {
    const std::string lies =
        name_of(vm.name, vm.id) + " lies in " + scene.folder.string() + "," + says;
    const bool is_there = std::ranges::any_of(
        scene.found.vms, [&](const vm::HypervVm& found) { return found.id == vm.id; });
    const bool has_key = std::ranges::any_of(
        scene.keys, [&](const ExportedKey& key) { return is_key_of(key, vm.id); });
    if (!is_there) {
      alarm(outcome, lies + "configuration of it is there: export it again");
    }
    if (vm.has_key && !has_key) {
      alarm(outcome, lies + "protection key of it is there: export it again");
    }
    is_all = is_all && is_there && (has_key || !vm.has_key);
  }
  for (const vm::HypervVm& vm : scene.found.vms) {
    const std::string lies =
        name_of(vm.name, vm.id) + " lies in " + scene.folder.string() + ", and ";
    if (!is_among(document.inventory, vm.id)) {
      outcome.warnings.push_back(
          lies +
          "the cluster's inventory there does not know it: is it "
          "another cluster's?");
    } else if (!document.vms.empty() && !is_among(document.vms, vm.id)) {
      outcome.warnings.push_back(lies + "its " + kExportDocument +
                                 " does not say that it was exported there");
    }
  }
  return is_all;
}

void note_inventories(const fs::path& inbox, const catalog::Catalog& catalog,
                      HypervOutcome& outcome) {
  const auto found = read_documents(inbox);
  if (!found) {
    note_unread(found.error(), outcome);
    return;
  }
  for (const UnreadDocument& document : found->unread) {
    note_unread(document.error, outcome);
  }
  for (const ExportDocument* document : found->inventories()) {
    for (const InventoryVm& vm : document->inventory) {
      if (vm.is_trusted_launch) note_listed(vm, catalog, outcome);
    }
  }
}

}  // namespace sealift::backup
