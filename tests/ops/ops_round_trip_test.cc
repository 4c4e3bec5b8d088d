// Every case as text and as a file: what comes back is what went out.

#include <unistd.h>

#include "tests/ops/harness.h"

namespace tapeir_test {
namespace {

class OpRoundTrip : public OpTest {};

TEST_P(OpRoundTrip, Text) {
  ForEachCase(info(), [&](const OpCase &c, size_t, tir_dtype dtype) {
    CaseGraph graph(context(), c, dtype);
    graph.OutputAll();
    const std::string text = Text(graph.ir());
    tir_ir_graph *parsed = nullptr;
    tir_error error = {};
    ASSERT_EQ(tir_ir_parse_graph(context(), text.data(), text.size(), &parsed,
                                 &error),
              TIR_OK)
        << error.message << "\n"
        << text;
    EXPECT_EQ(Text(parsed), text);
    EXPECT_EQ(tir_ir_verify(parsed, &error), TIR_OK) << error.message;
    tir_ir_graph_destroy(parsed);
  });
}

// Gradients too: they hold the ops that only rules record.
void AddGraph(tir_context *context, tir_module *module, const OpCase &c,
              tir_dtype dtype, const std::string &name, bool gradient) {
  CaseGraph graph(context, c, dtype, kBatch, name);
  graph.OutputAll();
  if (gradient) {
    if (!graph.AddGradient()) return;
    graph.OutputGradients();
    if (graph.Expand() != TIR_OK) return;
  }
  tir_ir_graph *copy = nullptr;
  tir_error error = {};
  ASSERT_EQ(tir_ir_graph_copy(graph.ir(), &copy, &error), TIR_OK);
  tir_graph *published = nullptr;
  EXPECT_EQ(tir_ir_module_add_graph(module, copy, &published, &error), TIR_OK)
      << error.message;
}

std::string TextOfModule(tir_context *context, tir_module *module) {
  char *text = nullptr;
  tir_error error = {};
  EXPECT_EQ(tir_module_to_text(module, &text, &error), TIR_OK) << error.message;
  const std::string result = text ? text : "";
  tir_text_free(context, text);
  return result;
}

TEST_P(OpRoundTrip, File) {
  const Owned<tir_module> module = MakeModule(context());
  ForEachCase(info(), [&](const OpCase &c, size_t row, tir_dtype dtype) {
    const std::string name =
        "row" + std::to_string(row) + "." + tir_dtype_name(dtype);
    AddGraph(context(), module.get(), c, dtype, name, false);
    const bool differentiable =
        desc().vjp && tir_ir_dtype_is_compute_float(dtype);
    if (differentiable)
      AddGraph(context(), module.get(), c, dtype, name + ".gradient", true);
  });
  const std::string path = testing::TempDir() + "tapeir_ops_" + desc().name +
                           "_" + std::to_string(getpid()) + ".tir";
  tir_error error = {};
  ASSERT_EQ(tir_module_save(module.get(), path.c_str(), &error), TIR_OK)
      << error.message;
  tir_module *raw = nullptr;
  EXPECT_EQ(tir_module_load(context(), path.c_str(), nullptr, &raw, &error),
            TIR_OK)
      << error.message;
  unlink(path.c_str());
  const Owned<tir_module> loaded(raw);
  ASSERT_TRUE(loaded);
  EXPECT_EQ(TextOfModule(context(), loaded.get()),
            TextOfModule(context(), module.get()));
}

TAPEIR_FOR_ALL_OPS(OpRoundTrip);

}  // namespace
}  // namespace tapeir_test
