// Writes the sample files of this version of the format into a directory:
//
//   make_samples tests/files/0.1
//
// NAME.tir is the file, NAME.txt what it holds. Run once for each version that
// is released; what it wrote is never changed again.
#include <stdio.h>
#include <sys/stat.h>

#include "tests/support/compiled.h"
#include "tests/support/sample_modules.h"
#include "tests/support/tir_file.h"

int main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: make_samples DIRECTORY\n");
    return 2;
  }
  const std::string dir = argv[1];
  mkdir(dir.c_str(), 0777);
  const Owned<tir_context> context = MakeContext();
  for (int i = 0; i < kNSampleModules; i++) {
    const std::string base = dir + "/" + kSampleModules[i].name;
    const Owned<tir_module> module(kSampleModules[i].make(context.get()));
    tir_error error = {};
    if (tir_module_save(module.get(), (base + ".tir").c_str(), &error) !=
        TIR_OK) {
      fprintf(stderr, "error: %s\n", error.message);
      return 1;
    }
    WriteFile(base + ".txt", DescribeModule(module.get()));
  }
  return 0;
}
