// The cluster behind a libvirt connection.
#pragma once

#include "restore/target.h"

namespace sealift::restore {

/// `connection` outlives it.
class LibvirtTarget final : public Target {
 public:
  explicit LibvirtTarget(const vm::Connection& connection) : connection_(connection) {}

  base::Result<vm::TargetHost> survey() override;
  base::Result<vm::SecretOnTarget> compare_secret(
      const vm::VtpmSecret& secret) override;
  base::Status define_secret(const vm::VtpmSecret& secret) override;
  base::Status undefine_secret(const base::Uuid& uuid) override;
  base::Status define(const base::Uuid& uuid, const std::string& xml) override;
  base::Status undefine(const base::Uuid& uuid) override;
  base::Status start(const base::Uuid& uuid) override;

 private:
  const vm::Connection& connection_;
};

}  // namespace sealift::restore
