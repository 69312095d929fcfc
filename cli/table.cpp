#include "cli/table.h"

#include <algorithm>
#include <cassert>

#include "base/error.h"

namespace sealift::cli {

namespace {

constexpr std::size_t kGap = 2;

bool starts_character(char c) {
  return (static_cast<unsigned char>(c) & 0xc0U) != 0x80;
}

std::string line_of(const std::vector<std::string>& cells,
                    const std::vector<Table::Column>& columns,
                    const std::vector<std::size_t>& widths) {
  std::string line;
  for (std::size_t at = 0; at < cells.size(); ++at) {
    const std::string padding(widths[at] - width_of(cells[at]), ' ');
    const bool is_right = columns[at].align == Align::kRight;
    line += is_right ? padding + cells[at] : cells[at] + padding;
    line += std::string(kGap, ' ');
  }
  return line.substr(0, line.find_last_not_of(' ') + 1);
}

}  // namespace

std::size_t width_of(const std::string& text) {
  return static_cast<std::size_t>(std::ranges::count_if(text, starts_character));
}

std::string cut(const std::string& text, std::size_t limit) {
  std::size_t characters = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (starts_character(text[at]) && characters++ == limit) return text.substr(0, at);
  }
  return text;
}

void Table::add(std::vector<std::string> cells) {
  assert(cells.size() == columns_.size());
  for (std::string& cell : cells) cell = base::printable(cell);
  rows_.push_back(std::move(cells));
}

void Table::print(std::ostream& output, const std::string& indent) const {
  std::vector<std::string> titles;
  std::vector<std::size_t> widths;
  for (const Column& column : columns_) {
    titles.push_back(column.title);
    widths.push_back(width_of(column.title));
  }
  for (const auto& row : rows_) {
    for (std::size_t at = 0; at < row.size(); ++at) {
      widths[at] = std::max(widths[at], width_of(row[at]));
    }
  }
  const bool has_titles = std::ranges::any_of(
      titles, [](const std::string& title) { return !title.empty(); });
  if (has_titles) output << indent << line_of(titles, columns_, widths) << "\n";
  for (const auto& row : rows_) {
    output << indent << line_of(row, columns_, widths) << "\n";
  }
}

}  // namespace sealift::cli
