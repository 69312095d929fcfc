// A command: its words, what its help says, and the function that does it.
#pragma once

#include <boost/program_options.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cli/session.h"

namespace sealift::cli {

enum class Group { kKeys, kRepository, kBackUp, kBringBack, kKeep };

/// What stands on the command line without a dash, in order.
struct Arguments {
  int least = 0;
  int most = 0;  ///< kAnyNumber: no bound.
};
inline constexpr int kAnyNumber = -1;

/// Options and arguments as parsed; every value is a std::string or a vector of them.
class Values {
 public:
  /// What the parser calls the words without a dash.
  static constexpr const char* kArgument = "argument";

  explicit Values(boost::program_options::variables_map map) : map_(std::move(map)) {}

  bool has(const std::string& option) const { return map_.contains(option); }
  std::optional<std::string> one(const std::string& option) const {
    if (!has(option)) return std::nullopt;
    return map_[option].as<std::string>();
  }
  /// In the order given; empty when there is none.
  std::vector<std::string> all(const std::string& option) const {
    if (!has(option)) return {};
    return map_[option].as<std::vector<std::string>>();
  }
  std::vector<std::string> arguments() const { return all(kArgument); }
  const boost::program_options::variables_map& map() const noexcept { return map_; }

 private:
  boost::program_options::variables_map map_;
};

struct Command {
  std::string_view words;  ///< "repo init".
  Group group;
  std::string_view summary;   ///< A line of the overview, at most 48 characters.
  std::string_view synopsis;  ///< What follows the words.
  std::string_view details;   ///< Lines of at most 79 characters.
  std::string_view examples;  ///< Lines, indented by two.
  Arguments arguments;
  void (*add_options)(boost::program_options::options_description&);
  base::Result<ExitStatus> (*run)(const Session&, const Values&);
};

/// Every command, in the order of the overview.
std::span<const Command* const> all_commands();

}  // namespace sealift::cli
