#include "restore/libvirt_target.h"

namespace sealift::restore {

base::Result<vm::TargetHost> LibvirtTarget::survey() {
  return vm::survey_target(connection_);
}

base::Result<vm::SecretOnTarget> LibvirtTarget::compare_secret(
    const vm::VtpmSecret& secret) {
  return vm::compare_secret(connection_, secret);
}

base::Status LibvirtTarget::define_secret(const vm::VtpmSecret& secret) {
  return vm::define_secret(connection_, secret);
}

base::Status LibvirtTarget::undefine_secret(const base::Uuid& uuid) {
  return vm::undefine_secret(connection_, uuid);
}

base::Status LibvirtTarget::define(const base::Uuid& uuid, const std::string& xml) {
  // libvirt would change a VM that came to be since the plan was made, and our undo
  // would take it away.
  const base::Result<vm::Domain> there = vm::find_domain(connection_, uuid.text());
  if (there) {
    return base::Error(base::ErrorCode::kRefused,
                       "this host has a VM of the same UUID by now")
        .at("uuid", uuid.text());
  }
  if (there.error().code() != base::ErrorCode::kNotFound) return there.error();
  return vm::define_domain(connection_, xml);
}

base::Status LibvirtTarget::undefine(const base::Uuid& uuid) {
  return vm::undefine_domain(connection_, uuid);
}

base::Status LibvirtTarget::start(const base::Uuid& uuid) {
  return vm::start_domain(connection_, uuid);
}

}  // namespace sealift::restore
