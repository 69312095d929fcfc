#include "archive/repository.h"

#include <algorithm>

#include "archive/record_store.h"
#include "archive/rule.h"

namespace sealift::archive {

namespace {

using base::Error;
using base::ErrorCode;

constexpr std::string_view kDocument = "repository.json";
constexpr std::string_view kDocumentSignature = "repository.json.sig";
constexpr std::uint64_t kDocumentLimit = std::uint64_t{1024} * 1024;

Error no_repository(const ObjectReader& store) {
  return Error(ErrorCode::kNotFound, "there is no repository")
      .at("repository", store.place())
      .next("is it mounted? mount it, then run the command again")
      .next("a new repository is made with `sealift repo init --repo " + store.place() +
            " --recipient KEY.pub.pem`");
}

Error another_repository(const ObjectReader& store, const RepositoryId& found,
                         const RepositoryId& expected) {
  return broken("D0", "this is another repository than the one expected")
      .at("found", found.hex())
      .at("expected", expected.hex())
      .at("repository", store.place())
      .next(
          "compare both ids with the printed sheet of the repository: the expected "
          "one must stand there");
}

Error nothing_to_compare(const ObjectReader& store, const RepositoryId& found,
                         const std::vector<RepositoryId>& pinned) {
  Error error =
      broken("D0", "nothing on this host says that this repository is the right one");
  for (const RepositoryId& known : pinned) {
    error.next("this host knows " + known.hex() +
               ": if that one should lie here, its repository.json was changed; trust "
               "nothing in it");
  }
  return std::move(error)
      .at("found", found.hex())
      .at("repository", store.place())
      .next(
          "compare the id found with the printed sheet of the repository; if they "
          "are equal, run the command again with `--repo-id " +
          found.hex() + "`");
}

Error said_to_be_another(const ObjectReader& store, const RepositoryId& found) {
  return broken("D0", "this is not the repository that was meant, you say")
      .at("found", found.hex())
      .at("repository", store.place())
      .next("find the one meant, and name it with --repo")
      .next("if it should be this one, somebody has replaced it: trust nothing in it");
}

enum class Compared { kEqual, kByAPerson };

// Whether the repository of this id is the one meant, before anything of it is parsed;
// a person compares once its founder's signature was found to fit.
base::Result<Compared> compare(const ObjectReader& store,
                               const Expectation& expectation,
                               const RepositoryId& found) {
  if (expectation.id) {
    if (*expectation.id == found) return Compared::kEqual;
    return another_repository(store, found, *expectation.id);
  }
  if (expectation.vault != nullptr && expectation.vault->is_pinned(found)) {
    return Compared::kEqual;
  }
  if (expectation.confirm) return Compared::kByAPerson;
  std::vector<RepositoryId> pinned;
  if (expectation.vault != nullptr) {
    ASSIGN_OR_RETURN(pinned, expectation.vault->pinned());
    if (pinned.size() == 1) {
      return another_repository(store, found, pinned.front())
          .next("if it is meant to be a second one, name it with `--repo-id " +
                found.hex() + "`");
    }
  }
  return nothing_to_compare(store, found, pinned);
}

// What the folder of one signer holds, as far as its signatures fit.
struct SignerRecords {
  std::vector<Record> records;
  std::optional<Error> damage;
};

// Every key that stands in the repository, by its id, which certifies it.
using CandidateKeys = std::map<SignerId, keyvault::SignerPublicKey>;

SignatureCheck check_by(const RepositoryDocument& document, const SignerId& signer,
                        const CandidateKeys& keys) {
  for (const keyvault::Recipient& recipient : document.recipients) {
    if (!std::ranges::equal(recipient.id().view(), signer.view())) continue;
    return [recipient](base::ByteView message, base::ByteView signature) {
      return recipient.verify(message, signature);
    };
  }
  const auto found = keys.find(signer);
  if (found == keys.end()) return nullptr;
  return [key = found->second](base::ByteView message, base::ByteView signature) {
    return key.verify(message, signature);
  };
}

base::Result<CandidateKeys> find_candidates(
    const ObjectReader& store, const RecordFolders& folders,
    const RepositoryDocument& document,
    const std::vector<keyvault::TrustedSigner>& extra) {
  CandidateKeys keys;
  keys.emplace(document.founder.id(), document.founder);
  for (const auto& trusted : extra) keys.emplace(trusted.key.id(), trusted.key);
  for (const auto& [signer, stored_records] : folders) {
    for (const auto& [sequence, stored] : stored_records) {
      const auto record = read_unchecked_record(store, stored);
      if (!record && record.error().code() == ErrorCode::kIo) return record.error();
      if (!record || record->kind != "enrolled") continue;
      if (const auto key = enrolled_key(record.value())) {
        keys.emplace(key.value().id(), key.value());
      }
    }
  }
  return keys;
}

SignerRecords read_folder(const ObjectReader& store, const RepositoryId& repository,
                          const SignerId& signer,
                          const std::map<std::uint64_t, StoredRecord>& stored_records,
                          const SignatureCheck& check) {
  SignerRecords read;
  for (const auto& [sequence, stored] : stored_records) {
    auto record = read_record(store, stored, repository, signer, sequence, check);
    if (record) {
      if (auto fields = check_trust_fields(record.value()); !fields) {
        record = std::move(fields).error().at("object", stored.name);
      }
    }
    if (!record) {
      read.damage = std::move(record).error().at("signer", signer.hex());
      return read;
    }
    const Record* before = read.records.empty() ? nullptr : &read.records.back();
    if (before != nullptr && before->sequence + 1 == sequence &&
        digest_of(*before) != record->previous) {
      read.damage = broken("R15", "the record does not follow the one before it")
                        .at("object", stored.name)
                        .at("signer", signer.hex());
      return read;
    }
    read.records.push_back(std::move(record).value());
  }
  return read;
}

// A recovery key takes no snapshots, so its records alone must be the whole chain.
base::Status check_recovery_chain(const std::vector<Record>& records) {
  for (std::size_t i = 0; i < records.size(); ++i) {
    if (records[i].sequence == i + 1) continue;
    return broken("R15", "a record of a recovery key is missing")
        .at("sequence", std::to_string(i + 1))
        .at("signer", records[i].signer.hex())
        .next("look for it in a copy of the repository");
  }
  return base::Done{};
}

Error unknown_signer(const ObjectReader& store, const SignerId& signer) {
  return broken("R9", "records of a signer that no keeper enrolled")
      .at("signer", signer.hex())
      .at("repository", store.place())
      .next(
          "find out who wrote them; a host of yours enrols itself with `sealift repo "
          "join --identity KEY.pem`");
}

}  // namespace

base::Result<Repository> Repository::open(std::shared_ptr<ObjectStore> store,
                                          const Expectation& expectation) {
  auto text = read_object(*store, kDocument, kDocumentLimit);
  if (!text && text.error().code() == ErrorCode::kNotFound) {
    return no_repository(*store);
  }
  if (!text) return std::move(text).error();
  const RepositoryId found(keyvault::sha256(text.value()).bytes());
  ASSIGN_OR_RETURN(const Compared compared, compare(*store, expectation, found));
  auto signature = read_object(*store, kDocumentSignature, keyvault::kSignatureSize);
  if (!signature && signature.error().code() != ErrorCode::kIo) {
    return broken("D5", "repository.json has no signature of 64 bytes beside it")
        .at("object", kDocumentSignature)
        .at("repository", store->place())
        .next("bring it back from a copy of the repository");
  }
  if (!signature) return std::move(signature).error();
  auto document = parse_repository_document(text.value(), signature.value());
  if (!document) {
    return std::move(document)
        .error()
        .at("object", kDocument)
        .at("repository", store->place());
  }
  if (compared == Compared::kByAPerson && !expectation.confirm(document.value())) {
    return said_to_be_another(*store, found);
  }
  Repository repository(std::move(store), std::move(document).value());
  if (expectation.vault != nullptr) {
    ASSIGN_OR_RETURN(repository.extra_, expectation.vault->trusted_signers());
  }
  RETURN_IF_ERROR(repository.refresh());
  return repository;
}

base::Status Repository::refresh() {
  ASSIGN_OR_RETURN(const RecordFolders folders, list_records(*store_));
  ASSIGN_OR_RETURN(const CandidateKeys keys,
                   find_candidates(*store_, folders, document_, extra_));
  std::map<SignerId, SignerRecords> read;
  std::vector<Record> all;
  for (const auto& [signer, stored] : folders) {
    const SignatureCheck check = check_by(document_, signer, keys);
    if (!check) continue;
    SignerRecords records = read_folder(*store_, id(), signer, stored, check);
    if (records.damage && records.damage->code() == ErrorCode::kIo) {
      return *std::move(records.damage);
    }
    all.insert(all.end(), records.records.begin(), records.records.end());
    read.emplace(signer, std::move(records));
  }
  Trust trust = build_trust(document_, all, extra_);
  std::vector<Record> believed;
  std::vector<Error> unbelieved;
  for (const auto& [signer, stored] : folders) {
    // Clang does not let a lambda take a structured binding by reference.
    const bool is_recipient = std::ranges::any_of(
        document_.recipients, [wanted = signer.view()](const auto& recipient) {
          return std::ranges::equal(recipient.id().view(), wanted);
        });
    if (!is_recipient && trust.lookup(signer) == nullptr) {
      unbelieved.push_back(unknown_signer(*store_, signer));
      continue;
    }
    SignerRecords& records = read.at(signer);
    if (records.damage) return *std::move(records.damage);
    if (is_recipient) RETURN_IF_ERROR(check_recovery_chain(records.records));
    std::ranges::move(records.records, std::back_inserter(believed));
  }
  trust_ = std::move(trust);
  records_ = std::move(believed);
  unbelieved_ = std::move(unbelieved);
  return base::Done{};
}

base::Result<RepositoryKeys> Repository::keys(const keyvault::KeyVault& vault) const {
  auto key = vault.repository_key(id());
  if (key) return derive_repository_keys(document_, key.value());
  if (key.error().code() != ErrorCode::kNotFound) return std::move(key).error();
  return Error(ErrorCode::kNotFound, "this host has not joined the repository")
      .at("key vault", vault.folder().string())
      .at("repository", store_->place())
      .next("with the recovery key at hand run `sealift repo join --identity KEY.pem`");
}

base::Result<RepositoryKeys> Repository::keys(
    const keyvault::RecoveryKey& identity) const {
  ASSIGN_OR_RETURN(
      const keyvault::Secret key,
      open_envelope(document_.envelopes, document_.repository_key, identity));
  return derive_repository_keys(document_, key);
}

}  // namespace sealift::archive
