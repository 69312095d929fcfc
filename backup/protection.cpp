#include "backup/protection.h"

#include "archive/manifest_text.h"
#include "keyvault/protection_key.h"
#include "vm/swtpm_state.h"

namespace sealift::backup {

namespace {

constexpr std::string_view kPermanentState = "tpm2-00.permall";

const vm::CapturedFile* find_permanent_state(
    const std::vector<vm::CapturedFile>& files) {
  for (const vm::CapturedFile& file : files) {
    if (file.kind == "guest-state" && file.name == kPermanentState) return &file;
  }
  return nullptr;
}

base::Result<std::vector<archive::ProtectionKeyFile>> wrap_to_all(
    const vm::VtpmSecret& secret, const std::vector<keyvault::Recipient>& recipients) {
  std::vector<archive::ProtectionKeyFile> files;
  for (std::size_t i = 0; i < recipients.size(); ++i) {
    ASSIGN_OR_RETURN(std::string text,
                     keyvault::wrap_protection_key(secret.value, recipients[i]));
    files.push_back({{archive::protection_key_member(i), recipients[i].id(),
                      secret.uuid.text(), secret.usage, "RSA_AES_KEY_WRAP_256"},
                     std::move(text)});
  }
  return files;
}

base::Error wrong_key(const base::Error& proof, const vm::CapturedFile& state,
                      const vm::VtpmSecret& secret) {
  base::Error error(base::ErrorCode::kRefused,
                    "the protection key does not open the vTPM state just copied");
  error.at("file", state.path.string()).at("secret", secret.uuid.text());
  error.next(
      "find the value of this secret with which the VM was last started, and name "
      "it with --vtpm-secret-file VM=FILE");
  return std::move(error).because(proof.what());
}

}  // namespace

base::Result<Protection> protect(const vm::VmDescription& description,
                                 const std::vector<vm::CapturedFile>& files,
                                 const std::optional<vm::VtpmSecret>& secret,
                                 const std::vector<keyvault::Recipient>& recipients) {
  Protection found;
  found.guest_state = {"guest-state", "complete", ""};
  found.protection_key = {"protection-key", "complete", ""};
  if (!description.vtpm) {
    found.guest_state = {"guest-state", "absent", "the VM has no vTPM"};
    found.protection_key = {"protection-key", "absent", "the VM has no vTPM"};
    return found;
  }
  if (secret) {
    ASSIGN_OR_RETURN(found.files, wrap_to_all(*secret, recipients));
  }
  const vm::CapturedFile* state = find_permanent_state(files);
  if (state == nullptr) {
    found.guest_state = {"guest-state", "absent", "the VM was never started"};
    found.protection_key.reason = "there is no vTPM state that it could open";
    if (!secret) found.protection_key.state = "absent";
    return found;
  }
  auto parsed = vm::parse_swtpm_state(state->content);
  if (!parsed) return std::move(parsed).error().at("file", state->path.string());
  if (!parsed->is_encrypted) {
    found.guest_state.reason = "not encrypted";
    found.protection_key = {"protection-key", "absent",
                            "the vTPM state is not encrypted"};
    found.files.clear();
    found.warnings.emplace_back(
        "the vTPM state is not encrypted on this host: whoever reads " +
        state->path.string() + " has the guest's secrets");
    return found;
  }
  if (!secret) {
    return base::Error(base::ErrorCode::kRefused,
                       "the vTPM state is encrypted and the VM names no secret for it")
        .at("file", state->path.string())
        .next(
            "name the secret in the VM's <encryption secret=…/>, or the value with "
            "--vtpm-secret-file VM=FILE");
  }
  if (auto proof = vm::prove_key_opens(secret->value, state->content); !proof) {
    if (proof.error().code() != base::ErrorCode::kWrongKey) {
      return std::move(proof).error().at("file", state->path.string());
    }
    return wrong_key(proof.error(), *state, *secret);
  }
  found.protection_key.reason = "opens the guest state";
  return found;
}

}  // namespace sealift::backup
