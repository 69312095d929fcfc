#include "restore/runbook.h"

#include <utility>

#include "restore/runbook_page.h"
#include "restore/runbook_parts.h"
#include "restore/runbook_plan.h"
#include "restore/runbook_text.h"

namespace sealift::restore {

namespace runbook {

namespace {

struct Part {
  const char* title;
  void (*write)(Page& page, const Plan& plan);
};

Part part_of(Step step) {
  switch (step) {
    case Step::kWrappingKey:
      return {"The wrapping key is on the target", write_wrapping_key};
    case Step::kOldHost:
      return {"Is the old host there?", write_old_host};
    case Step::kFolder:
      return {"Bring this folder to the host", write_folder};
    case Step::kHost:
      return {"Is the host ready?", write_host};
    case Step::kOldVm:
      return {"Is the VM still known there?", write_old_vm};
    case Step::kVault:
      return {"What is in the key vault?", write_vault};
    case Step::kRootKey:
      return {"Decide about AzureStackTvmAKRootKey", write_root_key};
    case Step::kKey:
      return {"Import the VM's key", write_key};
    case Step::kCompare:
      return {"Compare the key vault with this page", write_compare};
    case Step::kImport:
      return {"Import the VM, under its own id", write_import};
    case Step::kSavedMemory:
      return {"Keep the saved memory, or throw it away", write_saved_memory};
    case Step::kStart:
      return {"Start the VM", write_start};
    case Step::kProve:
      return {"Let the guest prove its vTPM", write_prove};
    case Step::kNewVm:
      return {"Without the old host: a new VM around the disks", write_new_vm};
    case Step::kUnlock:
      return {"Without the old host: unlock the disks", write_unlock};
    case Step::kCluster:
      return {"Make it highly available", write_cluster};
    case Step::kRemoveWrappingKey:
      return {"Remove the wrapping key", write_remove_wrapping_key};
    case Step::kCleanUp:
      break;
  }
  return {"Clean up", write_clean_up};
}

}  // namespace

}  // namespace runbook

bool needs_key(const RunbookFacts& facts) {
  return vm::needs_key(facts.guest_state) || facts.checkpoint_needs_key;
}

std::string write_runbook(const RunbookFacts& facts) {
  const runbook::Plan plan = runbook::plan_for(facts);
  runbook::Page page;
  page.title("Bring back the VM " + runbook::code(facts.vm_name));
  runbook::write_first_words(page, plan);
  runbook::write_box(page, plan);
  runbook::write_keys(page, plan);
  runbook::write_variables(page, plan);
  runbook::write_short_way(page, plan);
  for (std::size_t i = 0; i < plan.steps.size(); ++i) {
    const runbook::Part part = runbook::part_of(plan.steps[i]);
    page.heading("Step " + std::to_string(i + 1) + ": " + part.title);
    part.write(page, plan);
  }
  runbook::write_check_list(page, plan);
  runbook::write_azure(page, plan);
  return std::move(page).take();
}

}  // namespace sealift::restore
