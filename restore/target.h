// What a restore asks of the cluster it brings a VM back on.
#pragma once

#include "vm/target_host.h"
#include "vm/vtpm_secret.h"

namespace sealift::restore {

/// One thread at a time. The real one is libvirt's (libvirt_target.h); a test's fails
/// where it is told to.
class Target {
 public:
  virtual ~Target() = default;
  virtual base::Result<vm::TargetHost> survey() = 0;
  virtual base::Result<vm::SecretOnTarget> compare_secret(
      const vm::VtpmSecret& secret) = 0;
  virtual base::Status define_secret(const vm::VtpmSecret& secret) = 0;
  virtual base::Status undefine_secret(const base::Uuid& uuid) = 0;
  /// errors  kRefused: the host has a VM of that UUID by now.  kHypervisor.
  virtual base::Status define(const base::Uuid& uuid, const std::string& xml) = 0;
  virtual base::Status undefine(const base::Uuid& uuid) = 0;
  virtual base::Status start(const base::Uuid& uuid) = 0;
};

}  // namespace sealift::restore
