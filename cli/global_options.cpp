#include "cli/global_options.h"

#include <cctype>

namespace sealift::cli {

namespace options = boost::program_options;

namespace {

std::optional<std::string> said(const options::variables_map& values,
                                const std::string& option) {
  if (!values.contains(option)) return std::nullopt;
  return values[option].as<std::string>();
}

}  // namespace

void add_global_options(options::options_description& described) {
  const auto text = [](const char* name) {
    return options::value<std::string>()->value_name(name);
  };
  auto add = described.add_options();
  add("repo", text("DIR"), "the repository, a folder [SEALIFT_REPO]");
  add("repo-id", text("ID"), "the repository that is expected there [SEALIFT_REPO_ID]");
  add("keyvault", text("DIR"),
      "this host's keys [SEALIFT_KEYVAULT; /etc/sealift/keyvault]");
  add("catalog", text("FILE"),
      "the catalog [SEALIFT_CATALOG; a file in /var/lib/sealift]");
  add("connect", text("URI"), "libvirt on this host [SEALIFT_CONNECT; qemu:///system]");
  add("identity", text("KEY.pem"), "a recovery key");
  add("passphrase-file", text("FILE"),
      "its first line is the key's passphrase; - asks the terminal "
      "[SEALIFT_PASSPHRASE_FILE]");
  add("config", text("FILE"), "settings [/etc/sealift/sealift.conf]");
  add("json", "the answer as JSON");
  add("quiet", "say nothing but errors and warnings");
  add("verbose", "say what is being done");
  add("help", "show this");
}

base::Result<keyvault::RepositoryId> read_typed_repository_id(const std::string& text) {
  std::string digits;
  for (const char c : text) {
    if (c == ' ' || c == '-' || c == ':') continue;
    digits += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  auto id = keyvault::RepositoryId::parse(digits);
  if (id) return id;
  return base::Error(base::ErrorCode::kUsage,
                     "a repository id has 64 hexadecimal digits")
      .at("repository id", text)
      .next("copy it from the sheet, or from `sealift repo show` on a host that knows");
}

base::Result<GlobalOptions> read_global_options(const options::variables_map& values,
                                                const Surroundings& surroundings) {
  const auto find = [&](const std::string& option, const std::string& variable) {
    auto value = said(values, option);
    return value ? value : surroundings.variable(variable);
  };
  GlobalOptions read;
  read.repository = find("repo", "SEALIFT_REPO");
  if (const auto id = find("repo-id", "SEALIFT_REPO_ID")) {
    ASSIGN_OR_RETURN(read.repository_id, read_typed_repository_id(*id));
  }
  read.key_vault = find("keyvault", "SEALIFT_KEYVAULT").value_or(kDefaultKeyVault);
  read.catalog = find("catalog", "SEALIFT_CATALOG");
  read.connect = find("connect", "SEALIFT_CONNECT").value_or(kDefaultConnect);
  read.identity = said(values, "identity");
  read.passphrase_file = find("passphrase-file", "SEALIFT_PASSPHRASE_FILE");
  read.configuration = said(values, "config");
  if (values.contains("json")) read.form = Form::kJson;
  if (values.contains("quiet") && values.contains("verbose")) {
    return base::Error(base::ErrorCode::kUsage,
                       "--quiet and --verbose do not go together");
  }
  if (values.contains("quiet")) read.talk = Talk::kQuiet;
  if (values.contains("verbose")) read.talk = Talk::kVerbose;
  return read;
}

std::string grouped(const keyvault::RepositoryId& id, const std::string& line_start) {
  constexpr std::size_t kGroup = 4;
  constexpr std::size_t kLine = 32;
  const std::string digits = id.hex();
  std::string lines;
  for (std::size_t at = 0; at < digits.size(); at += kGroup) {
    lines += at % kLine == 0 ? (at == 0 ? line_start : "\n" + line_start) : " ";
    lines += digits.substr(at, kGroup);
  }
  return lines;
}

}  // namespace sealift::cli
