// The `tapeir` command in a directory of its own, for its tests.
#ifndef TAPEIR_TESTS_TOOLS_COMMAND_H
#define TAPEIR_TESTS_TOOLS_COMMAND_H

#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "tapeir/tapeir.h"

inline constexpr char kCommandText[] = R"(
param "w" f32[3, 1] {kind = trainable} [1, 2, -1]
graph @loss(%x: f32[batch=2, 3], %w: param f32[3, 1] "w") {
  %0 = matmul %x, %w : f32[batch=2, 1]
  %1 = tanh %0 : f32[batch=2, 1]
  %2 = reduce_sum %1 : f32[]
  return %2 "loss"
}
)";

class Command : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/tapeir-command-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    dir = name;
    std::ofstream(dir + "/m.tirt") << kCommandText;
    Npy<float>("x", TIR_DTYPE_F32, {4, 3},
               {1, 2, 3, 4, 5, 6, -1, 0, 1, 0.5f, 0.25f, 0});
  }
  void TearDown() override { Run("true; rm -rf " + dir); }

  // Runs in the temporary directory; fills out, err and status.
  void Run(const std::string &command) {
    const std::string line = "cd " + dir + " && (" + command +
                             ") >/tmp/tapeir-out-" + Id() +
                             " 2>/tmp/tapeir-err-" + Id();
    const int raw = system(line.c_str());
    status = WEXITSTATUS(raw);
    out = Slurp("/tmp/tapeir-out-" + Id());
    err = Slurp("/tmp/tapeir-err-" + Id());
    unlink(("/tmp/tapeir-out-" + Id()).c_str());
    unlink(("/tmp/tapeir-err-" + Id()).c_str());
    // Whatever the test expects of the command, a leak is none of it.
    EXPECT_EQ(err.find("Sanitizer"), std::string::npos) << command << err;
  }
  void Tapeir(const std::string &args) {
    Run(TAPEIR_BINARY_DIR "/tools/tapeir " + args);
  }
  // An array as dir/NAME.npy.
  template <class T>
  void Npy(const std::string &name, tir_dtype dtype,
           const std::vector<int64_t> &dims, const std::vector<T> &data) {
    tir_context *c;
    tir_tensor *x;
    ASSERT_EQ(tir_context_create(nullptr, &c, nullptr), TIR_OK);
    ASSERT_EQ(tir_tensor_from_data(c, dtype, dims.data(),
                                   static_cast<int>(dims.size()), data.data(),
                                   &x, nullptr),
              TIR_OK);
    ASSERT_EQ(tir_npy_save(x, (dir + "/" + name + ".npy").c_str(), nullptr),
              TIR_OK);
    tir_tensor_release(x);
    tir_context_destroy(c);
  }
  void Write(const std::string &name, const std::string &bytes) {
    std::ofstream(dir + "/" + name, std::ios::binary) << bytes;
  }
  std::string Read(const std::string &name) { return Slurp(dir + "/" + name); }
  static std::string Id() { return std::to_string(getpid()); }
  static std::string Slurp(const std::string &path) {
    std::ifstream file(path, std::ios::binary);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }
  bool Has(const std::string &text) {
    return out.find(text) != std::string::npos;
  }

  std::string dir, out, err;
  int status = 0;
};

#endif
