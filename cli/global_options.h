// The options that every command takes, read once.
#pragma once

#include <boost/program_options.hpp>
#include <filesystem>
#include <optional>
#include <string>

#include "base/result.h"
#include "cli/surroundings.h"
#include "keyvault/vault.h"

namespace sealift::cli {

enum class Form { kText, kJson };
enum class Talk { kQuiet, kNormal, kVerbose };

struct GlobalOptions {
  std::optional<std::string> repository;                 ///< As named.
  std::optional<keyvault::RepositoryId> repository_id;   ///< The one expected.
  std::filesystem::path key_vault;                       ///< With its default.
  std::optional<std::filesystem::path> catalog;          ///< Only if named.
  std::string connect;                                   ///< With its default.
  std::optional<std::filesystem::path> identity;         ///< A recovery key.
  std::optional<std::filesystem::path> passphrase_file;  ///< "-": ask the terminal.
  std::optional<std::filesystem::path> configuration;    ///< Only if named.
  Form form = Form::kText;
  Talk talk = Talk::kNormal;
};

inline constexpr const char* kDefaultKeyVault = "/etc/sealift/keyvault";
inline constexpr const char* kDefaultCatalogFolder = "/var/lib/sealift";
inline constexpr const char* kDefaultConnect = "qemu:///system";
inline constexpr const char* kDefaultConfiguration = "/etc/sealift/sealift.conf";

void add_global_options(boost::program_options::options_description& described);

/// What the command line says; where it is silent, what SEALIFT_* variables say; then
/// the defaults.
/// errors  kUsage: a repository id that is none, --quiet with --verbose.
base::Result<GlobalOptions> read_global_options(
    const boost::program_options::variables_map& values,
    const Surroundings& surroundings);

/// A repository id as a person copies it from paper: upper case, spaces, hyphens and
/// colons do not count.
/// errors  kUsage: not 64 hexadecimal digits.
base::Result<keyvault::RepositoryId> read_typed_repository_id(const std::string& text);

/// `id` in groups of four digits, eight groups a line, for reading aloud.
std::string grouped(const keyvault::RepositoryId& id, const std::string& line_start);

}  // namespace sealift::cli
