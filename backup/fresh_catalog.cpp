#include "backup/fresh_catalog.h"

#include "catalog/losses.h"

namespace sealift::backup {

base::Result<std::vector<std::string>> refresh_catalog(BackupEnvironment& environment) {
  // The head is read before the listing, so that a record of another run that appears
  // in between is no gap.
  ASSIGN_OR_RETURN(const keyvault::ChainHead head,
                   environment.vault.head(environment.repository.id()));
  auto refreshed =
      environment.catalog.refresh(environment.repository, &environment.keys,
                                  environment.vault.signing_key().public_key().id(),
                                  head, catalog::Unbelieved::kSkip);
  if (!refreshed && catalog::is_loss(refreshed.error())) {
    return std::move(refreshed).error().next(
        "back up into a new repository meanwhile, and see the runbook lost-volumes.md");
  }
  ASSIGN_OR_RETURN(const catalog::RefreshReport report, std::move(refreshed));
  std::vector<std::string> passed_over;
  for (const base::Error& skipped : report.skipped) {
    std::string words = "passed over: " + skipped.what();
    for (const base::Error::Place& place : skipped.places()) {
      words += ", " + place.kind + " " + place.name;
    }
    passed_over.push_back(std::move(words));
  }
  return passed_over;
}

}  // namespace sealift::backup
