// Records as objects of a repository: their names, reading them, adding one.
#pragma once

#include <functional>
#include <map>
#include <vector>

#include "archive/object_store.h"
#include "archive/record.h"

namespace sealift::archive {

/// A signer's folder of records, as stored; nothing in it was checked.
struct StoredRecord {
  std::string name;                     ///< Of the text's object.
  std::uint64_t size = 0;               ///< Of the text, in bytes.
  std::vector<std::string> signatures;  ///< Names of its signatures' objects.
};

/// By signer (the folder's name, 64 hexadecimal digits), then sequence. A signature
/// without its text is what a killed writer leaves, and is left out.
using RecordFolders = std::map<SignerId, std::map<std::uint64_t, StoredRecord>>;

/// errors  as ObjectReader::list().
base::Result<RecordFolders> list_records(const ObjectReader& store);

/// Whether a signature over a text fits.
using SignatureCheck =
    std::function<base::Status(base::ByteView message, base::ByteView signature)>;

/// The record that `stored` holds, signed as `check` wants it, of `repository`, in the
/// folder and under the number that it names itself.
/// errors  kCorrupt, kUnsupported: places "rule" and "object".  kIo.
base::Result<Record> read_record(const ObjectReader& store, const StoredRecord& stored,
                                 const RepositoryId& repository, const SignerId& signer,
                                 std::uint64_t sequence, const SignatureCheck& check);

/// The text that `stored` holds, parsed and nothing else: who may have written it is
/// not known yet.
base::Result<Record> read_unchecked_record(const ObjectReader& store,
                                           const StoredRecord& stored);

/// Makes `record` part of the repository: its signature first, then its text, which is
/// the commit.
/// errors  kBusy: the signer has a record of that sequence; nothing changed.
///         kIo: the record is there, whole, or not.
base::Status put_record(
    ObjectStore& store, const Record& record,
    const std::function<base::Result<base::Bytes>(base::ByteView)>& sign);

/// "records/SIGNER/NNNNNNNN".
std::string record_name(const SignerId& signer, std::uint64_t sequence);

}  // namespace sealift::archive
