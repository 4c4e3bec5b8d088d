// Large graphs: every pass, schedule and plan stay near linear, on a small
// stack. Times are compared with each other only, and generously.
#include <pthread.h>

#include <chrono>
#include <functional>

#include "tests/support/compiled.h"
#include "tests/support/random.h"
#include "tests/support/text_graph.h"

extern "C" {
#include "passes/pass.h"
}

namespace {

using Clock = std::chrono::steady_clock;

double Since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Appends a node without inference: building is not what is measured.
uint32_t Append(tir_ir_graph *g, tir_op op, std::vector<uint32_t> in,
                const void *attrs = nullptr) {
  const tir_ir_type type = MakeType(TIR_DTYPE_F32, {16});
  tir_ir_node node;
  EXPECT_EQ(tir_ir_append(g, op, in.data(), in.size(), attrs, &type, 1, &node,
                          nullptr),
            TIR_OK);
  return tir_ir_out(g, node, 0).id;
}

GraphPtr NewGraph(tir_context *context, uint32_t *out_x) {
  tir_ir_graph *g = nullptr;
  EXPECT_EQ(tir_ir_graph_create(context, "main", &g, nullptr), TIR_OK);
  *out_x = Append(g, TIR_OP_INPUT, {});
  EXPECT_EQ(tir_ir_set_value_name(g, {*out_x}, "x", 1, nullptr), TIR_OK);
  return GraphPtr(g);
}

void Finish(tir_ir_graph *g, uint32_t value) {
  EXPECT_EQ(tir_ir_add_output(g, {value}, "y", nullptr), TIR_OK);
}

// y = y + x·y, again and again.
GraphPtr Chain(tir_context *context, int n) {
  uint32_t x, y;
  GraphPtr g = NewGraph(context, &x);
  y = x;
  for (int i = 0; i < n / 2; i++)
    y = Append(g.get(), TIR_OP_ADD, {y, Append(g.get(), TIR_OP_MUL, {x, y})});
  Finish(g.get(), y);
  return g;
}

// Operands anywhere before: values live long and in disorder.
GraphPtr Scattered(tir_context *context, int n) {
  TestRandom random(7);
  uint32_t x;
  GraphPtr g = NewGraph(context, &x);
  std::vector<uint32_t> values = {x};
  for (int i = 0; i < n; i++) {
    const auto pick = [&] { return values[random.Below(values.size())]; };
    const tir_op ops[] = {TIR_OP_ADD, TIR_OP_SUB, TIR_OP_MUL};
    values.push_back(Append(g.get(), ops[random.Below(3)], {pick(), pick()}));
  }
  uint32_t y = values.back();
  for (size_t i = values.size() - 1; i > values.size() / 2; i--)
    if (i % 16 == 0) y = Append(g.get(), TIR_OP_ADD, {y, values[i]});
  Finish(g.get(), y);
  return g;
}

// One value read by all, all joined in one sum.
GraphPtr Fan(tir_context *context, int n) {
  uint32_t x;
  GraphPtr g = NewGraph(context, &x);
  std::vector<uint32_t> terms;
  uint32_t last = x;
  for (int i = 0; i < n; i++) {
    const tir_op ops[] = {TIR_OP_EXP, TIR_OP_TANH, TIR_OP_NEG};
    last = Append(g.get(), ops[i % 3], {i % 4 ? x : last});
    terms.push_back(last);
  }
  Finish(g.get(), Append(g.get(), TIR_OP_ADD_N, terms));
  return g;
}

// Identities, equal nodes and constants to fold, all the way.
GraphPtr Redundant(tir_context *context, int n) {
  uint32_t x;
  GraphPtr g = NewGraph(context, &x);
  float one = 1;
  tir_attrs_constant attrs = {};
  memcpy(&attrs.bits, &one, sizeof one);
  uint32_t k = Append(g.get(), TIR_OP_CONSTANT, {}, &attrs), y = x;
  for (int i = 0; i < n / 4; i++) {
    y = Append(g.get(), TIR_OP_MUL, {y, k});
    const uint32_t a = Append(g.get(), TIR_OP_NEG, {y});
    const uint32_t b = Append(g.get(), TIR_OP_NEG, {y});
    y = i % 8 ? a : Append(g.get(), TIR_OP_ADD, {a, b});
    if (i % 4 == 0) Append(g.get(), TIR_OP_SQRT, {k});
  }
  Finish(g.get(), y);
  return g;
}

// Runs `work` on a thread with a stack of 256 KiB.
void RunOnSmallStack(const std::function<void()> &work) {
  pthread_attr_t attr;
  pthread_attr_init(&attr);
  ASSERT_EQ(pthread_attr_setstacksize(&attr, 256 << 10), 0);
  pthread_t thread;
  const auto run = [](void *arg) -> void * {
    (*static_cast<const std::function<void()> *>(arg))();
    return nullptr;
  };
  ASSERT_EQ(pthread_create(&thread, &attr, run,
                           const_cast<std::function<void()> *>(&work)),
            0);
  pthread_join(thread, nullptr);
  pthread_attr_destroy(&attr);
}

// Seconds for passes, schedule and plan, checked. On a stack of 256 KiB.
double Process(tir_context *context, tir_ir_graph *g) {
  double seconds = 0;
  tir_error error = {};
  const auto work = [&] {
    const auto start = Clock::now();
    tir_pass_ctx ctx = {};
    ctx.context = context;
    ctx.error = &error;
    ctx.for_execution = true;
    const char *const passes[] = {"simplify-algebra", "fold-constants",
                                  "eliminate-common", "eliminate-dead"};
    for (const char *name : passes)
      ASSERT_EQ(tir_pass_find(name, strlen(name))->run(&ctx, g), TIR_OK)
          << error.message;
    tir_plan plan;
    tir_plan_init(&plan, context);
    ASSERT_EQ(tir_pass_schedule(g, &plan, &error), TIR_OK) << error.message;
    ASSERT_EQ(tir_pass_plan_memory(g, nullptr, &plan, &error), TIR_OK)
        << error.message;
    seconds = Since(start);
    EXPECT_EQ(tir_pass_check_plan(g, &plan, &error), TIR_OK) << error.message;
    EXPECT_LE(plan.arena_bytes, 2 * plan.lower_bound_bytes);
    tir_plan_free(&plan);
  };
  RunOnSmallStack(work);
  return seconds;
}

class Scale : public testing::TestWithParam<
                  std::pair<const char *, GraphPtr (*)(tir_context *, int)>> {};

TEST_P(Scale, NearLinear) {
  const Owned<tir_context> context = MakeContext();
  const auto make = GetParam().second;
  const GraphPtr small = make(context.get(), 100000);
  const double before = Process(context.get(), small.get());
  const GraphPtr large = make(context.get(), 1000000);
  const double after = Process(context.get(), large.get());
  RecordProperty("small_ms", static_cast<int>(before * 1e3));
  RecordProperty("large_ms", static_cast<int>(after * 1e3));
  EXPECT_LE(after, 40 * before + 0.5);
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, Scale,
    testing::Values(std::make_pair("Chain", &Chain),
                    std::make_pair("Scattered", &Scattered),
                    std::make_pair("Fan", &Fan),
                    std::make_pair("Redundant", &Redundant)),
    [](const auto &shape) { return std::string(shape.param.first); });

// Seconds to end a capture with so many backwards, each through ten nodes of
// its own.
double EndCapture(tir_context *context, int n_calls) {
  const Owned<tir_module> module = MakeModule(context);
  tir_tape *t = nullptr;
  EXPECT_EQ(tir_tape_create(context, nullptr, &t, nullptr), TIR_OK);
  tir_capture_begin(t, module.get(), "g");
  const tir_value w = tir_input(t, "w", TIR_DTYPE_F32, nullptr, 0);
  tir_attach_grad(t, w, TIR_GRAD_ADD);
  for (int i = 0; i < n_calls; i++) {
    tir_scope_begin(t);
    tir_record_begin(t, true);
    tir_value y = w;
    for (int k = 0; k < 10; k++) y = tir_tanh(t, y);
    tir_mode_end(t);
    tir_backward(t, y);
    tir_scope_end(t);
  }
  tir_output(t, "gradient", tir_grad_of(t, w));
  tir_error error = {};
  const auto start = Clock::now();
  EXPECT_EQ(tir_capture_end(t, nullptr, &error), TIR_OK) << error.message;
  const double seconds = Since(start);
  tir_tape_destroy(t);
  return seconds;
}

// No call looks at what the others went through.
TEST(ScaleOfCalls, BackwardsInOneGraphAreLinear) {
  const Owned<tir_context> context = MakeContext();
  const double before = EndCapture(context.get(), 1000);
  const double after = EndCapture(context.get(), 8000);
  EXPECT_LE(after, 24 * before + 0.5);
}

}  // namespace
