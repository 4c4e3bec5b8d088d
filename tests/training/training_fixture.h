// A context and a tape, with short ways to make modules, run their graphs and
// look at what they hold.
#ifndef TAPEIR_TESTS_TRAINING_TRAINING_FIXTURE_H
#define TAPEIR_TESTS_TRAINING_TRAINING_FIXTURE_H

#include <cmath>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "tests/support/compiled.h"
#include "tests/support/tir_file.h"

using Doubles = std::vector<double>;

class TrainingTest : public testing::Test {
 protected:
  TrainingTest() : context_(MakeContext()), c(context_.get()) {
    EXPECT_EQ(tir_tape_create(c, nullptr, &t, &error), TIR_OK);
  }
  ~TrainingTest() override { tir_tape_destroy(t); }
  void TearDown() override { EXPECT_EQ(Error(), ""); }

  // The standing error's message, cleared; "" if there is none.
  std::string Error() {
    return tir_tape_check(t, &error) == TIR_OK ? "" : error.message;
  }
  void Check(tir_status status) { EXPECT_EQ(status, TIR_OK) << error.message; }

  Owned<tir_tensor> Tensor(tir_dtype dtype, std::vector<int64_t> dims,
                           const Doubles &data) {
    std::string bytes(data.size() * tir_dtype_size(dtype), '\0');
    for (size_t i = 0; i < data.size(); i++)
      tir_ir_store_f64(dtype, &bytes[i * tir_dtype_size(dtype)], data[i]);
    tir_tensor *tensor = nullptr;
    Check(tir_tensor_from_data(c, dtype, dims.data(),
                               static_cast<int>(dims.size()), bytes.data(),
                               &tensor, &error));
    return Owned<tir_tensor>(tensor);
  }
  static Doubles Elements(const tir_tensor *tensor) {
    const tir_dtype dtype = tir_tensor_dtype(tensor);
    const char *data = static_cast<const char *>(tir_tensor_data(tensor));
    Doubles out;
    for (int64_t i = 0; i < tir_tensor_numel(tensor); i++)
      out.push_back(tir_ir_load_f64(
          dtype, data + static_cast<size_t>(i) * tir_dtype_size(dtype)));
    return out;
  }

  void Add(tir_module *m, const std::string &name, tir_dtype dtype,
           std::vector<int64_t> dims, const Doubles &data,
           tir_param_kind kind = TIR_PARAM_STATE) {
    Check(tir_module_add_param(m, name.c_str(), kind,
                               Tensor(dtype, dims, data).get(), &error));
  }
  Doubles Get(tir_module *m, const std::string &name) {
    tir_tensor *tensor = nullptr;
    Check(tir_module_get_param(m, name.c_str(), &tensor, &error));
    const Owned<tir_tensor> owned(tensor);
    return tensor ? Elements(tensor) : Doubles{};
  }
  // Every parameter's bytes, by name.
  std::map<std::string, std::string> Bytes(tir_module *m) {
    std::map<std::string, std::string> all;
    for (size_t i = 0; i < tir_module_n_params(m); i++) {
      const char *name = tir_module_param_name(m, i);
      tir_tensor *tensor = nullptr;
      Check(tir_module_get_param(m, name, &tensor, &error));
      const Owned<tir_tensor> owned(tensor);
      all[name] =
          std::string(static_cast<const char *>(tir_tensor_data(tensor)),
                      tir_tensor_size_bytes(tensor));
    }
    return all;
  }
  // What is left of the module after saving and loading.
  Owned<tir_module> Reload(tir_module *m) {
    const std::string bytes = SaveBytes(m);
    tir_module *loaded = nullptr;
    Check(tir_module_load_memory(c, bytes.data(), bytes.size(), nullptr,
                                 &loaded, &error));
    return Owned<tir_module>(loaded);
  }
  Owned<tir_module> Reparse(tir_module *m) {
    char *text = nullptr;
    Check(tir_module_to_text(m, &text, &error));
    tir_module *parsed = nullptr;
    Check(tir_module_from_text(c, text, strlen(text), &parsed, &error));
    tir_text_free(c, text);
    return Owned<tir_module>(parsed);
  }

  // Value of the live tape, read as doubles.
  Doubles Read(tir_value v) {
    tir_tensor *tensor = nullptr;
    Check(tir_read(t, v, &tensor, &error));
    const Owned<tir_tensor> owned(tensor);
    return tensor ? Elements(tensor) : Doubles{};
  }
  tir_value Value(tir_dtype dtype, std::vector<int64_t> dims,
                  const Doubles &data) {
    return tir_value_from_tensor(t, Tensor(dtype, dims, data).get());
  }
  tir_value Vec(const Doubles &data) {
    return Value(TIR_DTYPE_F32, {static_cast<int64_t>(data.size())}, data);
  }

  Owned<tir_context> context_;
  tir_context *c;
  tir_tape *t = nullptr;
  tir_error error = {};
};

// A graph of a module, compiled once; inputs are given as doubles.
class GraphRunner {
 public:
  GraphRunner(tir_context *c, tir_module *m, const char *name)
      : program_(Compile(c, tir_module_graph(m, name))),
        instance_(Instantiate(program_, m)) {}

  const tir_program *program() const { return program_.get(); }

  void Run(const std::vector<Doubles> &inputs = {}) {
    tir_error error = {};
    std::vector<std::string> bytes(inputs.size());
    for (size_t i = 0; i < inputs.size(); i++) {
      tir_port port;
      ASSERT_EQ(tir_program_input(program_.get(), i, &port), TIR_OK);
      const size_t size = tir_dtype_size(port.dtype);
      bytes[i].resize(inputs[i].size() * size);
      for (size_t e = 0; e < inputs[i].size(); e++)
        tir_ir_store_f64(port.dtype, &bytes[i][e * size], inputs[i][e]);
      ASSERT_EQ(tir_instance_bind_input(instance_.get(), i, bytes[i].data(),
                                        bytes[i].size(), &error),
                TIR_OK)
          << error.message;
    }
    ASSERT_EQ(tir_run(instance_.get(), nullptr, &error), TIR_OK)
        << error.message;
  }
  Doubles Output(size_t output) {
    tir_port port;
    EXPECT_EQ(tir_program_output(program_.get(), output, &port), TIR_OK);
    size_t n = 1;
    for (int i = 0; i < port.rank; i++) n *= size_t(port.dims[i]);
    const char *data =
        static_cast<const char *>(tir_instance_output(instance_.get(), output));
    Doubles out;
    for (size_t e = 0; e < n; e++)
      out.push_back(
          tir_ir_load_f64(port.dtype, data + e * tir_dtype_size(port.dtype)));
    return out;
  }
  double Scalar(size_t output) {
    tir_port port;
    EXPECT_EQ(tir_program_output(program_.get(), output, &port), TIR_OK);
    return tir_ir_load_f64(port.dtype,
                           tir_instance_output(instance_.get(), output));
  }

 private:
  Owned<tir_program> program_;
  Owned<tir_instance> instance_;
};

#endif
