// The commands that work. One that does not is not here, and exits 2 as unknown.
#include <array>

#include "cli/command.h"
#include "cli/commands.h"

namespace sealift::cli {

std::span<const Command* const> all_commands() {
  static constexpr std::array kCommands{
      &kKeyvaultInit,
      &kKeyvaultNewRecoveryKey,
      &kKeyvaultExportSigner,
      &kKeyvaultTrust,
      &kKeyvaultInspect,
      &kKeyvaultReveal,
      &kKeyvaultRewrap,
      &kKeyvaultEscrow,
      &kRepoInit,
      &kRepoShow,
      &kRepoSheet,
      &kRepoJoin,
      &kCatalogRebuild,
      &kBackup,
      &kList,
      &kShow,
      &kVerify,
      &kRestore,
      &kExport,
      &kBenchmark,
      &kVmInspect,
  };
  return kCommands;
}

}  // namespace sealift::cli
