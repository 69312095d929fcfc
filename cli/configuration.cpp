#include "cli/configuration.h"

#include <boost/program_options.hpp>
#include <optional>
#include <sstream>

#include "archive/limits.h"
#include "base/byte_count.h"
#include "base/filesystem.h"
#include "cli/byte_size.h"

namespace sealift::cli {

namespace options = boost::program_options;
namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t kFileLimit = base::kMiB;

base::Error wrong(std::string what, const fs::path& file) {
  return base::Error(base::ErrorCode::kUsage, std::move(what))
      .at("file", file.string());
}

std::string trimmed(const std::string& text) {
  constexpr const char* kBlank = " \t\r";
  const auto first = text.find_first_not_of(kBlank);
  if (first == std::string::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

// Boost names an unknown setting but not where it stands.
std::size_t line_of(const std::string& text, const std::string& setting) {
  std::istringstream lines(text);
  std::string section;
  std::size_t number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    const std::string words = trimmed(line.substr(0, line.find('#')));
    if (words.starts_with("[") && words.ends_with("]")) {
      section = words.substr(1, words.size() - 2) + ".";
    } else if (section + trimmed(words.substr(0, words.find('='))) == setting) {
      return number;
    }
  }
  return 0;
}

// Not so small that a chunk fills it, not so large that what follows the last chunk
// would break the format's limit.
bool is_volume_size(std::uint64_t size) {
  return size >= base::kMiB && size <= archive::kMaxVolumeFileSize / 2;
}

// Boost throws on a bad file; this is the only place that catches it.
base::Result<Configuration> parse(const std::string& text, const fs::path& file,
                                  Configuration configuration) try {
  options::options_description known;
  known.add_options()("cluster", options::value<std::string>())(
      "volume_size", options::value<std::string>());
  std::istringstream stream(text);
  const auto parsed = options::parse_config_file(stream, known, true);
  for (const auto& setting : parsed.options) {
    if (!setting.unregistered) continue;
    return wrong("there is no such setting", file)
        .at("line", std::to_string(line_of(text, setting.string_key)))
        .at("setting", setting.string_key)
        .next("settings of this version: cluster, volume_size");
  }
  options::variables_map values;
  options::store(parsed, values);
  if (values.contains("cluster")) {
    configuration.cluster = values["cluster"].as<std::string>();
  }
  if (configuration.cluster.empty()) {
    return wrong("the cluster's name is empty", file).at("setting", "cluster");
  }
  if (configuration.cluster.size() > archive::kMaxNameSize) {
    return wrong("the cluster's name is longer than " +
                     std::to_string(archive::kMaxNameSize) + " bytes",
                 file)
        .at("setting", "cluster");
  }
  if (values.contains("volume_size")) {
    const auto size = byte_size(values["volume_size"].as<std::string>());
    if (!size || !is_volume_size(*size)) {
      return wrong("a volume's size is 1 MiB to 512 GiB, written like \"64 MiB\"", file)
          .at("setting", "volume_size");
    }
    configuration.volume_size = *size;
  }
  return configuration;
} catch (const options::error& error) {
  return wrong(error.what(), file);
}

}  // namespace

base::Result<Configuration> read_configuration(const Session& session) {
  const auto& named = session.chosen().configuration;
  const fs::path file = named.value_or(kDefaultConfiguration);
  Configuration usual{.cluster = session.surroundings().host};
  auto text = base::read_file(file, kFileLimit);
  if (!text) {
    const bool is_absent = text.error().code() == base::ErrorCode::kNotFound;
    if (is_absent && !named) return usual;
    return std::move(text).error();
  }
  return parse(std::string(base::as_text(text.value())), file, usual);
}

}  // namespace sealift::cli
