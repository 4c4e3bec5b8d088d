// What is saved is what is loaded: graphs, data, names, metadata.
#include <gtest/gtest.h>

#include "tests/support/compiled.h"
#include "tests/support/custom_ops.h"
#include "tests/support/failing_allocator.h"
#include "tests/support/graph_builder.h"
#include "tests/support/sample_modules.h"
#include "tests/support/tir_file.h"

// Loads the saved bytes, compares, and saves again to the same bytes.
static void RoundTrip(tir_context *context, tir_module *module) {
  const std::string bytes = SaveBytes(module);
  tir_error error = {};
  const Owned<tir_module> loaded(LoadBytes(context, bytes, &error));
  ASSERT_NE(loaded, nullptr) << error.message;
  ExpectSameModule(module, loaded.get());
  EXPECT_EQ(SaveBytes(loaded.get()), bytes);
}

TEST(SerializeRoundTrip, Samples) {
  const Owned<tir_context> context = MakeContext();
  for (int i = 0; i < kNSampleModules; i++) {
    SCOPED_TRACE(kSampleModules[i].name);
    const Owned<tir_module> module(kSampleModules[i].make(context.get()));
    RoundTrip(context.get(), module.get());
  }
}

TEST(SerializeRoundTrip, RandomModules) {
  const Owned<tir_context> context = MakeContext();
  size_t n_nodes = 0;
  for (uint64_t seed = 0; seed < 100; seed++) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const Owned<tir_module> module(MakeRandomModule(context.get(), seed));
    for (size_t i = 0; i < tir_module_n_graphs(module.get()); i++)
      n_nodes += tir_graph_n_nodes(tir_module_graph_at(module.get(), i));
    RoundTrip(context.get(), module.get());
    if (testing::Test::HasFailure()) return;
  }
  EXPECT_GT(n_nodes, 1500u) << "the generator makes too little";
}

// Every op that a graph can hold turns up in the random modules, so that its
// attributes were written and read.
TEST(SerializeRoundTrip, RandomModulesReachEveryOp) {
  const Owned<tir_context> context = MakeContext();
  custom_ops::RegisterTestOps(context.get());
  std::vector<bool> seen(TIR_N_OPS);
  for (uint64_t seed = 0; seed < 200; seed++) {
    const Owned<tir_module> module(MakeRandomModule(context.get(), seed));
    for (size_t i = 0; i < module->graphs.count; i++) {
      const tir_ir_graph *g = module->graphs.data[i]->ir;
      for (uint32_t id = 1; id <= tir_ir_n_nodes(g); id++)
        seen[tir_ir_op(g, tir_ir_node{id})] = true;
    }
  }
  int n_missing = 0;
  for (int op = 1; op < TIR_N_OPS; op++) {
    const tir_op_desc *desc = tir_ir_op_desc(static_cast<tir_op>(op));
    if (seen[op] ||
        (desc->traits &
         (TIR_TRAIT_INTERNAL | TIR_TRAIT_DECLARED | TIR_TRAIT_EFFECT)) ||
        tir_ir_has_bodies(desc))
      continue;
    n_missing++;
    printf("never built: %s\n", desc->name);
  }
  EXPECT_EQ(n_missing, 0) << "give RandomGraph inputs that fit them";
}

TEST(SerializeRoundTrip, FileAndMemoryAndMapAgree) {
  const Owned<tir_context> context = MakeContext();
  const Owned<tir_module> module(MakeStepModule(context.get()));
  const TempDir dir;
  const std::string path = dir.File("m.tir");
  tir_error error = {};
  ASSERT_EQ(tir_module_save(module.get(), path.c_str(), &error), TIR_OK)
      << error.message;
  for (const bool map : {false, true}) {
    tir_load_options options = {};
    options.map = map;
    tir_module *loaded = nullptr;
    ASSERT_EQ(
        tir_module_load(context.get(), path.c_str(), &options, &loaded, &error),
        TIR_OK)
        << error.message;
    ExpectSameModule(module.get(), loaded);
    tir_module_destroy(loaded);
  }
}

TEST(SerializeRoundTrip, LoadedTensorsAreAlignedAndOwnTheirMemory) {
  const Owned<tir_context> context = MakeContext();
  const Owned<tir_module> module(MakeDtypeModule(context.get()));
  const std::string bytes = SaveBytes(module.get());
  tir_error error = {};
  tir_module *loaded = LoadBytes(context.get(), bytes, &error);
  ASSERT_NE(loaded, nullptr) << error.message;
  // One tensor outlives the module it came with.
  tir_tensor *kept = tir_tensor_retain(loaded->params.data[0].tensor);
  for (size_t i = 0; i < loaded->params.count; i++) {
    const tir_tensor *tensor = loaded->params.data[i].tensor;
    EXPECT_EQ(reinterpret_cast<uintptr_t>(tensor->data) % 64, 0u);
    memset(tensor->data, 0x55, tensor->size_bytes);
  }
  tir_module_destroy(loaded);
  memset(kept->data, 0xaa, kept->size_bytes);
  tir_tensor_release(kept);
}

// The same constant in two graphs is stored once and shared after a load.
TEST(SerializeRoundTrip, ConstantsAreStoredOnce) {
  const Owned<tir_context> context = MakeContext();
  const Owned<tir_module> module = MakeModule(context.get());
  const std::vector<float> data(1000, 1.5f);
  tir_tensor *tensor = nullptr;
  const int64_t dims[] = {1000};
  ASSERT_EQ(tir_tensor_from_data(context.get(), TIR_DTYPE_F32, dims, 1,
                                 data.data(), &tensor, nullptr),
            TIR_OK);
  for (const char *name : {"a", "b"}) {
    GraphBuilder b(context.get(), name);
    uint32_t index = 0;
    ASSERT_EQ(tir_ir_add_tensor(b.ir(), tensor, &index, nullptr), TIR_OK);
    tir_ir_type type = {};
    type.dtype = TIR_DTYPE_F32;
    type.rank = 1;
    type.dims[0] = 1000;
    const tir_attrs_constant attrs = {0, index + 1};
    for (const char *out : {"y", "z"})
      b.Output(out, tir_ir_record_declared(b.tape(), TIR_OP_CONSTANT, &attrs,
                                           &type, nullptr));
    b.PublishTo(module.get());
  }
  tir_tensor_release(tensor);
  const std::string bytes = SaveBytes(module.get());
  EXPECT_EQ(Split(bytes).tensors.size(), 4000u);
  tir_error error = {};
  const Owned<tir_module> loaded(LoadBytes(context.get(), bytes, &error));
  ASSERT_NE(loaded, nullptr) << error.message;
  ExpectSameModule(module.get(), loaded.get());
  EXPECT_EQ(loaded->graphs.data[0]->ir->tensors.data[0],
            loaded->graphs.data[1]->ir->tensors.data[0]);
  EXPECT_EQ(loaded->graphs.data[0]->ir->tensors.count, 1u);
}

// Storage of a parameter never becomes a constant of a loaded graph.
TEST(SerializeRoundTrip, ParamUsedAsConstantIsCopied) {
  const Owned<tir_context> context = MakeContext();
  const Owned<tir_module> module = MakeModule(context.get());
  AddParam(module.get(), context.get(), "w", {2}, {1, 2});
  GraphBuilder b(context.get());
  uint32_t index = 0;
  ASSERT_EQ(
      tir_ir_add_tensor(b.ir(), module->params.data[0].tensor, &index, nullptr),
      TIR_OK);
  tir_ir_type type = {};
  type.dtype = TIR_DTYPE_F32;
  type.rank = 1;
  type.dims[0] = 2;
  const tir_attrs_constant attrs = {0, index + 1};
  b.Output("y", tir_ir_record_declared(b.tape(), TIR_OP_CONSTANT, &attrs, &type,
                                       nullptr));
  b.PublishTo(module.get());
  tir_error error = {};
  const Owned<tir_module> loaded(
      LoadBytes(context.get(), SaveBytes(module.get()), &error));
  ASSERT_NE(loaded, nullptr) << error.message;
  EXPECT_NE(loaded->params.data[0].tensor,
            loaded->graphs.data[0]->ir->tensors.data[0]);
}

TEST(SerializeRoundTrip, NamesThatNoReaderTakesAreNotWritten) {
  const Owned<tir_context> context = MakeContext();
  const Owned<tir_module> module = MakeModule(context.get());
  GraphBuilder b(context.get());
  const tir_value y = tir_tanh(b.tape(), b.Input("x", TIR_DTYPE_F32, {}));
  b.Site("\xff.c:1");  // only a help: left out
  b.Output("y", y);
  b.PublishTo(module.get());
  tir_error error = {};
  const Owned<tir_module> loaded(
      LoadBytes(context.get(), SaveBytes(module.get()), &error));
  ASSERT_NE(loaded, nullptr) << error.message;
  EXPECT_EQ(tir_ir_node_at(loaded->graphs.data[0]->ir, tir_ir_node{2})->site,
            nullptr);
}

TEST(SerializeRoundTrip, SavingDuringAWriteIsBusy) {
  const Owned<tir_context> context = MakeContext();
  const Owned<tir_module> module(MakeTinyModule(context.get()));
  const TempDir dir;
  tir_error error = {};
  ASSERT_EQ(tir_ir_module_acquire(module.get(), true, &error), TIR_OK);
  EXPECT_EQ(tir_module_save(module.get(), dir.File("m.tir").c_str(), &error),
            TIR_ERR_BUSY);
  tir_ir_module_end_lease(module.get());
  tir_ir_module_set_torn(module.get());
  EXPECT_EQ(tir_module_save(module.get(), dir.File("m.tir").c_str(), &error),
            TIR_ERR_TORN);
  EXPECT_TRUE(dir.List().empty());
}

TEST(SerializeRoundTrip, NullArguments) {
  const Owned<tir_context> context = MakeContext();
  const Owned<tir_module> module(MakeTinyModule(context.get()));
  tir_module *out = nullptr;
  tir_error error = {};
  EXPECT_EQ(tir_module_save(nullptr, "x", &error), TIR_ERR_ARGUMENT);
  EXPECT_EQ(tir_module_save(module.get(), nullptr, &error), TIR_ERR_ARGUMENT);
  EXPECT_EQ(tir_module_load(nullptr, "x", nullptr, &out, &error),
            TIR_ERR_ARGUMENT);
  EXPECT_EQ(tir_module_load(context.get(), nullptr, nullptr, &out, &error),
            TIR_ERR_ARGUMENT);
  EXPECT_EQ(tir_module_load(context.get(), "x", nullptr, nullptr, &error),
            TIR_ERR_ARGUMENT);
  EXPECT_EQ(
      tir_module_load_memory(context.get(), nullptr, 1, nullptr, &out, &error),
      TIR_ERR_ARGUMENT);
  EXPECT_EQ(
      tir_module_load_memory(context.get(), nullptr, 0, nullptr, &out, &error),
      TIR_ERR_FORMAT);
  EXPECT_EQ(tir_module_verify_param(module.get(), "w", &error),
            TIR_ERR_ARGUMENT);
  tir_load_options options = {};
  options.reserved[3] = 1;
  EXPECT_EQ(tir_module_load(context.get(), "x", &options, &out, &error),
            TIR_ERR_ARGUMENT);
  EXPECT_EQ(out, nullptr);
}

static std::string NameModuleBytes() {
  const Owned<tir_context> context = MakeContext();
  const Owned<tir_module> module(MakeNameModule(context.get()));
  return SaveBytes(module.get());
}

// Every allocation of a save and of a load may fail.
TEST(SerializeRoundTrip, OutOfMemory) {
  const std::string bytes = NameModuleBytes();
  ForEachFailingAllocation([&bytes](FailingAllocator &allocator) {
    const tir_context_options options = allocator.Options();
    tir_context *context = nullptr;
    tir_status status = tir_context_create(&options, &context, nullptr);
    if (status != TIR_OK) return status;
    const Owned<tir_context> owned(context);
    tir_module *module = nullptr;
    status = tir_module_load_memory(context, bytes.data(), bytes.size(),
                                    nullptr, &module, nullptr);
    if (status != TIR_OK) {
      EXPECT_EQ(module, nullptr);
      return status;
    }
    const TempDir dir;
    status = tir_module_save(module, dir.File("m.tir").c_str(), nullptr);
    if (status == TIR_OK) {
      EXPECT_EQ(ReadFile(dir.File("m.tir")), bytes);
    } else {
      EXPECT_TRUE(dir.List().empty());
    }
    tir_module_destroy(module);
    return status;
  });
}
