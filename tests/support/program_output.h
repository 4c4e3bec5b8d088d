// Runs a program of the build and looks at what it says.
#ifndef TAPEIR_TESTS_SUPPORT_PROGRAM_OUTPUT_H
#define TAPEIR_TESTS_SUPPORT_PROGRAM_OUTPUT_H

#include <cstdio>
#include <cstdlib>
#include <string>

namespace tapeir_test {

// Both streams of a shell command; `*status` is that of pclose.
inline std::string Output(const std::string &command, int *status) {
  std::string text;
  *status = -1;
  FILE *pipe = popen((command + " 2>&1").c_str(), "r");
  if (!pipe) return "";
  char buffer[512];
  while (fgets(buffer, sizeof buffer, pipe)) text += buffer;
  *status = pclose(pipe);
  return text;
}

// The number behind the first `key`, −1 if there is no such key.
inline double NumberAfter(const std::string &text, const std::string &key) {
  const size_t at = text.find(key);
  if (at == std::string::npos) return -1;
  return atof(text.c_str() + at + key.size());
}

}  // namespace tapeir_test

#endif
