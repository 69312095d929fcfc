#include "cli/snapshot_answer.h"

namespace sealift::cli {

namespace {
constexpr std::size_t kShortIdDigits = 8;
}

base::Json to_json(const catalog::Snapshot& snapshot) {
  return {
      {"id", snapshot.id.hex()},
      {"vm", snapshot.vm_name},
      {"vm_uuid", snapshot.vm_uuid},
      {"cluster", snapshot.cluster},
      {"host", snapshot.host},
      {"created", snapshot.created.text()},
      {"kind", snapshot.kind},
      {"read", snapshot.read},
      {"source_bytes", snapshot.source_bytes},
      {"changed_bytes", snapshot.changed_bytes},
      {"stored_bytes", snapshot.stored_bytes},
      {"verdict", snapshot.verdict},
      {"volumes", snapshot.volumes},
      {"signer", snapshot.signer.hex()},
  };
}

std::string short_id(const archive::ArchiveId& id) {
  return id.hex().substr(0, kShortIdDigits);
}

std::string vm_label(const catalog::Snapshot& snapshot) {
  return snapshot.is_opened ? snapshot.vm_name : "(sealed)";
}

}  // namespace sealift::cli
