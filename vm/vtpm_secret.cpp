#include "vm/vtpm_secret.h"

#include <libvirt/virterror.h>

#include <optional>

#include "vm/secret_value.h"
#include "vm/xml.h"

namespace sealift::vm {

namespace {

struct SecretFacts {
  std::string usage;
  std::string description;
  bool is_private = false;
  bool is_ephemeral = false;
};

base::Error no_such_secret(const base::Uuid& uuid) {
  return base::Error(base::ErrorCode::kNotFound, "libvirt has no such secret")
      .at("secret", uuid.text())
      .next("list the secrets of this host with `virsh secret-list`")
      .next("or give its value in a file with --vtpm-secret-file VM=FILE");
}

base::Result<SecretFacts> read_facts(const SecretHandle& secret) {
  const Text xml(virSecretGetXMLDesc(secret.get(), 0));
  if (!xml) {
    return take_libvirt_error(base::ErrorCode::kHypervisor, "cannot read the secret");
  }
  ASSIGN_OR_RETURN(const XmlDocument document, parse_xml(xml.get()));
  const pugi::xml_node root = document->child("secret");
  SecretFacts facts;
  facts.usage = root.child("usage").child_value("name");
  facts.description = root.child_value("description");
  facts.is_private = std::string_view(root.attribute("private").value()) == "yes";
  facts.is_ephemeral = std::string_view(root.attribute("ephemeral").value()) == "yes";
  return facts;
}

base::Error needs_file(const base::Uuid& uuid, const std::string& cause) {
  return base::Error(base::ErrorCode::kRefused,
                     "the value of the VM's vtpm secret cannot be read: it is private")
      .at("secret", uuid.text())
      .because(cause)
      .next(
          "run as root on the host of the VM, or give the value in a file with "
          "--vtpm-secret-file VM=FILE");
}

base::Result<keyvault::Secret> value_or_needs_file(const base::Uuid& uuid) {
  auto value = value_from_store(uuid);
  if (value || value.error().code() == base::ErrorCode::kCorrupt) return value;
  const base::Error& error = value.error();
  std::string file;
  for (const auto& place : error.places()) file = place.name;
  return needs_file(
      uuid, file + ": " + (error.cause().empty() ? error.what() : error.cause()));
}

}  // namespace

base::Result<VtpmSecret> read_vtpm_secret(
    const Connection& connection, const base::Uuid& uuid,
    const std::optional<std::filesystem::path>& file) {
  ASSIGN_OR_RETURN(const std::optional<SecretHandle> secret,
                   find_secret(connection, uuid));
  VtpmSecret found;
  found.uuid = uuid;
  if (!secret && file) {
    // It is gone from this host, and the operator has it: that is enough to come back.
    ASSIGN_OR_RETURN(found.value, value_from_file(*file));
    return found;
  }
  if (!secret) return no_such_secret(uuid);
  auto facts = read_facts(*secret);
  if (!facts) return std::move(facts).error().at("secret", uuid.text());

  found.usage = facts->usage;
  found.description = facts->description;
  found.is_private = facts->is_private;
  found.is_ephemeral = facts->is_ephemeral;
  if (file) {
    ASSIGN_OR_RETURN(found.value, value_from_file(*file));
    return found;
  }
  if (!found.is_private) {
    auto value = value_from_libvirt(*secret);
    if (!value) return std::move(value).error().at("secret", uuid.text());
    if (!value.value()) {
      return take_libvirt_error(base::ErrorCode::kRefused,
                                "the VM's vtpm secret has no value")
          .at("secret", uuid.text())
          .next(
              "set it with `virsh secret-set-value`, or give the value in a file "
              "with --vtpm-secret-file VM=FILE");
    }
    found.value = std::move(*std::move(value).value());
    return found;
  }
  if (found.is_ephemeral) {
    return needs_file(uuid, "a private secret that libvirt keeps in memory only");
  }
  ASSIGN_OR_RETURN(found.value, value_or_needs_file(uuid));
  return found;
}

base::Result<SecretOnTarget> compare_secret(const Connection& connection,
                                            const VtpmSecret& secret) {
  ASSIGN_OR_RETURN(std::optional<SecretHandle> there,
                   find_secret(connection, secret.uuid));
  if (!there) {
    // libvirt also refuses a second secret of one usage name.
    SecretHandle namesake(virSecretLookupByUsage(
        connection.get(), VIR_SECRET_USAGE_TYPE_VTPM, secret.usage.c_str()));
    if (namesake) return SecretOnTarget::kOtherValue;
    if (virGetLastErrorCode() == VIR_ERR_NO_SECRET) return SecretOnTarget::kAbsent;
    return take_libvirt_error(base::ErrorCode::kHypervisor, "cannot look up the secret")
        .at("secret usage", secret.usage);
  }
  if (virSecretGetUsageType(there->get()) != VIR_SECRET_USAGE_TYPE_VTPM) {
    return SecretOnTarget::kOtherValue;
  }
  auto found = read_vtpm_secret(connection, secret.uuid, std::nullopt);
  if (!found) {
    if (found.error().code() != base::ErrorCode::kRefused)
      return std::move(found).error();
    ASSIGN_OR_RETURN(const SecretFacts facts, read_facts(*there));
    return facts.is_private ? SecretOnTarget::kUnreadable : SecretOnTarget::kNoValue;
  }
  return keyvault::is_same(found->value.view(), secret.value.view())
             ? SecretOnTarget::kSameValue
             : SecretOnTarget::kOtherValue;
}

base::Status define_secret(const Connection& connection, const VtpmSecret& secret) {
  pugi::xml_document document;
  pugi::xml_node root = document.append_child("secret");
  root.append_attribute("ephemeral").set_value(secret.is_ephemeral ? "yes" : "no");
  root.append_attribute("private").set_value("no");
  root.append_child("uuid").text().set(secret.uuid.text().c_str());
  if (!secret.description.empty()) {
    root.append_child("description").text().set(secret.description.c_str());
  }
  pugi::xml_node usage = root.append_child("usage");
  usage.append_attribute("type").set_value("vtpm");
  usage.append_child("name").text().set(secret.usage.c_str());

  const SecretHandle defined(
      virSecretDefineXML(connection.get(), write_xml(document).c_str(), 0));
  if (!defined) {
    return take_libvirt_error(base::ErrorCode::kHypervisor, "cannot define the secret")
        .at("secret", secret.uuid.text());
  }
  const base::ByteView value = secret.value.view();
  if (virSecretSetValue(defined.get(),
                        reinterpret_cast<const unsigned char*>(value.data()),
                        value.size(), 0) != 0) {
    base::Error error = take_libvirt_error(base::ErrorCode::kHypervisor,
                                           "cannot set the secret's value");
    virSecretUndefine(defined.get());
    return std::move(error).at("secret", secret.uuid.text());
  }
  return base::Done{};
}

base::Status undefine_secret(const Connection& connection, const base::Uuid& uuid) {
  ASSIGN_OR_RETURN(const std::optional<SecretHandle> secret,
                   find_secret(connection, uuid));
  if (!secret) return no_such_secret(uuid);
  if (virSecretUndefine(secret->get()) != 0) {
    return take_libvirt_error(base::ErrorCode::kHypervisor,
                              "cannot undefine the secret")
        .at("secret", uuid.text());
  }
  return base::Done{};
}

}  // namespace sealift::vm
