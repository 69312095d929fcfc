#include "restore/runbook_moc.h"

namespace sealift::restore::runbook {

namespace {

constexpr const char* kInVault = " -group $group -keyvaultName $vault";

}  // namespace

std::string get_keys() { return std::string("Get-MocKey") + kInVault; }

std::string remove_key(const std::string& name) {
  return "Remove-MocKey -name " + name + kInVault;
}

std::string export_key(const MocKey& key, const std::string& file) {
  return "Export-MocKey -name " + key.name + " -wrappingPubKeyFile $escrow -outFile " +
         file + kInVault + " -size " + std::to_string(key.size);
}

std::string import_key(const MocKey& key, const std::string& file) {
  return "Import-MocKey -name " + key.name + " -wrappingKeyName $wrap -importKeyFile " +
         file + kInVault + " -size " + std::to_string(key.size) + " -type " + key.type;
}

std::vector<std::string> remove_key_keeping(const std::string& copy, const MocKey& key,
                                            const std::vector<std::string>& then) {
  constexpr const char* kStop = " -ErrorAction Stop";
  std::vector<std::string> lines{
      "& {",
      "  $copy = " + copy,
      std::string("  if (Test-Path -LiteralPath $copy) ") +
          "{ throw \"$copy is there already: move it away\" }",
      std::string("  if (-not (Test-Path -LiteralPath $escrow)) ") +
          "{ throw \"$escrow is not there: put it there\" }",
      "  " + export_key(key, "$copy") + kStop,
      "  if (-not (Get-Item -LiteralPath $copy" + std::string(kStop) +
          ").Length) { throw \"$copy is empty: the key stays\" }",
      "  " + remove_key(key.name) + kStop};
  for (const std::string& line : then) lines.push_back("  " + line);
  lines.emplace_back("}");
  return lines;
}

std::string new_wrapping_key() {
  return std::string("New-MocKey -name $wrap") + kInVault + " -type RSA -size 2048";
}

std::string get_wrapping_key() {
  return std::string("Get-MocKeyPublicKey -name $wrap") + kInVault +
         " -outputFile C:\\Temp\\sealift-wrap.pem";
}

}  // namespace sealift::restore::runbook
