#include "restore/runbook_page.h"

#include <utility>

namespace sealift::restore::runbook {

namespace {

constexpr std::size_t kColumns = 110;

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words(1);
  bool is_code = false;
  for (const char byte : text) {
    if (byte == '`') is_code = !is_code;
    if (byte == ' ' && !is_code) {
      words.emplace_back();
    } else {
      words.back() += byte;
    }
  }
  return words;
}

// `text` in lines: `first` before the first one, `next` before each other.
std::string wrapped(std::string_view first, std::string_view next,
                    std::string_view text) {
  std::string out;
  std::string line(first);
  bool is_fresh = true;
  for (const std::string& word : words_of(text)) {
    if (!is_fresh && line.size() + 1 + word.size() > kColumns) {
      out += line + "\n";
      line = next;
      is_fresh = true;
    }
    line += (is_fresh ? "" : " ") + word;
    is_fresh = false;
  }
  return out + line + "\n";
}

}  // namespace

void Page::title(std::string_view text) { block("# " + std::string(text) + "\n"); }

void Page::heading(std::string_view text) {
  block("## " + std::string(text) + "\n");
  is_tight_ = true;
}

void Page::text(std::string_view text) {
  if (!is_tight_) page_ += "\n";
  page_ += wrapped("", "", text);
  is_tight_ = false;
}

void Page::warning(std::string_view text) { block(wrapped("> ", "> ", text)); }

void Page::items(const std::vector<std::string>& items, std::string_view mark) {
  for (const std::string& item : items) {
    page_ += wrapped(mark, std::string(mark.size(), ' '), item);
  }
  is_tight_ = false;
}

void Page::table(const std::vector<std::vector<std::string>>& rows) {
  std::string out;
  for (const auto& row : rows) {
    out += "|";
    for (const std::string& cell : row) out += " " + cell + " |";
    out += "\n";
    if (&row != &rows.front()) continue;
    out += "|";
    for (std::size_t column = 0; column < row.size(); ++column) out += " --- |";
    out += "\n";
  }
  block(out);
}

void Page::powershell(const std::vector<std::string>& lines) {
  fenced("powershell", lines);
}

void Page::shell(const std::vector<std::string>& lines) { fenced("sh", lines); }

std::string Page::take() && { return std::move(page_); }

void Page::block(std::string_view text) {
  if (!page_.empty()) page_ += "\n";
  page_ += text;
  is_tight_ = false;
}

void Page::fenced(std::string_view language, const std::vector<std::string>& lines) {
  page_ += "```" + std::string(language) + "\n";
  for (const std::string& line : lines) page_ += line + "\n";
  page_ += "```\n";
  is_tight_ = true;
}

}  // namespace sealift::restore::runbook
