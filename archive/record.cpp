#include "archive/record.h"

#include <algorithm>
#include <charconv>

#include "archive/rule.h"

namespace sealift::archive {

namespace {

using base::Error;
using base::ErrorCode;

constexpr std::size_t kNameLimit = 32;
constexpr std::string_view kFirstWord = "sealift ";

bool is_record_name(std::string_view name) {
  const auto is_letter = [](char c) { return c >= 'a' && c <= 'z'; };
  return !name.empty() && name.size() <= kNameLimit && is_letter(name.front()) &&
         std::ranges::all_of(name, [&](char c) {
           return is_letter(c) || (c >= '0' && c <= '9') || c == '-';
         });
}

bool is_value(std::string_view value) {
  return !value.empty() && value.front() != ' ' && value.back() != ' ' &&
         std::ranges::all_of(value, [](char c) { return c >= ' ' && c <= '~'; });
}

// Takes the next line off `rest`; its line feed has been checked to be there.
std::string_view take_line(std::string_view& rest) {
  const std::size_t end = std::min(rest.find('\n'), rest.size());
  const std::string_view line = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return line;
}

// The value of a line "name value", when it has that name.
std::optional<std::string_view> value_of(std::string_view line, std::string_view name) {
  if (!line.starts_with(name) || line.size() <= name.size() ||
      line[name.size()] != ' ') {
    return std::nullopt;
  }
  return line.substr(name.size() + 1);
}

std::optional<std::uint64_t> parse_number(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, failure] =
      std::from_chars(text.data(), text.data() + text.size(), number);
  if (failure != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// R2: "sealift KIND 1".
base::Result<std::string> parse_kind_line(std::string_view line) {
  const std::size_t blank = line.rfind(' ');
  if (!line.starts_with(kFirstWord) || blank < kFirstWord.size()) {
    return broken("R2", "the text is not a record");
  }
  const std::string_view kind =
      line.substr(kFirstWord.size(), blank - kFirstWord.size());
  const auto version = parse_number(line.substr(blank + 1));
  if (!is_record_name(kind) || !version) {
    return broken("R2", "the text is not a record");
  }
  if (*version > 1) {
    return newer("R2", "the record has version " + std::to_string(*version) +
                           ", this program reads version 1");
  }
  return std::string(kind);
}

// R3: the five lines that every record has.
base::Result<Record> parse_header(std::string kind, std::string_view& rest) {
  Record record;
  record.kind = std::move(kind);
  const auto repository = value_of(take_line(rest), "repository");
  const auto signer = value_of(take_line(rest), "signer");
  const auto sequence = value_of(take_line(rest), "sequence");
  const auto previous = value_of(take_line(rest), "previous");
  const auto created = value_of(take_line(rest), "created");
  if (!repository || !signer || !sequence || !previous || !created) {
    return broken("R3", "a line of the record's head is missing or out of order");
  }
  const auto repository_id = RepositoryId::parse(*repository);
  const auto signer_id = SignerId::parse(*signer);
  const auto number = parse_number(*sequence);
  const auto digest = Sha256Digest::parse(*previous);
  const auto time = base::Timestamp::parse_stored(*created);
  if (!repository_id || !signer_id || !number || !digest || !time) {
    return broken("R3", "a line of the record's head does not say what it should");
  }
  record.repository = repository_id.value();
  record.signer = signer_id.value();
  record.sequence = *number;
  record.previous = digest.value();
  record.created = time.value();
  return record;
}

}  // namespace

base::Result<std::string> Record::field(std::string_view name) const {
  const std::vector<std::string> values = all(name);
  if (values.size() == 1) return values.front();
  return Error(ErrorCode::kCorrupt, values.empty()
                                        ? "the record lacks a field"
                                        : "the record has a field more than once")
      .at("field", name)
      .at("record", kind + " " + std::to_string(sequence));
}

std::vector<std::string> Record::all(std::string_view name) const {
  std::vector<std::string> values;
  for (const auto& [field_name, value] : fields) {
    if (field_name == name) values.push_back(value);
  }
  return values;
}

std::string to_text(const Record& record) {
  std::string text(kFirstWord);
  text += record.kind + " 1\n";
  text += "repository " + record.repository.hex() + '\n';
  text += "signer " + record.signer.hex() + '\n';
  text += "sequence " + std::to_string(record.sequence) + '\n';
  text += "previous " + record.previous.hex() + '\n';
  text += "created " + record.created.text() + '\n';
  for (const auto& [name, value] : record.fields) {
    text.append(name).append(" ").append(value).append("\n");
  }
  return text;
}

Sha256Digest digest_of(const Record& record) {
  return keyvault::sha256(base::as_bytes(to_text(record)));
}

base::Result<Record> parse_record(base::ByteView text) {
  if (text.size() > kMaxRecordSize) return broken("R1", "the record is too long");
  std::string_view rest = base::as_text(text);
  if (!rest.ends_with('\n')) return broken("R1", "the record ends within a line");
  ASSIGN_OR_RETURN(std::string kind, parse_kind_line(take_line(rest)));
  ASSIGN_OR_RETURN(Record record, parse_header(std::move(kind), rest));
  if (record.sequence == 0 || record.sequence > kMaxSequence) {
    return broken("R4", "the record's sequence is out of range");
  }
  if ((record.sequence == 1) != record.previous.is_zero()) {
    return broken("R4", "only a signer's first record has no previous one");
  }
  while (!rest.empty()) {
    const std::string_view line = take_line(rest);
    const std::size_t blank = std::min(line.find(' '), line.size());
    const std::string_view name = line.substr(0, blank);
    const std::string_view value = line.substr(std::min(blank + 1, line.size()));
    if (!is_record_name(name) || !is_value(value)) {
      return broken("R5", "a line of the record is not a name and a value");
    }
    record.fields.emplace_back(name, value);
  }
  // Numbers with leading zeros and whatever else has two spellings end here.
  if (to_text(record) != base::as_text(text)) {
    return broken("R6", "the record is not in its one form");
  }
  return record;
}

}  // namespace sealift::archive
