#include "restore/runbook_text.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <optional>

#include "base/error.h"

namespace sealift::restore::runbook {

namespace {

constexpr std::size_t kShortId = 8;

// One character of UTF-8, or one byte that is none.
struct Character {
  std::string_view bytes;
  std::optional<char32_t> code;  // None: invalid.
  bool is_shown = false;         // Printable, and it has a width of its own.
};

struct Range {
  char32_t first;
  char32_t last;
};

// What is printable by the letter and shows nothing, or turns the text around it.
constexpr std::array kUnseen = {
    Range{0x00ad, 0x00ad},   Range{0x034f, 0x034f}, Range{0x061c, 0x061c},
    Range{0x115f, 0x1160},   Range{0x17b4, 0x17b5}, Range{0x180b, 0x180f},
    Range{0x200b, 0x200f},   Range{0x2028, 0x202e}, Range{0x2060, 0x206f},
    Range{0x3164, 0x3164},   Range{0xfe00, 0xfe0f}, Range{0xfeff, 0xfeff},
    Range{0xffa0, 0xffa0},   Range{0xfff0, 0xfffb}, Range{0x1d173, 0x1d17a},
    Range{0xe0000, 0xe0fff},
};

bool is_unseen(char32_t code) {
  return std::ranges::any_of(kUnseen, [code](const Range& range) {
    return code >= range.first && code <= range.last;
  });
}

// How many bytes a character has that begins with `lead`.
std::size_t length_from(unsigned char lead) {
  if (lead >= 0xf0) return 4;
  if (lead >= 0xe0) return 3;
  return lead >= 0xc2 ? 2 : 1;
}

// The first character of `text`, which is not empty.
Character first_character(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text.front());
  if (lead < 0x80) {
    return {text.substr(0, 1), lead, lead >= 0x20 && lead < 0x7f};
  }
  const std::string_view bytes = text.substr(0, length_from(lead));
  const auto second = static_cast<unsigned char>(bytes.size() > 1 ? bytes[1] : '\0');
  if (lead == 0xc2 && second >= 0x80 && second < 0xa0) {
    return {bytes, char32_t{second}, false};  // C1: a control, though well formed.
  }
  if (base::printable(bytes) != bytes) return {text.substr(0, 1), std::nullopt, false};
  char32_t code = lead & (0x7fU >> bytes.size());
  for (const char byte : bytes.substr(1)) {
    code = (code << 6U) | (static_cast<unsigned char>(byte) & 0x3fU);
  }
  return {bytes, code, !is_unseen(code)};
}

std::vector<Character> characters_of(std::string_view text) {
  std::vector<Character> found;
  while (!text.empty()) {
    found.push_back(first_character(text));
    text.remove_prefix(found.back().bytes.size());
  }
  return found;
}

std::string hexadecimal(std::uint32_t value, int digits) {
  std::array<char, 16> text{};
  static_cast<void>(std::snprintf(text.data(), text.size(), "%0*x", digits, value));
  return text.data();
}

// PowerShell ends a single-quoted text at any of these, and takes two of them as one.
bool is_single_quote(char32_t code) {
  return code == U'\'' || (code >= 0x2018 && code <= 0x201b);
}

}  // namespace

std::string code(std::string_view text) {
  if (text.empty()) return "(not recorded)";
  std::string out = "`";
  for (const Character& character : characters_of(text)) {
    const bool ends_it = character.bytes == "`" || character.bytes == "|";
    if (character.is_shown && !ends_it) {
      out += character.bytes;
      continue;
    }
    for (const char byte : character.bytes) {
      out += "\\x" + hexadecimal(static_cast<unsigned char>(byte), 2);
    }
  }
  return out + "`";
}

std::string code_list(const std::vector<std::string>& texts) {
  std::string out;
  for (const std::string& text : texts) out += (out.empty() ? "" : ", ") + code(text);
  return out;
}

std::string powershell_text(std::string_view text) {
  std::string out = "'";
  for (const Character& character : characters_of(text)) {
    if (character.is_shown) {
      out += character.bytes;
      if (is_single_quote(*character.code)) out += character.bytes;
      continue;
    }
    const char32_t code = character.code.value_or(0xfffd);
    out += code > 0xffff
               ? "' + [char]::ConvertFromUtf32(0x" + hexadecimal(code, 5) + ") + '"
               : "' + [char]0x" + hexadecimal(code, 4) + " + '";
  }
  return out + "'";
}

std::string powershell_path(std::string path) {
  std::ranges::replace(path, '/', '\\');
  return powershell_text(path);
}

std::string powershell_in_folder(std::string path) {
  return "Join-Path $folder (" + powershell_path(std::move(path)) + ")";
}

std::string shell_text(std::string_view text) {
  std::string out = "'";
  for (const Character& character : characters_of(text)) {
    if (!character.is_shown) {
      out += '?';
    } else if (character.bytes == "'") {
      out += R"('\'')";
    } else {
      out += character.bytes;
    }
  }
  return out + "'";
}

std::string short_id(std::string_view text) {
  std::string out;
  for (const char byte : text) {
    const bool is_kept = (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
                         (byte >= 'A' && byte <= 'Z');
    if (is_kept && out.size() < kShortId) out += byte;
  }
  return out;
}

}  // namespace sealift::restore::runbook
