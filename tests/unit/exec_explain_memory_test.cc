// tir_explain_memory: peak, what is kept for backward and who reads it.
#include <string.h>

#include "tests/support/compiled.h"
#include "tests/support/context_fixture.h"
#include "tests/support/graph_builder.h"

namespace {

struct Item {
  tir_memory_role role;
  std::string op, name, site, type;
  uint64_t bytes;
  uint64_t first_step, last_step;
  std::string reader, reader_site, gradient;
  uint64_t reader_step;
};

std::string Text(const char *text) { return text ? text : ""; }

bool Collect(void *user, const tir_memory_item *item) {
  std::string type = std::string(tir_dtype_name(item->type.dtype)) + "[";
  for (int i = 0; i < item->type.rank; i++)
    type += (i ? ", " : "") + std::to_string(item->type.dims[i]);
  for (const uint64_t word : item->reserved) EXPECT_EQ(word, 0u);
  EXPECT_EQ(item->reader_op != nullptr, item->role == TIR_MEMORY_READ);
  static_cast<std::vector<Item> *>(user)->push_back(
      {item->role, item->value.op, item->value.name, Text(item->site),
       type + "]", item->value.size_bytes, item->value.first_step,
       item->value.last_step, Text(item->reader_op), Text(item->reader_site),
       item->gradient_op ? Text(item->gradient_op) + " " + item->gradient_name
                         : "",
       item->reader_step});
  return true;
}

class ExplainMemory : public testing::Test {
 protected:
  // One step of descent on sum(tanh(x w) v)², batch 8, 16 hidden of 4: x and w
  // are the caller's, so of the forward values only tanh and what is squared
  // are kept in the arena.
  static Owned<tir_graph> TrainStep(tir_context *c, tir_module *module,
                                    tir_error *error) {
    AddParam(module, c, "w", {4, 16}, std::vector<float>(64, 0.5f));
    AddParam(module, c, "v", {16, 2}, std::vector<float>(32, 0.25f));
    tir_tape *t = nullptr;
    if (tir_tape_create(c, nullptr, &t, error) != TIR_OK) return nullptr;
    const int64_t dims[] = {8, 4};
    tir_capture_begin(t, module, "train_step");
    const tir_value x = tir_input(t, "x", TIR_DTYPE_F32, dims, 2);
    const tir_value w = tir_param(t, module, "w");
    const tir_value v = tir_param(t, module, "v");
    tir_attach_grad(t, w, TIR_GRAD_WRITE);
    tir_attach_grad(t, v, TIR_GRAD_WRITE);
    tir_record_begin(t, true);
    const tir_value h =
        tir_set_name(t, tir_tanh(t, tir_matmul(t, x, w)), "hidden");
    const tir_value y = tir_set_name(t, tir_matmul(t, h, v), "y");
    const tir_value loss = tir_sum(t, tir_square(t, y), nullptr, 0, false);
    tir_mode_end(t);
    tir_backward(t, loss);
    tir_output(t, "loss", loss);
    tir_output(t, "w.grad", tir_grad_of(t, w));
    tir_output(t, "v.grad", tir_grad_of(t, v));
    tir_graph *graph = nullptr;
    const tir_status status = tir_capture_end(t, &graph, error);
    tir_tape_destroy(t);
    return Owned<tir_graph>(status == TIR_OK ? graph : nullptr);
  }

  void Explain(const tir_program *program) {
    items.clear();
    ASSERT_EQ(tir_explain_memory(program, Collect, &items, &sum, &error),
              TIR_OK)
        << error.message;
  }
  std::vector<Item> Of(tir_memory_role role) const {
    std::vector<Item> found;
    for (const Item &item : items)
      if (item.role == role) found.push_back(item);
    return found;
  }

  std::vector<Item> items;
  tir_memory_summary sum = {};
  tir_error error = {};
};

using Lines = std::vector<std::string>;

// "512 tanh hidden f32[8, 16] 1..10", and of a reader "square 10 tanh hidden".
Lines Told(const std::vector<Item> &items) {
  Lines lines;
  for (const Item &item : items)
    lines.push_back(item.role == TIR_MEMORY_READ
                        ? item.reader + " " + std::to_string(item.reader_step) +
                              " " + item.gradient
                        : std::to_string(item.bytes) + " " + item.op + " " +
                              item.name + " " + item.type + " " +
                              std::to_string(item.first_step) + ".." +
                              std::to_string(item.last_step));
  return lines;
}

// Every node a step: 0 matmul, 1 tanh, 2 matmul, 3 square, 4 sum, then
// backward 5 ones, 6 2y, 7 their product, 8 and 9 matmul, 10 h², 11 1 - h²,
// 12 mul, 13 matmul. hidden and y are read by their gradients; %1 only lends
// its shape to the ones. At step 8 the gradients of y and hidden are alive
// beside hidden.
TEST_F(ExplainMemory, OfATrainStep) {
  const auto c = MakeContext();
  const auto module = MakeModule(c.get());
  const auto graph = TrainStep(c.get(), module.get(), &error);
  ASSERT_NE(graph, nullptr) << error.message;
  tir_compile_options options = {};
  options.pipeline = "none";
  const auto program = Compile(c.get(), graph.get(), &options);
  Explain(program.get());
  EXPECT_EQ(Told(items), (Lines{
                             "512 tanh hidden f32[8, 16] 1..10",
                             "512 matmul %8 f32[8, 16] 8..12",
                             "64 mul %7 f32[8, 2] 7..9",
                             "512 tanh hidden f32[8, 16] 1..10",
                             "matmul 9 matmul y",
                             "square 10 tanh hidden",
                             "64 matmul y f32[8, 2] 2..6",
                             "mul 6 square %1",
                         }));
  EXPECT_EQ(Of(TIR_MEMORY_LIVE).size(), 3u);
  EXPECT_EQ(sum.n_live, 3u);
  EXPECT_EQ(sum.peak_step, 8u);
  EXPECT_EQ(sum.peak_bytes, 512u + 512 + 64);
  EXPECT_STREQ(sum.peak_op, "matmul");
  EXPECT_STREQ(sum.peak_name, "%8");
  EXPECT_EQ(sum.lower_bound_bytes, sum.peak_bytes);
  EXPECT_GE(sum.arena_bytes, sum.peak_bytes);
  EXPECT_EQ(sum.n_steps, 14u);
  EXPECT_TRUE(sum.knows_backward);
  EXPECT_EQ(sum.n_kept, 2u);
  EXPECT_EQ(sum.n_reads, 3u);
  EXPECT_EQ(sum.kept_bytes, 512u + 64);
  for (const uint64_t word : sum.reserved) EXPECT_EQ(word, 0u);
}

// The square of hidden is inside of step 7, in no memory: its node reads
// hidden all the same.
TEST_F(ExplainMemory, OfFusedSteps) {
  const auto c = MakeContext();
  const auto module = MakeModule(c.get());
  const auto graph = TrainStep(c.get(), module.get(), &error);
  ASSERT_NE(graph, nullptr) << error.message;
  const auto program = Compile(c.get(), graph.get());
  Explain(program.get());
  EXPECT_EQ(Told(items), (Lines{
                             "512 tanh hidden f32[8, 16] 1..7",
                             "512 matmul %6 f32[8, 16] 5..7",
                             "64 mul %5 f32[8, 2] 4..6",
                             "512 tanh hidden f32[8, 16] 1..7",
                             "matmul 6 matmul y",
                             "square 7 tanh hidden",
                             "64 matmul y f32[8, 2] 2..4",
                             "mul 4 square ",
                         }));
  EXPECT_EQ(sum.peak_bytes, sum.lower_bound_bytes);
  char *text = nullptr;
  ASSERT_EQ(tir_explain_memory_text(program.get(), &text, &error), TIR_OK);
  EXPECT_STREQ(
      text,
      "arena: 1088 bytes, at least 1088; peak: 1088 bytes in 3 values at step "
      "5 of 9, matmul %6\n"
      "  512 bytes in steps 1..7: tanh hidden: f32[8, 16]\n"
      "  512 bytes in steps 5..7: matmul %6: f32[8, 16]\n"
      "  64 bytes in steps 4..6: mul %5: f32[8, 2]\n"
      "kept for backward: 576 bytes in 2 values\n"
      "  512 bytes in steps 1..7: tanh hidden: f32[8, 16]\n"
      "    read by matmul at step 6, for the gradient of matmul y\n"
      "    read by square at step 7, for the gradient of tanh hidden\n"
      "  64 bytes in steps 2..4: matmul y: f32[8, 2]\n"
      "    read by mul at step 4, for the gradient of square\n");
  tir_text_free(c.get(), text);
}

// The gradient of w reads a view: what is kept is the value behind it. Places
// are told, with control characters escaped in the text.
TEST_F(ExplainMemory, OfViewsAndSites) {
  const auto c = MakeContext();
  GraphBuilder b(c.get());
  tir_tape *t = b.tape();
  const tir_value x = b.Input("x", TIR_DTYPE_F32, {4, 6});
  const tir_value w = b.Input("w", TIR_DTYPE_F32, {3, 5});
  const tir_value h = tir_set_name(t, tir_exp(t, x), "a b");
  b.Site("net.c:1\x1b");
  const int64_t dims[] = {8, 3};
  const tir_value view = tir_reshape(t, h, dims, 2);
  const tir_value y = tir_matmul(t, view, w);
  b.Site("net.c:3");
  b.Output("y", y);
  const Owned<tir_graph> graph(b.Publish());
  const char *wrt[] = {"w"};
  tir_graph *raw = nullptr;
  ASSERT_EQ(tir_graph_differentiate(graph.get(), wrt, 1, true, &raw, &error),
            TIR_OK)
      << error.message;
  const Owned<tir_graph> gradient(raw);
  const auto program = Compile(c.get(), gradient.get());
  Explain(program.get());
  const auto kept = Of(TIR_MEMORY_KEPT), reads = Of(TIR_MEMORY_READ);
  ASSERT_EQ(kept.size(), 1u);
  ASSERT_EQ(reads.size(), 1u);
  EXPECT_EQ(kept[0].name, "a b");
  EXPECT_EQ(kept[0].bytes, 96u);
  EXPECT_EQ(kept[0].site, "net.c:1\x1b");
  EXPECT_EQ(reads[0].name, "a b");
  EXPECT_EQ(reads[0].reader, "matmul");
  EXPECT_EQ(reads[0].reader_site, "net.c:3");
  EXPECT_EQ(sum.peak_bytes, 128u) << "96 on 64 bytes";
  char *text = nullptr;
  ASSERT_EQ(tir_explain_memory_text(program.get(), &text, &error), TIR_OK);
  const std::string told = text;
  tir_text_free(c.get(), text);
  EXPECT_NE(told.find("exp \"a b\": f32[4, 6] at \"net.c:1\\x1b\"\n    read by "
                      "matmul at step "),
            std::string::npos)
      << told;
  EXPECT_NE(told.find(", for the gradient of matmul %"), std::string::npos);
  EXPECT_NE(told.find(" at \"net.c:3\"\n"), std::string::npos) << told;
}

// Layers of many sizes: items come in order and add up, and the peak is the
// bound that the planner found by itself.
TEST_F(ExplainMemory, AddsUp) {
  const auto c = MakeContext();
  for (const char *pipeline : {"none", "full"}) {
    GraphBuilder b(c.get());
    tir_tape *t = b.tape();
    tir_value x = b.Input("x", TIR_DTYPE_F32, {3, 1});
    for (int i = 0; i < 100; i++) {
      const std::string name = "w" + std::to_string(i);
      const tir_value w =
          b.Input(name.c_str(), TIR_DTYPE_F32,
                  {1 + i * 7 % 23 * (i > 0), 1 + (i + 1) * 7 % 23});
      x = tir_sigmoid(t, tir_matmul(t, x, w));
    }
    b.Output("y", x);
    const Owned<tir_graph> graph(b.Publish());
    tir_graph *raw = nullptr;
    ASSERT_EQ(
        tir_graph_differentiate(graph.get(), nullptr, 0, true, &raw, &error),
        TIR_OK)
        << error.message;
    const Owned<tir_graph> gradient(raw);
    tir_compile_options options = {};
    options.pipeline = pipeline;
    Explain(Compile(c.get(), gradient.get(), &options).get());
    uint64_t live = 0, kept = 0, n_reads = 0;
    const Item *last = nullptr;
    for (const Item &item : items) {
      if (last && last->role == item.role) {
        EXPECT_GE(last->bytes, item.bytes);
      }
      if (item.role == TIR_MEMORY_LIVE) {
        live += (item.bytes + 63) / 64 * 64;
        EXPECT_LE(item.first_step, sum.peak_step);
        EXPECT_GE(item.last_step, sum.peak_step);
      } else if (item.role == TIR_MEMORY_KEPT) {
        kept += item.bytes;
      } else {
        n_reads++;
        EXPECT_LE(item.reader_step, item.last_step);
        EXPECT_GT(item.reader_step, item.first_step);
        EXPECT_NE(item.gradient, "");
      }
      last = &item;
    }
    EXPECT_EQ(live, sum.peak_bytes);
    EXPECT_EQ(live, sum.lower_bound_bytes);
    EXPECT_EQ(kept, sum.kept_bytes);
    EXPECT_EQ(n_reads, sum.n_reads);
    // The last result is an output; the ones that backward begins with are
    // folded into its step unless every node is one.
    EXPECT_EQ(sum.n_kept, strcmp(pipeline, "none") == 0 ? 100u : 99u);
  }
}

// One step makes h and its gradient; h is in memory for what follows alone.
TEST_F(ExplainMemory, ReadInTheStepThatMakesItIsNotKept) {
  const auto c = MakeContext();
  const auto module = MakeModule(c.get());
  tir_tape *t = nullptr;
  ASSERT_EQ(tir_tape_create(c.get(), nullptr, &t, &error), TIR_OK);
  const int64_t dims[] = {4, 4};
  tir_capture_begin(t, module.get(), "g");
  const tir_value x = tir_input(t, "x", TIR_DTYPE_F32, dims, 2);
  tir_attach_grad(t, x, TIR_GRAD_WRITE);
  tir_record_begin(t, true);
  const tir_value h = tir_sigmoid(t, x);
  const tir_value loss = tir_sum(t, h, nullptr, 0, false);
  tir_mode_end(t);
  tir_backward(t, loss);
  tir_output(t, "x.grad", tir_grad_of(t, x));
  tir_output(t, "z", tir_matmul(t, h, h));
  tir_graph *raw = nullptr;
  ASSERT_EQ(tir_capture_end(t, &raw, &error), TIR_OK) << error.message;
  tir_tape_destroy(t);
  const Owned<tir_graph> graph(raw);
  Explain(Compile(c.get(), graph.get()).get());
  EXPECT_EQ(Told(items), (Lines{"64 sigmoid %0 f32[4, 4] 0..1"}));
  EXPECT_TRUE(sum.knows_backward);
  EXPECT_EQ(sum.n_steps, 2u);
  EXPECT_EQ(sum.n_kept, 0u);
  EXPECT_EQ(sum.kept_bytes, 0u);
}

TEST_F(ExplainMemory, WithoutBackwardNodes) {
  const auto c = MakeContext();
  const auto explained = [this, &c](const char *text) {
    tir_module *module = nullptr;
    EXPECT_EQ(
        tir_module_from_text(c.get(), text, strlen(text), &module, &error),
        TIR_OK)
        << error.message;
    const Owned<tir_module> owner(module);
    const auto program = Compile(c.get(), tir_module_graph(module, "g"));
    Explain(program.get());
    char *told = nullptr;
    EXPECT_EQ(tir_explain_memory_text(program.get(), &told, &error), TIR_OK);
    const std::string copy = told;
    tir_text_free(c.get(), told);
    return copy;
  };
  EXPECT_EQ(explained("graph @g(%x: f32[2]) {\n  return %x \"y\"\n}\n"),
            "arena: 0 bytes, at least 0; peak: 0 bytes in 0 values at step 0 "
            "of 0\nkept for backward: unknown, no node is marked as "
            "backward\n");
  EXPECT_EQ(sum.n_steps, 0u);
  EXPECT_STREQ(sum.peak_op, "");
  EXPECT_STREQ(sum.peak_name, "");
  EXPECT_FALSE(sum.knows_backward);
  EXPECT_TRUE(items.empty());
  explained(
      "graph @g(%x: f32[2, 2]) {\n  %a = matmul %x, %x : f32[2, 2]\n"
      "  %b = matmul %a, %a : f32[2, 2]\n  return %b \"y\"\n}\n");
  EXPECT_EQ(Told(items), (Lines{"16 matmul a f32[2, 2] 0..1"}));
  EXPECT_EQ(sum.peak_bytes, 64u);
  EXPECT_EQ(sum.n_kept, 0u);
}

TEST_F(ExplainMemory, EndsWhenTold) {
  const auto c = MakeContext();
  const auto module = MakeModule(c.get());
  const auto graph = TrainStep(c.get(), module.get(), &error);
  const auto program = Compile(c.get(), graph.get());
  for (int most = 1; most <= 8; most++) {
    int left = most;
    const auto count = [](void *user, const tir_memory_item *) {
      return --*static_cast<int *>(user) > 0;
    };
    EXPECT_EQ(tir_explain_memory(program.get(), count, &left, nullptr, &error),
              TIR_OK);
    EXPECT_EQ(left, 0) << most;
  }
}

TEST_F(ExplainMemory, NullArguments) {
  sum.n_live = 7;
  EXPECT_EQ(tir_explain_memory(nullptr, Collect, &items, &sum, &error),
            TIR_ERR_ARGUMENT);
  EXPECT_STREQ(error.message, "explain_memory: program is NULL");
  EXPECT_EQ(sum.n_live, 0u);
  char *text = nullptr;
  EXPECT_EQ(tir_explain_memory_text(nullptr, &text, &error), TIR_ERR_ARGUMENT);
  EXPECT_STREQ(error.message, "explain_memory: program is NULL");
  const auto c = MakeContext();
  const auto module = MakeModule(c.get());
  const auto graph = TrainStep(c.get(), module.get(), &error);
  const auto program = Compile(c.get(), graph.get());
  EXPECT_EQ(tir_explain_memory_text(program.get(), nullptr, &error),
            TIR_ERR_ARGUMENT);
  EXPECT_STREQ(error.message, "explain_memory: out_text is NULL");
  EXPECT_EQ(
      tir_explain_memory(program.get(), nullptr, nullptr, nullptr, nullptr),
      TIR_OK);
  EXPECT_EQ(tir_explain_memory(program.get(), nullptr, nullptr, &sum, nullptr),
            TIR_OK);
  EXPECT_EQ(sum.n_live, 3u);
}

TEST_F(ExplainMemory, EveryAllocationMayFail) {
  uint64_t n = 0;
  ForEachFailingAllocation([this, &n](FailingAllocator &allocator) {
    // Only what explains fails.
    allocator.FailAt(0);
    const TestContext context(&allocator);
    const auto module = MakeModule(context);
    const auto graph = TrainStep(context, module.get(), &error);
    const auto program = Compile(context, graph.get());
    allocator.FailAt(allocator.n_allocs() + ++n);
    items.clear();
    tir_status status =
        tir_explain_memory(program.get(), Collect, &items, nullptr, &error);
    EXPECT_EQ(items.size(), status == TIR_OK ? 8u : 0u);
    char *text = nullptr;
    if (status == TIR_OK)
      status = tir_explain_memory_text(program.get(), &text, &error);
    EXPECT_EQ(text != nullptr, status == TIR_OK);
    tir_text_free(context, text);
    return status;
  });
}

}  // namespace
