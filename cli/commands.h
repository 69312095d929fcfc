// One constant a command; each lives in the file named after it.
#pragma once

#include "cli/command.h"

namespace sealift::cli {

extern const Command kKeyvaultInit;
extern const Command kKeyvaultNewRecoveryKey;
extern const Command kKeyvaultExportSigner;
extern const Command kKeyvaultTrust;
extern const Command kKeyvaultInspect;
extern const Command kKeyvaultReveal;
extern const Command kKeyvaultRewrap;
extern const Command kKeyvaultEscrow;
extern const Command kRepoInit;
extern const Command kRepoShow;
extern const Command kRepoSheet;
extern const Command kRepoJoin;
extern const Command kCatalogRebuild;
extern const Command kBackup;
extern const Command kList;
extern const Command kShow;
extern const Command kVerify;
extern const Command kRestore;
extern const Command kExport;
extern const Command kBenchmark;
extern const Command kVmInspect;

}  // namespace sealift::cli
