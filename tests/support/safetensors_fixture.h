// Making, loading and saving safetensors in tests.
#ifndef TAPEIR_TESTS_SUPPORT_SAFETENSORS_FIXTURE_H
#define TAPEIR_TESTS_SUPPORT_SAFETENSORS_FIXTURE_H

#include <sys/stat.h>

#include "tests/support/compiled.h"
#include "tests/support/failing_allocator.h"
#include "tests/support/failing_io.h"
#include "tests/support/safetensors_file.h"
#include "tests/support/sample_modules.h"
#include "tests/support/tir_file.h"

extern "C" {
#include "serialize/safetensors.h"
}

inline const struct {
  const char *code;
  tir_dtype dtype;
} kCodes[] = {{"F32", TIR_DTYPE_F32}, {"F64", TIR_DTYPE_F64},
              {"F16", TIR_DTYPE_F16}, {"BF16", TIR_DTYPE_BF16},
              {"I8", TIR_DTYPE_I8},   {"U8", TIR_DTYPE_U8},
              {"I16", TIR_DTYPE_I16}, {"I32", TIR_DTYPE_I32},
              {"I64", TIR_DTYPE_I64}, {"BOOL", TIR_DTYPE_BOOL}};

class SerializeSafetensors : public testing::Test {
 protected:
  void SetUp() override { context_ = MakeContext(); }

  Owned<tir_module> LoadBytes(const std::string &bytes,
                              const tir_load_options *options = nullptr) {
    tir_module *module = nullptr;
    error_ = tir_error{};
    const tir_status status = tir_safetensors_load_memory(
        context_.get(), bytes.data(), bytes.size(), options, &module, &error_);
    EXPECT_EQ(status == TIR_OK, module != nullptr);
    EXPECT_EQ(status, error_.status);
    EXPECT_EQ(status == TIR_OK, error_.message[0] == '\0');
    return Owned<tir_module>(module);
  }
  Owned<tir_module> LoadHeader(const std::string &header,
                               const std::string &data = "") {
    return LoadBytes(SafetensorsFile(header, data));
  }
  void Refused(const std::string &header, const std::string &data,
               tir_status status, const std::string &message) {
    EXPECT_EQ(LoadHeader(header, data), nullptr) << header;
    EXPECT_EQ(error_.status, status) << header << ": " << error_.message;
    EXPECT_EQ(std::string(error_.message).substr(0, message.size() + 6),
              "load: " + message)
        << header;
    EXPECT_NE(error_.byte_offset, UINT64_MAX);
    EXPECT_LE(error_.byte_offset, 8 + header.size());
  }
  Owned<tir_tensor> Param(const Owned<tir_module> &module, const char *name) {
    tir_tensor *tensor = nullptr;
    EXPECT_EQ(tir_module_get_param(module.get(), name, &tensor, &error_),
              TIR_OK)
        << error_.message;
    return Owned<tir_tensor>(tensor);
  }
  Owned<tir_tensor> MakeTensor(tir_dtype dtype, std::vector<int64_t> dims,
                               int seed) {
    tir_tensor *made = nullptr;
    EXPECT_EQ(tir_tensor_create(context_.get(), dtype, dims.data(),
                                static_cast<int>(dims.size()), &made, &error_),
              TIR_OK);
    auto *bytes = static_cast<uint8_t *>(made->data);
    for (size_t i = 0; i < made->size_bytes; i++)
      bytes[i] = static_cast<uint8_t>(
          dtype == TIR_DTYPE_BOOL ? i % 2 : 7 * i + size_t(seed));
    return Owned<tir_tensor>(made);
  }
  void AddParam(const Owned<tir_module> &module, const char *name,
                const Owned<tir_tensor> &tensor,
                tir_param_kind kind = TIR_PARAM_TRAINABLE) {
    ASSERT_EQ(
        tir_module_add_param(module.get(), name, kind, tensor.get(), &error_),
        TIR_OK)
        << error_.message;
  }
  static std::string Data(const Owned<tir_tensor> &tensor) {
    return std::string(static_cast<const char *>(tensor->data),
                       tensor->size_bytes);
  }
  // A module of every dtype, odd names and metadata.
  Owned<tir_module> MakeWeights() {
    auto module = MakeModule(context_.get());
    int seed = 0;
    for (const auto &code : kCodes) {
      AddParam(module, (std::string("layer.") + code.code).c_str(),
               MakeTensor(code.dtype, {3, 1 + seed % 3}, seed));
      seed++;
    }
    AddParam(module, "scalar", MakeTensor(TIR_DTYPE_F64, {}, 5));
    AddParam(module, "empty", MakeTensor(TIR_DTYPE_I16, {2, 0, 3}, 0),
             TIR_PARAM_STATE);
    AddParam(module, "rank 8",
             MakeTensor(TIR_DTYPE_U8, {1, 2, 1, 2, 1, 3, 1, 1}, 9));
    AddParam(module, "\"quotes\" \\ \n\t\x01 ж\xF0\x9F\x98\x80",
             MakeTensor(TIR_DTYPE_F32, {2}, 3));
    EXPECT_EQ(
        tir_module_set_metadata(module.get(), "format", "a \"b\"\n", &error_),
        TIR_OK);
    EXPECT_EQ(tir_module_set_metadata(module.get(), "empty", "", &error_),
              TIR_OK);
    return module;
  }
  std::string Save(const Owned<tir_module> &module) {
    const std::string path = dir_.File("w.safetensors");
    EXPECT_EQ(tir_safetensors_save(module.get(), path.c_str(), &error_), TIR_OK)
        << error_.message;
    return ReadFile(path);
  }
  static void ExpectSameParams(const tir_module *a, const tir_module *b) {
    ASSERT_EQ(tir_module_n_params(a), tir_module_n_params(b));
    for (size_t i = 0; i < tir_module_n_params(a); i++) {
      const char *name = tir_module_param_name(a, i);
      const tir_ir_param *other = tir_ir_module_param(b, name);
      ASSERT_NE(other, nullptr) << name;
      const tir_tensor *x = a->params.data[i].tensor, *y = other->tensor;
      EXPECT_EQ(x->dtype, y->dtype);
      EXPECT_EQ(std::vector<int64_t>(x->dims, x->dims + x->rank),
                std::vector<int64_t>(y->dims, y->dims + y->rank));
      EXPECT_EQ(memcmp(x->data, y->data, x->size_bytes), 0) << name;
    }
  }

  const TempDir dir_;
  Owned<tir_context> context_;
  tir_error error_ = {};
};

#endif
