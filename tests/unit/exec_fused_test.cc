// Fused steps give the bits of their nodes run one by one, for every kind of
// operand and result, any cut into tiles and any number of threads.
// Labels: threads
#include "tests/support/graph_runs.h"
#include "tests/support/text_graph.h"

extern "C" {
#include "exec/kernels/fused_program.h"
}

namespace {

std::string Text(int64_t n) { return std::to_string(n); }

Owned<tir_graph> Parse(tir_context *context, const std::string &text) {
  tir_error error = {};
  tir_graph *graph = nullptr;
  EXPECT_EQ(tir_ir_graph_publish(ParseGraph(context, text).release(), nullptr,
                                 &graph, &error),
            TIR_OK)
      << error.message;
  return Owned<tir_graph>(graph);
}

Owned<tir_program> CompileAs(tir_context *context, const tir_graph *graph,
                             const char *pipeline) {
  tir_compile_options options = {};
  options.pipeline = pipeline;
  return Compile(context, graph, &options);
}

const int kAnyNumber = -1;

// `n_steps` is that of the fused program.
void CheckSame(const std::string &text, int n_steps) {
  for (int n_threads : {1, 2, 3, 8}) {
    const auto context = MakeContext(n_threads);
    const auto graph = Parse(context.get(), text);
    const auto program = CompileAs(context.get(), graph.get(), "basic");
    if (n_steps != kAnyNumber) {
      EXPECT_EQ(program->n_steps, static_cast<uint32_t>(n_steps)) << text;
    }
    const GraphRuns runs(context.get(), graph.get(), 7);
    const RunResult plain = runs.Compiled("none", true, 0x00);
    for (double grain : {0.0, 1e-6, 64.0})
      for (bool no_reuse : {false, true})
        EXPECT_EQ(
            DifferentBits(plain, runs.Compiled("basic", no_reuse, 0xff, grain)),
            "")
            << n_threads << " threads, grain " << grain << text;
    if (testing::Test::HasFailure()) return;
  }
}

// --- sizes -------------------------------------------------------------------

TEST(Fused, SizesAroundTiles) {
  for (int64_t n : {1, 2, 7, 15, 16, 17, 511, 512, 513, 1023, 1024, 1025, 4095,
                    4096, 4097, 8191, 20011}) {
    const std::string type = "f32[" + Text(n) + "]";
    CheckSame("graph @main(%x: " + type + ", %y: " + type + R"() {
  %a = exp %x : )" +
                  type + R"(
  %b = mul %a, %y : )" +
                  type + R"(
  %c = log1p %b : )" +
                  type + R"(
  %d = add %c, %a : )" +
                  type + R"(
  return %d, %b
})",
              1);
  }
}

TEST(Fused, BroadcastOverEveryAxis) {
  const int64_t dims[] = {5, 3, 4, 17};
  for (unsigned mask = 0; mask < 16; mask++) {
    std::string small = "f64[";
    for (unsigned i = 0; i < 4; i++)
      small += (i ? ", " : "") + Text(mask >> i & 1 ? dims[i] : 1);
    small += "]";
    CheckSame("graph @main(%x: f64[5, 3, 4, 17], %y: " + small + R"() {
  %a = tanh %x : f64[5, 3, 4, 17]
  %b = sub %y, %a : f64[5, 3, 4, 17]
  %c = broadcast_like %y, %b : f64[5, 3, 4, 17]
  %d = maximum %b, %c : f64[5, 3, 4, 17]
  return %d, %c
})",
              kAnyNumber);  // %d may be computed from %y itself
  }
  CheckSame(R"(
graph @main(%x: f32[3, 700], %y: f32[700], %z: f32[]) {
  %a = add %x, %y : f32[3, 700]
  %b = mul %a, %z : f32[3, 700]
  %c = div %z, %b : f32[3, 700]
  return %c
})",
            1);
}

int CountOps(const std::string &text, tir_exec_fused_kind kind) {
  const auto context = MakeContext(1);
  const auto graph = Parse(context.get(), text);
  const auto program = CompileAs(context.get(), graph.get(), "basic");
  EXPECT_EQ(program->n_steps, 1u);
  const auto *fused =
      static_cast<const tir_exec_fused *>(program->steps[0].params);
  int n = 0;
  for (uint32_t i = 0; i < fused->n_ops; i++) n += fused->ops[i].kind == kind;
  return n;
}

// Once a tile, however many nodes read it.
TEST(Fused, BroadcastOperandsAreExpandedOnce) {
  const std::string text = R"(
graph @main(%x: f32[300, 32], %b: f32[32], %c: f32[300, 1]) {
  %p = add %x, %b : f32[300, 32]
  %q = mul %p, %c : f32[300, 32]
  %r = add_n %q, %x, %q : f32[300, 32]
  %s = sub %r, %b : f32[300, 32]
  %t = broadcast_like %b, %s : f32[300, 32]
  %u = div %s, %c : f32[300, 32]
  %v = maximum %t, %u : f32[300, 32]
  %w = add %v, %b : f32[300, 32]
  return %w
})";
  EXPECT_EQ(CountOps(text, TIR_FUSED_EXPAND), 2);
  CheckSame(text, 1);
}

TEST(Fused, ValuesOfRowsAreRepeatedOnce) {
  const std::string text = R"(
graph @main(%x: f32[300, 32]) {
  %e = exp %x : f32[300, 32]
  %s = reduce_sum %e {axes = [1], keep_dims = true} : f32[300, 1]
  %p = div %e, %s : f32[300, 32]
  %q = sub %p, %s : f32[300, 32]
  %r = mul %q, %s : f32[300, 32]
  return %r
})";
  EXPECT_EQ(CountOps(text, TIR_FUSED_REPEAT), 1);
  CheckSame(text, 1);
}

// Terms of a sum may be one operand, and be wanted later.
TEST(Fused, ExpandedOperandsOfSums) {
  CheckSame(R"(
graph @main(%x: f64[70, 9], %b: f64[9]) {
  %p = neg %x : f64[70, 9]
  %c = broadcast_like %b, %p : f64[70, 9]
  %q = add_n %c, %c, %p, %c : f64[70, 9]
  %r = mul %q, %b : f64[70, 9]
  %d = broadcast_like %b, %r : f64[70, 9]
  %s = add_n %d, %r, %d : f64[70, 9]
  %t = sub %s, %p : f64[70, 9]
  return %t, %c
})",
            kAnyNumber);
}

TEST(Fused, EmptyValues) {
  CheckSame(R"(
graph @main(%x: f32[0, 4], %y: f32[4]) {
  %a = exp %x : f32[0, 4]
  %b = add %a, %y : f32[0, 4]
  %s = reduce_sum %b {axes = [0]} : f32[4]
  %t = neg %s : f32[4]
  return %t
})",
            kAnyNumber);
}

// --- reductions --------------------------------------------------------------

TEST(Fused, EveryReductionAtTheEnd) {
  for (const char *op :
       {"reduce_sum", "reduce_mean", "reduce_prod", "reduce_max", "reduce_min"})
    for (const char *shape : {"1, 10", "33, 10", "5, 1024", "3, 2500",
                              "2, 4097", "1, 30000", "7, 9000"})
      for (const char *dtype : {"f32", "f64"}) {
        const std::string type = dtype + ("[" + std::string(shape) + "]");
        const std::string rows = shape;
        const std::string result =
            dtype + ("[" + rows.substr(0, rows.find(','))) + "]";
        CheckSame("graph @main(%x: " + type + R"() {
  %a = sigmoid %x : )" +
                      type + R"(
  %b = add %a, %x : )" +
                      type + R"(
  %s = )" + op +
                      " %b {axes = [1]} : " + result + R"(
  return %s, %a
})",
                  1);
      }
}

TEST(Fused, IntegersReducedAtTheEnd) {
  for (const char *dtype : {"i8", "u8", "i16", "i32", "i64"}) {
    const std::string type = dtype + std::string("[9, 77]");
    CheckSame("graph @main(%x: " + type + R"() {
  %a = square %x : )" +
                  type + R"(
  %b = sub %a, %x : )" +
                  type + R"(
  %s = reduce_sum %b {axes = [1]} : )" +
                  dtype + R"([9]
  %m = reduce_min %b {axes = [1], keep_dims = true} : )" +
                  dtype + R"([9, 1]
  return %s, %m
})",
              1);
  }
}

TEST(Fused, AllElements) {
  for (int64_t n : {1, 5, 1000, 4096, 4097, 100000}) {
    const std::string type = "f32[" + Text(n) + ", 3]";
    CheckSame("graph @main(%x: " + type + R"() {
  %a = tanh %x : )" +
                  type + R"(
  %s = reduce_sum %a : f32[]
  %m = reduce_mean %a : f32[]
  %t = reduce_max %a {keep_dims = true} : f32[1, 1]
  return %s, %m, %t
})",
              1);
  }
}

TEST(Fused, SoftmaxWrittenOut) {
  for (const char *dims :
       {"1, 2", "64, 10", "3, 4096", "700, 33", "2, 3, 50"}) {
    const std::string all = dims;
    const std::string some = all.substr(0, all.rfind(','));
    const std::string type = "f32[" + all + "]";
    const std::string rows = "f32[" + some + ", 1]";
    CheckSame("graph @main(%x: " + type + R"() {
  %m = reduce_max %x {axes = [-1], keep_dims = true} : )" +
                  rows + R"(
  %d = sub %x, %m : )" +
                  type + R"(
  %e = exp %d : )" +
                  type + R"(
  %s = reduce_sum %e {axes = [-1]} : f32[)" +
                  some + R"(]
  %r = expand_dims %s {axes = [-1]} : )" +
                  rows + R"(
  %y = div %e, %r : )" +
                  type + R"(
  return %y, %m
})",
              1);
  }
}

TEST(Fused, LayerNormWrittenOut) {
  CheckSame(R"(
graph @main(%x: f32[130, 64], %eps: f32[], %g: f32[64], %b: f32[64]) {
  %m = reduce_mean %x {axes = [1], keep_dims = true} : f32[130, 1]
  %d = sub %x, %m : f32[130, 64]
  %q = square %d : f32[130, 64]
  %v = reduce_mean %q {axes = [-1], keep_dims = true} : f32[130, 1]
  %e = add %v, %eps : f32[130, 1]
  %r = rsqrt %e : f32[130, 1]
  %n = mul %d, %r : f32[130, 64]
  %s = mul %n, %g : f32[130, 64]
  %y = add %s, %b : f32[130, 64]
  return %y, %r
})",
            1);
}

TEST(Fused, RowsAndColumnsOfASquare) {
  CheckSame(R"(
graph @main(%x: f32[40, 40], %b: f32[40]) {
  %a = add %x, %b : f32[40, 40]
  %m = reduce_sum %a {axes = [1]} : f32[40]
  %n = neg %m : f32[40]
  %d = sub %a, %n : f32[40, 40]
  %e = tanh %d : f32[40, 40]
  return %e
})",
            2);
}

// --- types -------------------------------------------------------------------

TEST(Fused, CastsBetweenAllTypes) {
  const char *const dtypes[] = {"f32", "f64", "f16", "bf16", "i8",
                                "u8",  "i16", "i32", "i64",  "bool"};
  for (const char *from : dtypes)
    for (const char *to : dtypes) {
      if (strcmp(from, to) == 0) continue;
      const std::string f = from, t = to;
      CheckSame("graph @main(%x: " + f + "[600]) {\n  %a = cast %x {dtype = " +
                    t + "} : " + t + "[600]\n  %b = cast %a {dtype = f64} : " +
                    "f64[600]\n  %c = cast %b {dtype = " + f + "} : " + f +
                    "[600]\n  return %c, %a\n}",
                1);
    }
}

TEST(Fused, ChoicesAndComparisons) {
  CheckSame(R"(
graph @main(%x: f32[50, 30], %y: f32[30], %i: i16[50, 1]) {
  %a = less %x, %y : bool[50, 30]
  %b = where %a, %x, %y : f32[50, 30]
  %c = cast %a {dtype = i16} : i16[50, 30]
  %d = maximum %c, %i : i16[50, 30]
  %e = cast %d {dtype = f32} : f32[50, 30]
  %f = clip %b, %e, %x : f32[50, 30]
  %g = greater_equal %f, %e : bool[50, 30]
  return %f, %g, %a
})",
            1);
}

TEST(Fused, SumsOfMany) {
  CheckSame(R"(
graph @main(%x: f32[2000], %y: f32[2000]) {
  %a = exp %x : f32[2000]
  %b = neg %a : f32[2000]
  %c = add_n %a, %b, %x, %y, %a : f32[2000]
  %d = add_n %c, %c : f32[2000]
  %e = add_n %d : f32[2000]
  %f = mul %e, %a : f32[2000]
  return %f
})",
            1);
}

// --- memory ------------------------------------------------------------------

// Between two products everything is one step, in the memory of the first.
TEST(Fused, InPlace) {
  const char *text = R"(
graph @main(%x: f32[64, 64], %b: f32[64]) {
  %m = matmul %x, %x : f32[64, 64]
  %a = add %m, %b : f32[64, 64]
  %c = tanh %a : f32[64, 64]
  %d = mul %c, %m : f32[64, 64]
  %e = matmul %d, %x : f32[64, 64]
  return %e
})";
  CheckSame(text, 3);
  const auto context = MakeContext(1);
  const auto graph = Parse(context.get(), text);
  tir_memory_report fused = {}, plain = {};
  tir_program_memory(CompileAs(context.get(), graph.get(), "basic").get(),
                     &fused);
  tir_program_memory(CompileAs(context.get(), graph.get(), "none").get(),
                     &plain);
  EXPECT_EQ(fused.arena_bytes, 64u * 64 * 4);
  EXPECT_EQ(fused.lower_bound_bytes, fused.arena_bytes);
  EXPECT_EQ(plain.arena_bytes, 2 * 64u * 64 * 4);
  EXPECT_LT(fused.block_bytes, plain.block_bytes + fused.scratch_bytes);
}

TEST(Fused, UpdatesOfParams) {
  CheckSame(R"(
graph @main(%g: f32[5000], %lr: f32[], %w: param f32[5000] "w",
            %v: param f32[5000] "v") {
  %a = mul %v, %lr : f32[5000]
  %v2 = add %a, %g : f32[5000]
  %0 = assign %v, %v2 : f32[5000]
  %s = mul %v2, %lr : f32[5000]
  %w2 = sub %w, %s : f32[5000]
  %1 = assign %w, %w2 : f32[5000]
  %n = neg %w : f32[5000]
  %l = reduce_sum %n : f32[]
  return %l
})",
            2);
}

TEST(Fused, SameMemoryForSeveralInputs) {
  const auto context = MakeContext(1);
  const auto graph = Parse(context.get(), R"(
graph @main(%x: f32[1000], %y: f32[1000]) {
  %a = exp %x : f32[1000]
  %b = sub %a, %y : f32[1000]
  return %b, %a
})");
  const auto program = CompileAs(context.get(), graph.get(), "full");
  const auto instance = Instantiate(program);
  const std::vector<float> x(1000, 0.5f);
  Bind(instance, 0, x);
  Bind(instance, 1, x);
  RunOk(instance);
  const auto b = Output<float>(instance, 0, 1000);
  const auto a = Output<float>(instance, 1, 1000);
  for (size_t i = 0; i < b.size(); i++) ASSERT_EQ(b[i], a[i] - 0.5f) << i;
}

// --- where fusing stops ------------------------------------------------------

TEST(Fused, ChecksForNaNSeeEveryNode) {
  const auto context = MakeContext(1);
  const auto graph = Parse(context.get(), R"(
graph @main(%x: f32[4]) {
  %a = neg %x : f32[4]
  %b = log %a : f32[4]
  %c = exp %b : f32[4]
  return %c
})");
  tir_compile_options options = {};
  options.check_nan = true;
  const auto program = Compile(context.get(), graph.get(), &options);
  EXPECT_EQ(program->n_steps, 3u);
  const auto instance = Instantiate(program);
  const std::vector<float> x = {-1, -1, 1, -1};
  Bind(instance, 0, x);
  tir_error error = {};
  EXPECT_EQ(tir_run(instance.get(), nullptr, &error), TIR_ERR_VALUE);
  EXPECT_STREQ(error.message,
               "log: NaN at position 2 of its result in the forward "
               "direction: node %3 \"b\"");
}

TEST(Fused, FailuresNameTheirNode) {
  const auto context = MakeContext(1);
  const auto graph = Parse(context.get(), R"(
graph @main(%x: i32[4], %y: i32[4]) {
  %a = neg %x : i32[4]
  %q = div %a, %y : i32[4]
  %b = abs %q : i32[4]
  return %b
})");
  const auto program = CompileAs(context.get(), graph.get(), "full");
  const auto instance = Instantiate(program);
  const std::vector<int32_t> x = {1, 2, 3, 4}, y = {1, 1, 0, 1};
  Bind(instance, 0, x);
  Bind(instance, 1, y);
  tir_error error = {};
  EXPECT_EQ(tir_run(instance.get(), nullptr, &error), TIR_ERR_VALUE);
  EXPECT_STREQ(error.message,
               "div: integer division by zero at position 2: node %4 \"q\"");
}

TEST(Fused, CanBeTurnedOff) {
  const auto context = MakeContext(1);
  const auto graph = Parse(context.get(), R"(
graph @main(%x: f32[4]) {
  %a = neg %x : f32[4]
  %b = exp %a : f32[4]
  return %b
})");
  for (bool no_fuse : {false, true}) {
    tir_ir_graph *copy = nullptr;
    ASSERT_EQ(tir_ir_graph_copy(graph->ir, &copy, nullptr), TIR_OK);
    tir_exec_compile_options options = {};
    options.no_fuse = no_fuse;
    tir_program *program = nullptr;
    ASSERT_EQ(
        tir_exec_compile(context.get(), copy, &options, &program, nullptr),
        TIR_OK);
    EXPECT_EQ(program->n_steps, no_fuse ? 2u : 1u);
    tir_program_destroy(program);
  }
}

// What the pass takes for a part of a region has a loop to run there.
TEST(Fused, ElementwiseOpsHaveLoops) {
  const auto context = MakeContext(1);
  const uint32_t outside = TIR_TRAIT_WHOLE | TIR_TRAIT_EFFECT |
                           TIR_TRAIT_RANDOM | TIR_TRAIT_MOVEMENT;
  int n_loops = 0;
  for (int op = 1; op < TIR_N_OPS; op++) {
    const tir_op_desc *desc = tir_ir_op_desc(static_cast<tir_op>(op));
    if (!(desc->traits & TIR_TRAIT_ELEMENTWISE) || desc->n_outputs != 1 ||
        (desc->traits & outside))
      continue;
    tir_base_arena arena;
    tir_base_arena_init(&arena, context.get());
    tir_ir_type types[4] = {};
    for (tir_ir_type &type : types) type.dtype = TIR_DTYPE_F32;
    std::vector<uint64_t> attrs(desc->attrs_size / 8 + 1);
    tir_error error = {};
    tir_exec_prepare query = {};
    query.desc = desc;
    query.attrs = attrs.data();
    query.in = types;
    query.n_in = desc->min_inputs;
    query.out = types + 3;
    query.n_out = 1;
    query.arena = &arena;
    query.error = &error;
    query.is_part = true;
    EXPECT_EQ(tir_exec_kernel(static_cast<tir_op>(op))->prepare(&query), TIR_OK)
        << desc->name << error.message;
    EXPECT_NE(query.loop, nullptr) << desc->name;
    EXPECT_GT(query.cost, 0) << desc->name;
    n_loops++;
    tir_base_arena_free(&arena);
  }
  EXPECT_GT(n_loops, 30);
}

// --- live tape ---------------------------------------------------------------

// Whether a value in the middle is read, and so kept, changes no bit.
TEST(Fused, ReadingInBetweenChangesNoBit) {
  const auto context = MakeContext(2);
  std::vector<float> data(30000);
  TestRandom random(5);
  for (float &v : data) v = static_cast<float>(random.Between(-3, 3));
  std::vector<float> results[2];
  for (int read : {0, 1}) {
    tir_tape *t = nullptr;
    ASSERT_EQ(tir_tape_create(context.get(), nullptr, &t, nullptr), TIR_OK);
    const int64_t dims[] = {300, 100};
    const tir_value x =
        tir_value_from_data(t, TIR_DTYPE_F32, dims, 2, data.data());
    tir_attach_grad(t, x, TIR_GRAD_WRITE);
    tir_record_begin(t, true);
    const int axes[] = {1};
    const tir_value h = tir_tanh(t, tir_mul_scalar(t, x, 1.3));
    if (read) tir_read_scalar(t, tir_sum(t, h, nullptr, 0, false));
    const tir_value m = tir_sum(t, tir_exp(t, h), axes, 1, true);
    if (read) tir_read_scalar(t, tir_sum(t, m, nullptr, 0, false));
    const tir_value y = tir_sum(t, tir_div(t, h, m), nullptr, 0, false);
    tir_mode_end(t);
    tir_backward(t, y);
    results[read].resize(data.size() + 1);
    EXPECT_EQ(tir_read_into(t, tir_grad_of(t, x), results[read].data(),
                            data.size() * sizeof(float), nullptr),
              TIR_OK);
    results[read].back() = static_cast<float>(tir_read_scalar(t, y));
    tir_tape_destroy(t);
  }
  EXPECT_EQ(memcmp(results[0].data(), results[1].data(),
                   results[0].size() * sizeof(float)),
            0);
}

}  // namespace
