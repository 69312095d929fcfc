// What a restore looks at before it touches anything; each adds lines to the plan.
#pragma once

#include "archive/manifest.h"
#include "restore/places.h"
#include "restore/protection_proof.h"
#include "restore/restore.h"
#include "vm/definition.h"
#include "vm/target_host.h"
#include "vm/vtpm_secret.h"

namespace sealift::restore {

/// Does the snapshot hold a whole VM, and its definition speak of the same one?
void check_snapshot(RestorePlan& plan, const archive::Manifest& manifest,
                    const vm::DefinitionFacts& facts);

/// Name, UUID and MAC addresses against the VMs of the host; and the source, which
/// nobody asked.
void check_identity(RestorePlan& plan, const archive::Manifest& manifest,
                    const vm::DefinitionFacts& facts, const vm::TargetHost& host);

/// What the definition may not hold, and what it needs that the host must have:
/// virtualization, machine type, firmware, networks, bridges.
void check_definition(RestorePlan& plan, const vm::RebuiltDefinition& definition);
void check_host(RestorePlan& plan, const vm::DefinitionFacts& facts,
                const vm::TargetHost& host);

/// Folders, files that are there already, free space.
void check_places(RestorePlan& plan, const archive::Manifest& manifest,
                  const Places& places, const vm::TargetHost& host);

/// Will the vTPM unlock there?
void check_protection(RestorePlan& plan, const archive::Manifest& manifest,
                      const ProtectionProof& proof, const vm::DefinitionFacts& facts);

/// The secret that the host may have already under that UUID or usage name.
void check_secret(RestorePlan& plan, const vm::VtpmSecret& secret,
                  vm::SecretOnTarget found);

}  // namespace sealift::restore
