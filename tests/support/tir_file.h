// Files of modules in tests: bytes in and out, taking a file apart and putting
// it together again with right checksums, and comparing modules.
#ifndef TAPEIR_TESTS_SUPPORT_TIR_FILE_H
#define TAPEIR_TESTS_SUPPORT_TIR_FILE_H

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tapeir/tapeir.h"
#include "tests/support/internal.h"

extern "C" {
#include "serialize/header.h"
}

// A directory of its own, removed with everything in it.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir &) = delete;
  TempDir &operator=(const TempDir &) = delete;
  const std::string &path() const { return path_; }
  std::string File(const std::string &name) const { return path_ + "/" + name; }
  // Names in it, sorted, without "." and "..".
  std::vector<std::string> List() const;

 private:
  std::string path_;
};

std::string ReadFile(const std::string &path);
void WriteFile(const std::string &path, const std::string &bytes);

// The bytes a save of the module writes.
std::string SaveBytes(tir_module *module);
// Loads from memory; nullptr on an error.
tir_module *LoadBytes(tir_context *context, const std::string &bytes,
                      tir_error *error,
                      const tir_load_options *options = nullptr);

// A file in its parts.
struct FileParts {
  std::string graph;    // message File
  std::string tensors;  // tensor section
};
FileParts Split(const std::string &bytes);
// A file with a right header, whatever the parts hold.
std::string Join(const FileParts &parts);

// Writing protobuf's wire format by hand.
class Wire {
 public:
  Wire &Varint(uint32_t field, uint64_t value);
  Wire &Fixed64(uint32_t field, uint64_t value);
  Wire &Fixed32(uint32_t field, uint32_t value);
  Wire &Bytes(uint32_t field, const std::string &bytes);
  Wire &Packed(uint32_t field, const std::vector<uint64_t> &values);
  Wire &Raw(const std::string &bytes);
  const std::string &str() const { return bytes_; }
  operator const std::string &() const { return bytes_; }

  static std::string VarintBytes(uint64_t value);

 private:
  std::string bytes_;
};

// Fails the test where two modules differ: graphs node by node, params, data,
// metadata.
void ExpectSameModule(const tir_module *a, const tir_module *b);

// What a module holds, in plain lines that no later version has a reason to
// print otherwise: names, types, ops with operands and attributes, hashes of
// data.
std::string DescribeModule(const tir_module *module);

#endif
