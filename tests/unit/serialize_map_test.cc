// Mapped files: what is checked when, and that nothing is written back.
#include <gtest/gtest.h>

#include "tests/support/compiled.h"
#include "tests/support/failing_allocator.h"
#include "tests/support/graph_builder.h"
#include "tests/support/sample_modules.h"
#include "tests/support/tir_file.h"

namespace {

class SerializeMap : public testing::Test {
 protected:
  void SetUp() override {
    context_ = MakeContext();
    path_ = dir_.File("m.tir");
    const Owned<tir_module> module = MakeModule(context_.get());
    AddParam(module.get(), context_.get(), "v", {3}, {1, 2, 3});
    AddParam(module.get(), context_.get(), "w", {2}, {4, 5});
    GraphBuilder b(context_.get());
    const float data[] = {6, 7};
    b.Output("c", b.Constant(TIR_DTYPE_F32, {2}, data));
    b.PublishTo(module.get());
    ASSERT_EQ(tir_module_save(module.get(), path_.c_str(), &error_), TIR_OK);
    bytes_ = ReadFile(path_);
  }
  Owned<tir_module> Map() {
    tir_load_options options = {};
    options.map = true;
    tir_module *module = nullptr;
    error_ = tir_error{};
    tir_module_load(context_.get(), path_.c_str(), &options, &module, &error_);
    return Owned<tir_module>(module);
  }
  void Damage(size_t from_end) {
    std::string bad = bytes_;
    bad[bad.size() - from_end] ^= 1;
    WriteFile(path_, bad);
  }

  const TempDir dir_;
  std::string path_, bytes_;
  Owned<tir_context> context_;
  tir_error error_ = {};
};

}  // namespace

TEST_F(SerializeMap, DataIsThere) {
  const Owned<tir_module> module = Map();
  ASSERT_NE(module, nullptr) << error_.message;
  EXPECT_EQ(GetParam(module.get(), "v"), (std::vector<float>{1, 2, 3}));
  EXPECT_EQ(GetParam(module.get(), "w"), (std::vector<float>{4, 5}));
  for (const char *name : {"v", "w"})
    EXPECT_EQ(tir_module_verify_param(module.get(), name, &error_), TIR_OK);
  EXPECT_EQ(tir_module_verify_param(module.get(), "x", &error_),
            TIR_ERR_ARGUMENT);
  EXPECT_STREQ(error_.message, "verify: the module has no parameter \"x\"");
}

TEST_F(SerializeMap, WritesStayPrivate) {
  const Owned<tir_module> module = Map();
  ASSERT_NE(module, nullptr) << error_.message;
  const float data[] = {8, 9};
  const int64_t dims[] = {2};
  tir_tensor *tensor = nullptr;
  ASSERT_EQ(tir_tensor_from_data(context_.get(), TIR_DTYPE_F32, dims, 1, data,
                                 &tensor, &error_),
            TIR_OK);
  ASSERT_EQ(tir_module_set_param(module.get(), "w", tensor, &error_), TIR_OK);
  tir_tensor_release(tensor);
  EXPECT_EQ(GetParam(module.get(), "w"), (std::vector<float>{8, 9}));
  EXPECT_EQ(ReadFile(path_), bytes_);
  // What was written is no longer what the checksum was made of.
  EXPECT_EQ(tir_module_verify_param(module.get(), "w", &error_), TIR_OK);
  ASSERT_EQ(tir_module_save(module.get(), path_.c_str(), &error_), TIR_OK)
      << error_.message;
  const Owned<tir_module> again = Map();
  EXPECT_EQ(GetParam(again.get(), "w"), (std::vector<float>{8, 9}));
}

TEST_F(SerializeMap, DamagedParamIsFoundOnRequestAndBySave) {
  Damage(64 + 64 + 8);  // in "w": the constant stands behind it
  const Owned<tir_module> module = Map();
  ASSERT_NE(module, nullptr) << error_.message;
  int n_bad = 0;
  for (const char *name : {"v", "w"})
    n_bad += tir_module_verify_param(module.get(), name, &error_) != TIR_OK;
  EXPECT_EQ(n_bad, 1);
  EXPECT_EQ(error_.status, TIR_ERR_FORMAT);
  const std::string other = dir_.File("other.tir");
  EXPECT_EQ(tir_module_save(module.get(), other.c_str(), &error_),
            TIR_ERR_FORMAT);
  EXPECT_NE(std::string(error_.message).find("is damaged"), std::string::npos);
}

// A live tape writes parameters too, after which the checksum says nothing.
TEST_F(SerializeMap, TrainedOnALiveTape) {
  const Owned<tir_module> module = Map();
  ASSERT_NE(module, nullptr) << error_.message;
  tir_tape *tape = nullptr;
  ASSERT_EQ(tir_tape_create(context_.get(), nullptr, &tape, &error_), TIR_OK);
  const tir_value w = tir_param(tape, module.get(), "w");
  tir_assign(tape, w, tir_neg(tape, w));
  ASSERT_EQ(tir_tape_flush(tape, &error_), TIR_OK) << error_.message;
  tir_tape_destroy(tape);
  EXPECT_EQ(tir_module_verify_param(module.get(), "w", &error_), TIR_OK)
      << error_.message;
  EXPECT_EQ(GetParam(module.get(), "w"), (std::vector<float>{-4, -5}));
  const std::string other = dir_.File("other.tir");
  EXPECT_EQ(tir_module_save(module.get(), other.c_str(), &error_), TIR_OK)
      << error_.message;
}

// A copy of damaged data would pass for sound in another module, or file.
TEST_F(SerializeMap, DamagedParamIsNotHandedOn) {
  Damage(64 + 64 + 8);
  const Owned<tir_module> from = Map();
  ASSERT_NE(from, nullptr) << error_.message;
  int n_bad = 0;
  for (const char *name : {"v", "w"}) {
    tir_tensor *tensor = nullptr;
    n_bad += tir_module_get_param(from.get(), name, &tensor, &error_) ==
             TIR_ERR_FORMAT;
    tir_tensor_release(tensor);
  }
  EXPECT_EQ(n_bad, 1);
  size_t n = 1;
  path_ = dir_.File("sound.tir");
  WriteFile(path_, bytes_);
  const Owned<tir_module> to = Map();
  EXPECT_EQ(tir_module_copy_params(to.get(), from.get(), "", &n, &error_),
            TIR_ERR_FORMAT);
  EXPECT_NE(std::string(error_.message).find("is damaged"), std::string::npos);
  EXPECT_EQ(n, 0u);
}

TEST_F(SerializeMap, DamagedConstantAndGraphAreFoundAtOnce) {
  Damage(1);
  EXPECT_EQ(Map(), nullptr);
  EXPECT_EQ(error_.status, TIR_ERR_FORMAT) << error_.message;
  WriteFile(path_, bytes_);
  Damage(bytes_.size() - TIR_SER_HEADER_BYTES - 10);
  EXPECT_EQ(Map(), nullptr);
  EXPECT_EQ(error_.status, TIR_ERR_FORMAT);
}

TEST_F(SerializeMap, TensorsOutliveTheModule) {
  Owned<tir_module> module = Map();
  ASSERT_NE(module, nullptr) << error_.message;
  tir_tensor *kept = tir_tensor_retain(module->params.data[0].tensor);
  module.reset();
  context_.reset();
  EXPECT_EQ(static_cast<const float *>(tir_tensor_data(kept))[2], 3.f);
  tir_tensor_release(kept);
}

// Another file takes the path; the mapping keeps the old content.
TEST_F(SerializeMap, ReplacedWhileMapped) {
  const Owned<tir_module> module = Map();
  ASSERT_NE(module, nullptr) << error_.message;
  const Owned<tir_module> tiny(MakeTinyModule(context_.get()));
  ASSERT_EQ(tir_module_save(tiny.get(), path_.c_str(), &error_), TIR_OK);
  EXPECT_EQ(GetParam(module.get(), "w"), (std::vector<float>{4, 5}));
  EXPECT_EQ(tir_module_verify_param(module.get(), "w", &error_), TIR_OK);
}

TEST_F(SerializeMap, OutOfMemory) {
  const std::string path = path_;
  ForEachFailingAllocation([&path](FailingAllocator &allocator) {
    const tir_context_options options = allocator.Options();
    tir_context *context = nullptr;
    tir_status status = tir_context_create(&options, &context, nullptr);
    if (status != TIR_OK) return status;
    tir_load_options load = {};
    load.map = true;
    tir_module *module = nullptr;
    status = tir_module_load(context, path.c_str(), &load, &module, nullptr);
    tir_module_destroy(module);
    tir_context_destroy(context);
    return status;
  });
}
