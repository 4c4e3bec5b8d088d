// Runs a fuzz target on every file of the directories and files named on the
// command line: the corpus as an ordinary test, where libFuzzer is not there.
#include <stdint.h>
#include <stdio.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

namespace {

bool RunFile(const std::filesystem::path &path) {
  std::ifstream file(path, std::ios::binary);
  const std::vector<char> bytes((std::istreambuf_iterator<char>(file)),
                                std::istreambuf_iterator<char>());
  if (!file.good() && !file.eof()) return false;
  // A copy of exact size: reading past its end is seen by the sanitizer.
  const std::vector<uint8_t> exact(bytes.begin(), bytes.end());
  LLVMFuzzerTestOneInput(exact.data(), exact.size());
  return true;
}

}  // namespace

int main(int argc, char **argv) {
  namespace fs = std::filesystem;
  int n = 0;
  for (int i = 1; i < argc; i++) {
    std::vector<fs::path> paths;
    if (fs::is_directory(argv[i])) {
      for (const auto &entry : fs::recursive_directory_iterator(argv[i]))
        if (entry.is_regular_file()) paths.push_back(entry.path());
    } else {
      paths.emplace_back(argv[i]);
    }
    for (const fs::path &path : paths) {
      if (!RunFile(path)) {
        fprintf(stderr, "cannot read %s\n", path.c_str());
        return 1;
      }
      n++;
    }
  }
  printf("%d inputs\n", n);
  return n > 0 ? 0 : 1;
}
