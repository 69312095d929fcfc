// Making a repository.
#include "archive/format_pages.h"
#include "archive/repository.h"

namespace sealift::archive {

base::Result<Repository> Repository::init(std::shared_ptr<ObjectStore> store,
                                          keyvault::KeyVault& vault,
                                          std::vector<keyvault::Recipient> recipients,
                                          const RepositorySettings& settings) {
  ASSIGN_OR_RETURN(const bool is_empty, store->is_empty());
  if (!is_empty) {
    return base::Error(base::ErrorCode::kRefused,
                       "a repository is only made where nothing is yet")
        .at("repository", store->place())
        .next("choose a new or empty folder; what is there is untouched");
  }
  ASSIGN_OR_RETURN(
      NewRepositoryDocument made,
      make_repository_document(std::move(recipients), vault.signing_key(), settings));
  const RepositoryDocument& document = made.document;
  // The vault first: a repository whose founder lost its key would have no keeper. A
  // pin without its repository says nothing about any other.
  RETURN_IF_ERROR(vault.store_repository_key(document.id, made.repository_key));
  RETURN_IF_ERROR(vault.pin(document.id, document.text));
  for (const FormatPage& page : format_pages()) {
    RETURN_IF_ERROR(put_object(*store, "format/" + std::string(page.name),
                               base::as_bytes(page.text)));
  }
  // repository.json is the commit: before it, nobody takes this for a repository.
  RETURN_IF_ERROR(put_object(*store, "repository.json.sig", made.signature));
  RETURN_IF_ERROR(put_object(*store, "repository.json", document.text));
  return open(std::move(store), {.id = document.id, .vault = &vault, .confirm = {}});
}

}  // namespace sealift::archive
