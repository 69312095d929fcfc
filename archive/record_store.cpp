#include "archive/record_store.h"

#include <charconv>
#include <optional>

#include "archive/rule.h"

namespace sealift::archive {

namespace {

using base::Error;
using base::ErrorCode;

constexpr std::string_view kFolder = "records/";
constexpr std::size_t kDigits = 8;
constexpr std::uint64_t kSignatureLimit = 2048;  // RSA-PSS with 16,384 bits.
constexpr unsigned kSignaturesOfOne = 9;

struct RecordObject {
  SignerId signer;
  std::uint64_t sequence = 0;
  bool is_signature = false;
};

// records/SIGNER/NNNNNNNN[.sig|.2.sig … .9.sig]; anything else is foreign.
std::optional<RecordObject> parse_record_object(std::string_view name) {
  const std::size_t digits_at = kFolder.size() + 2 * SignerId::kSize + 1;
  if (!name.starts_with(kFolder) || name.size() < digits_at + kDigits ||
      name[digits_at - 1] != '/') {
    return std::nullopt;
  }
  const auto signer = SignerId::parse(name.substr(kFolder.size(), 2 * SignerId::kSize));
  const std::string_view digits = name.substr(digits_at, kDigits);
  RecordObject object;
  const auto [end, failure] =
      std::from_chars(digits.data(), digits.data() + digits.size(), object.sequence);
  if (!signer || failure != std::errc() || end != digits.data() + digits.size()) {
    return std::nullopt;
  }
  object.signer = signer.value();
  const std::string_view ending = name.substr(digits_at + kDigits);
  object.is_signature =
      ending == ".sig" || (ending.size() == 6 && ending[0] == '.' && ending[1] >= '2' &&
                           ending[1] <= '9' && ending.ends_with(".sig"));
  if (!object.is_signature && !ending.empty()) return std::nullopt;
  return object;
}

std::string signature_name(const std::string& name, unsigned attempt) {
  return attempt == 1 ? name + ".sig" : name + '.' + std::to_string(attempt) + ".sig";
}

}  // namespace

std::string record_name(const SignerId& signer, std::uint64_t sequence) {
  std::string digits = std::to_string(sequence);
  digits.insert(0, kDigits - std::min(kDigits, digits.size()), '0');
  return std::string(kFolder) + signer.hex() + '/' + digits;
}

base::Result<RecordFolders> list_records(const ObjectReader& store) {
  ASSIGN_OR_RETURN(const std::vector<ObjectInfo> objects, store.list(kFolder));
  RecordFolders folders;
  for (const ObjectInfo& info : objects) {
    const auto object = parse_record_object(info.name);
    if (!object) continue;
    StoredRecord& stored = folders[object->signer][object->sequence];
    if (object->is_signature) {
      stored.signatures.push_back(info.name);
    } else {
      stored.name = info.name;
      stored.size = info.size;
    }
  }
  for (auto& [signer, records] : folders) {
    std::erase_if(records, [](const auto& entry) { return entry.second.name.empty(); });
  }
  std::erase_if(folders, [](const auto& entry) { return entry.second.empty(); });
  return folders;
}

base::Result<Record> read_unchecked_record(const ObjectReader& store,
                                           const StoredRecord& stored) {
  ASSIGN_OR_RETURN(const base::Bytes text,
                   read_object(store, stored.name, kMaxRecordSize));
  return parse_record(text);
}

base::Result<Record> read_record(const ObjectReader& store, const StoredRecord& stored,
                                 const RepositoryId& repository, const SignerId& signer,
                                 std::uint64_t sequence, const SignatureCheck& check) {
  const auto refused = [&](std::string_view rule, std::string what) {
    return broken(rule, std::move(what))
        .at("object", stored.name)
        .at("repository", store.place());
  };
  ASSIGN_OR_RETURN(const base::Bytes text,
                   read_object(store, stored.name, kMaxRecordSize));
  bool is_signed = false;
  for (const std::string& name : stored.signatures) {
    auto signature = read_object(store, name, kSignatureLimit);
    if (!signature && signature.error().code() == ErrorCode::kIo) {
      return std::move(signature).error();
    }
    is_signed = is_signed || (signature && check(text, signature.value()));
  }
  if (!is_signed) {
    return refused("R7", "the record has no signature by the signer of its folder");
  }
  auto parsed = parse_record(text);
  if (!parsed) {
    return std::move(parsed)
        .error()
        .at("object", stored.name)
        .at("repository", store.place());
  }
  const Record& record = parsed.value();
  if (record.repository != repository) {
    return refused("R8", "the record belongs to another repository");
  }
  if (record.signer != signer || record.sequence != sequence) {
    return refused("R8", "the record lies under another signer or number than its own");
  }
  if (record.kind == "snapshot") {
    return refused("R8", "a snapshot text lies outside its archive");
  }
  return parsed;
}

base::Status put_record(
    ObjectStore& store, const Record& record,
    const std::function<base::Result<base::Bytes>(base::ByteView)>& sign) {
  const std::string text = to_text(record);
  // What is written for ever is first read as a reader would.
  RETURN_IF_ERROR(parse_record(base::as_bytes(text)));
  ASSIGN_OR_RETURN(const base::Bytes signature, sign(base::as_bytes(text)));
  const std::string name = record_name(record.signer, record.sequence);
  const auto there = store.examine(name);
  if (there) {
    return Error(ErrorCode::kBusy, "the signer has a record of this number already")
        .at("object", name)
        .at("repository", store.place());
  }
  if (there.error().code() != ErrorCode::kNotFound) return there.error();
  // A writer that died after its signature leaves the name taken, and nothing may be
  // replaced: the signature then lies beside it.
  base::Status put = base::Done{};
  for (unsigned attempt = 1; attempt <= kSignaturesOfOne; ++attempt) {
    put = put_object(store, signature_name(name, attempt), signature);
    if (put || put.error().code() != ErrorCode::kBusy) break;
  }
  RETURN_IF_ERROR(std::move(put));
  return put_object(store, name, base::as_bytes(text));
}

}  // namespace sealift::archive
