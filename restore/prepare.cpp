#include "restore/prepare.h"

#include <algorithm>

#include "base/byte_count.h"
#include "restore/checks.h"
#include "restore/libvirt_target.h"
#include "restore/plan.h"
#include "restore/run.h"
#include "restore/snapshot_contents.h"
#include "restore/volume_checks.h"
#include "vm/live_disks.h"

namespace sealift::restore {

namespace {

class Prepared final : public PreparedRestore {
 public:
  Prepared(std::unique_ptr<Target> target, base::Filesystem& filesystem)
      : target_(std::move(target)), filesystem_(filesystem) {}

  const RestorePlan& plan() const override { return plan_; }

  base::Status run(std::stop_token stop) override {
    if (plan_.is_blocked()) return blocked_error(plan_);
    return run_restore(work_, *target_, filesystem_, std::move(stop));
  }

  base::Status prepare(const RestoreEnvironment& environment,
                       const RestoreRequest& request, const std::stop_token& stop);

 private:
  base::Result<vm::RebuiltDefinition> rebuild(const RestoreRequest& request,
                                              const vm::TargetHost& host,
                                              const std::string& xml) const;
  base::Status look_at_volumes(BytesChecked bytes, const std::stop_token& stop);
  base::Status look_at_secret(ProtectionProof proof, const vm::DefinitionFacts& facts);
  void list_steps();

  std::unique_ptr<Target> target_;
  base::Filesystem& filesystem_;
  RestorePlan plan_;
  RestoreWork work_;
};

// Empty: the snapshot holds no such definition.
base::Result<std::string> read_config(const archive::SnapshotReader& reader,
                                      std::string_view name) {
  for (const archive::Component& component : reader.manifest().components) {
    if (component.kind != "config" || component.name != name) continue;
    ASSIGN_OR_RETURN(const base::Bytes content, read_component(reader, component));
    return std::string(base::as_text(content));
  }
  return std::string();
}

base::Result<vm::LiveDisks> read_domain_xml(const archive::SnapshotReader& reader) {
  ASSIGN_OR_RETURN(const std::string stored, read_config(reader, "domain.xml"));
  if (stored.empty()) {
    return base::Error(base::ErrorCode::kCorrupt, "the snapshot holds no definition")
        .at("component", "config domain.xml");
  }
  ASSIGN_OR_RETURN(const std::string active, read_config(reader, "domain-active.xml"));
  return vm::with_live_disks(stored, active);
}

base::Status only_libvirt(const archive::Manifest& manifest) {
  if (manifest.platform == "libvirt") return base::Done{};
  return base::Error(base::ErrorCode::kRefused,
                     "a snapshot of another platform cannot be restored on libvirt")
      .at("platform", manifest.platform)
      .at("vm", manifest.vm_name)
      .next("get its files with --to-directory DIR");
}

base::Status Prepared::prepare(const RestoreEnvironment& environment,
                               const RestoreRequest& request,
                               const std::stop_token& stop) {
  const SnapshotPlace& place = environment.place;
  work_.progress = environment.progress;
  work_.after = request.after;
  ASSIGN_OR_RETURN(work_.reader,
                   open_snapshot(place, request.snapshot, &environment.identity));
  const archive::SnapshotReader& reader = *work_.reader;
  const archive::Manifest& manifest = reader.manifest();
  RETURN_IF_ERROR(only_libvirt(manifest));
  plan_.vm_name = manifest.vm_name;
  plan_.vm_uuid = manifest.vm_uuid;
  plan_.snapshot = request.snapshot.id;

  ASSIGN_OR_RETURN(const std::vector<std::string> volumes,
                   volumes_of(place, reader, request.snapshot, stop));
  ASSIGN_OR_RETURN(work_.checks, open_volumes(place.source, volumes, stop));
  RETURN_IF_ERROR(look_at_volumes(request.bytes, stop));

  ASSIGN_OR_RETURN(const vm::LiveDisks live, read_domain_xml(reader));
  ASSIGN_OR_RETURN(const vm::DefinitionFacts facts, vm::read_definition(live.xml));
  ASSIGN_OR_RETURN(const vm::TargetHost host, target_->survey());
  work_.uuid = facts.uuid;
  ASSIGN_OR_RETURN(work_.places,
                   choose_places(manifest, facts, host, request.storage_directory));
  ASSIGN_OR_RETURN(vm::RebuiltDefinition definition, rebuild(request, host, live.xml));
  std::ranges::move(vm::words_of(live), std::back_inserter(definition.notes));
  ASSIGN_OR_RETURN(ProtectionProof proof,
                   prove_protection_key(reader, environment.identity));

  check_snapshot(plan_, manifest, facts);
  check_protection(plan_, manifest, proof, facts);
  check_identity(plan_, manifest, facts, host);
  check_definition(plan_, definition);
  check_host(plan_, facts, host);
  check_places(plan_, manifest, work_.places, host);
  work_.definition = std::move(definition.xml);
  return look_at_secret(std::move(proof), facts);
}

base::Status Prepared::look_at_volumes(BytesChecked bytes,
                                       const std::stop_token& stop) {
  const std::string volumes = std::to_string(work_.checks->volumes()) + " volumes (" +
                              base::ByteCount(work_.checks->bytes()).text() + ")";
  if (bytes == BytesChecked::kFirst) {
    RETURN_IF_ERROR(check_rest(*work_.checks, work_.progress, stop));
    pass(plan_, "signatures", "every byte of " + volumes + " fits its signed sums");
  } else {
    pass(plan_, "signatures",
         volumes + " are signed; their bytes are checked as they are read");
  }
  return base::Done{};
}

base::Result<vm::RebuiltDefinition> Prepared::rebuild(const RestoreRequest& request,
                                                      const vm::TargetHost& host,
                                                      const std::string& xml) const {
  return vm::rebuild_definition(
      xml, definition_places(work_.places, host, request.allowed_elements));
}

// Defines nothing yet: a secret that is there with the same value needs no step.
base::Status Prepared::look_at_secret(ProtectionProof proof,
                                      const vm::DefinitionFacts& facts) {
  const bool has_key =
      proof.state == StateProof::kOpens || proof.state == StateProof::kNoState;
  if (has_key && proof.entry->key_name == facts.tpm_secret) {
    vm::VtpmSecret secret;
    base::Result<base::Uuid> uuid = base::Uuid::parse(proof.entry->key_name);
    if (!uuid) {
      return base::Error(base::ErrorCode::kCorrupt,
                         "the manifest names a secret by no UUID")
          .at("key name", proof.entry->key_name);
    }
    secret.uuid = uuid.value();
    secret.usage = proof.entry->usage.empty() ? secret.uuid.text() : proof.entry->usage;
    secret.description = "protection key of " + plan_.vm_name + ", restored by sealift";
    secret.value = std::move(proof.key);
    ASSIGN_OR_RETURN(const vm::SecretOnTarget found, target_->compare_secret(secret));
    check_secret(plan_, secret, found);
    if (found == vm::SecretOnTarget::kSameValue) {
      plan_.steps.push_back({"use", "secret " + secret.uuid.text(), {}});
    } else {
      plan_.steps.push_back({"define", "secret " + secret.uuid.text(), {}});
      work_.secret = std::move(secret);
    }
  }
  list_steps();
  return base::Done{};
}

void Prepared::list_steps() {
  const Places& places = work_.places;
  if (places.nvram) plan_.steps.push_back({"create", "NVRAM", places.nvram_path});
  for (const PlacedComponent& file : places.guest_state) {
    plan_.steps.push_back({"create", "vTPM state " + file.component.name, file.path});
  }
  for (const PlacedComponent& disk : places.disks) {
    plan_.steps.push_back({"create",
                           "disk " + disk.component.name + " (" +
                               base::ByteCount(disk.component.size).text() + ", qcow2)",
                           disk.path});
  }
  plan_.steps.push_back({"define", "VM \"" + plan_.vm_name + "\"", {}});
  if (work_.after == AfterRestore::kStart) {
    plan_.steps.push_back({"start", "VM \"" + plan_.vm_name + "\"", {}});
  }
}

}  // namespace

base::Result<std::unique_ptr<PreparedRestore>> prepare_restore_on(
    std::unique_ptr<Target> target, base::Filesystem& filesystem,
    const RestoreEnvironment& environment, const RestoreRequest& request,
    const std::stop_token& stop) {
  auto prepared = std::make_unique<Prepared>(std::move(target), filesystem);
  RETURN_IF_ERROR(prepared->prepare(environment, request, stop));
  return std::unique_ptr<PreparedRestore>(std::move(prepared));
}

base::Result<std::unique_ptr<PreparedRestore>> prepare_restore(
    const RestoreEnvironment& environment, const RestoreRequest& request,
    const std::stop_token& stop) {
  if (environment.connection == nullptr) {
    return base::Error(base::ErrorCode::kDefect,
                       "a restore needs a connection to libvirt, or a folder");
  }
  return prepare_restore_on(std::make_unique<LibvirtTarget>(*environment.connection),
                            base::real_filesystem(), environment, request, stop);
}

}  // namespace sealift::restore
