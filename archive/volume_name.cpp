#include "archive/limits.h"
#include "archive/volume.h"

namespace sealift::archive {

namespace {
constexpr std::size_t kNumberDigits = 4;
}  // namespace

std::string volume_digits(std::uint32_t number) {
  std::string digits = std::to_string(number);
  if (digits.size() < kNumberDigits) {
    digits.insert(0, kNumberDigits - digits.size(), '0');
  }
  return digits;
}

std::string volume_name(const ArchiveId& archive, std::uint32_t number) {
  const std::string id = archive.hex();
  std::string name = "archives/";
  name.append(id, 0, 2).append("/").append(id).append("/").append(id);
  return name + "-" + volume_digits(number) + ".tar";
}

std::optional<VolumeName> parse_volume_name(std::string_view name) {
  constexpr std::size_t kIdAt = std::string_view("archives/AA/").size();
  constexpr std::size_t kIdDigits = 2 * ArchiveId::kSize;
  if (name.size() < kIdAt + kIdDigits) return std::nullopt;
  const auto archive = ArchiveId::parse(name.substr(kIdAt, kIdDigits));
  if (!archive) return std::nullopt;
  const std::size_t number_at = kIdAt + 2 * (kIdDigits + 1);
  std::uint32_t number = 0;
  for (std::size_t i = number_at; i < number_at + kNumberDigits; ++i) {
    if (i >= name.size() || name[i] < '0' || name[i] > '9') return std::nullopt;
    number = number * 10 + static_cast<std::uint32_t>(name[i] - '0');
  }
  // What is written back must be the same: nothing else is a volume's name.
  if (number == 0 || volume_name(archive.value(), number) != name) return std::nullopt;
  return VolumeName{archive.value(), number};
}

}  // namespace sealift::archive
