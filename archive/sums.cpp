#include "archive/sums.h"

#include "archive/limits.h"
#include "archive/rule.h"

namespace sealift::archive {

namespace {

base::Error refused(std::string what) {
  return broken("V7", std::move(what)).at("member", "SHA256SUMS");
}

constexpr std::size_t kDigits = 2 * Sha256Digest::kSize;

base::Result<MemberSum> parse_line(std::string_view line) {
  if (line.size() < kDigits + 3 || line.substr(kDigits, 2) != "  ") {
    return refused("a line of the sums is not as it must be");
  }
  const auto digest = Sha256Digest::parse(line.substr(0, kDigits));
  if (!digest) return refused("a line of the sums is not as it must be");
  return MemberSum{std::string(line.substr(kDigits + 2)), digest.value()};
}

}  // namespace

std::string to_sums_text(const std::vector<MemberSum>& sums) {
  std::string text;
  for (const MemberSum& sum : sums) {
    text += sum.digest.hex() + "  " + sum.name + "\n";
  }
  return text;
}

base::Result<std::vector<MemberSum>> parse_sums(base::ByteView text,
                                                const std::vector<std::string>& tail) {
  std::vector<MemberSum> sums;
  std::string_view left = base::as_text(text);
  while (!left.empty()) {
    const std::size_t end = left.find('\n');
    if (end == std::string_view::npos)
      return refused("the sums do not end with a line");
    ASSIGN_OR_RETURN(MemberSum sum, parse_line(left.substr(0, end)));
    sums.push_back(std::move(sum));
    left.remove_prefix(end + 1);
  }
  if (sums.size() < 1 + tail.size() ||
      sums.size() > 1 + tail.size() + std::size_t{kMaxSegments}) {
    return refused("the sums do not list the members of a volume");
  }
  const std::size_t segments = sums.size() - 1 - tail.size();
  for (std::size_t i = 0; i < sums.size(); ++i) {
    const std::string expected = i == 0 ? "header.json"
                                 : i <= segments
                                     ? segment_name(static_cast<std::uint32_t>(i))
                                     : tail[i - 1 - segments];
    if (sums[i].name != expected) {
      return refused("the sums name another member than must come here")
          .at("expected", expected);
    }
  }
  return sums;
}

std::string segment_name(std::uint32_t number) {
  std::string digits = std::to_string(number);
  digits.insert(0, 8 - digits.size(), '0');
  return "segments/" + digits;
}

}  // namespace sealift::archive
