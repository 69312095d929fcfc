// The parts of the runbook, in the order in which they are read. A step's part tells
// what to do, with its commands, and what one should see.
#pragma once

#include "restore/runbook_page.h"
#include "restore/runbook_plan.h"

namespace sealift::restore::runbook {

// runbook_overview.cpp: before the first step.
void write_first_words(Page& page, const Plan& plan);
void write_box(Page& page, const Plan& plan);
void write_keys(Page& page, const Plan& plan);
void write_variables(Page& page, const Plan& plan);

// runbook_short_way.cpp
void write_short_way(Page& page, const Plan& plan);

// runbook_host.cpp: what must be so on the host before anything is imported.
void write_old_host(Page& page, const Plan& plan);
void write_folder(Page& page, const Plan& plan);
void write_host(Page& page, const Plan& plan);
void write_old_vm(Page& page, const Plan& plan);

// runbook_keys.cpp: steps of a VM that needs a key only.
void write_wrapping_key(Page& page, const Plan& plan);
void write_vault(Page& page, const Plan& plan);
void write_root_key(Page& page, const Plan& plan);
void write_key(Page& page, const Plan& plan);
void write_compare(Page& page, const Plan& plan);

// runbook_vm.cpp: the VM and its first start.
void write_import(Page& page, const Plan& plan);
void write_saved_memory(Page& page, const Plan& plan);
void write_start(Page& page, const Plan& plan);
void write_prove(Page& page, const Plan& plan);
void write_new_vm(Page& page, const Plan& plan);
void write_unlock(Page& page, const Plan& plan);

// runbook_end.cpp: when the guest has proved itself.
void write_cluster(Page& page, const Plan& plan);
void write_remove_wrapping_key(Page& page, const Plan& plan);
void write_clean_up(Page& page, const Plan& plan);
void write_check_list(Page& page, const Plan& plan);
void write_azure(Page& page, const Plan& plan);

}  // namespace sealift::restore::runbook
