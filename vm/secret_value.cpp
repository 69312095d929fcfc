#include "vm/secret_value.h"

#include <libvirt/virterror.h>

#include <cstdlib>
#include <cstring>

#include "keyvault/secret_file.h"
#include "vm/base64.h"

namespace sealift::vm {

namespace {

constexpr std::uint64_t kValueLimit = 65536;  // libvirt's own: VIR_SECRET_VALUE_BUFFER.
constexpr const char* kSecretFolder = "/etc/libvirt/secrets";

}  // namespace

base::Result<std::optional<SecretHandle>> find_secret(const Connection& connection,
                                                      const base::Uuid& uuid) {
  SecretHandle secret(
      virSecretLookupByUUIDString(connection.get(), uuid.text().c_str()));
  if (secret) return std::optional(std::move(secret));
  if (virGetLastErrorCode() == VIR_ERR_NO_SECRET) return std::optional<SecretHandle>();
  return take_libvirt_error(base::ErrorCode::kHypervisor, "cannot look up the secret")
      .at("secret", uuid.text());
}

// libvirt allocates the value with malloc: copied, wiped, freed.
base::Result<std::optional<keyvault::Secret>> value_from_libvirt(
    const SecretHandle& secret) {
  std::size_t size = 0;
  unsigned char* value = virSecretGetValue(secret.get(), &size, 0);
  if (value == nullptr) {
    const int reason = virGetLastErrorCode();
    if (reason == VIR_ERR_INVALID_SECRET || reason == VIR_ERR_NO_SECRET ||
        reason == VIR_ERR_OPERATION_DENIED) {
      return std::optional<keyvault::Secret>();
    }
    return take_libvirt_error(base::ErrorCode::kHypervisor,
                              "cannot read the secret's value");
  }
  auto copied = keyvault::Secret::copy_of(std::as_bytes(std::span(value, size)));
  explicit_bzero(value, size);
  std::free(value);
  if (!copied) return std::move(copied).error();
  return std::optional(std::move(copied).value());
}

base::Result<keyvault::Secret> value_from_store(const base::Uuid& uuid) {
  const std::filesystem::path path =
      std::filesystem::path(kSecretFolder) / (uuid.text() + ".base64");
  ASSIGN_OR_RETURN(const keyvault::Secret text, value_from_file(path));
  auto value = decode_base64(text);
  if (!value) return std::move(value).error().at("file", path.string());
  return value;
}

base::Result<keyvault::Secret> value_from_file(const std::filesystem::path& path) {
  ASSIGN_OR_RETURN(keyvault::Secret value,
                   keyvault::read_secret_file(path, kValueLimit,
                                              keyvault::SecretFilePlace::kAnywhere));
  if (value.size() > 0) return value;
  return base::Error(base::ErrorCode::kRefused, "the file holds no protection key")
      .at("file", path.string())
      .next("give the value of the VM's vtpm secret, every byte of it");
}

}  // namespace sealift::vm
