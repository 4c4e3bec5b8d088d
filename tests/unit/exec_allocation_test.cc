// A run allocates nothing: neither through the context's allocator nor
// through malloc, which this program replaces by a counting one.
#include "tests/support/compiled.h"
#include "tests/support/context_fixture.h"
#include "tests/support/graph_builder.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define TAPEIR_TEST_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define TAPEIR_TEST_SANITIZED 1
#endif
#endif

namespace {
std::atomic<uint64_t> n_mallocs{0};
}

#ifndef TAPEIR_TEST_SANITIZED
// Sanitizers bring a malloc of their own; there only the hook counts.
extern "C" {
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *ptr, size_t size);
void *__libc_memalign(size_t align, size_t size);

void *malloc(size_t size) {
  n_mallocs++;
  return __libc_malloc(size);
}
void *calloc(size_t n, size_t size) {
  n_mallocs++;
  return __libc_calloc(n, size);
}
void *realloc(void *ptr, size_t size) {
  n_mallocs++;
  return __libc_realloc(ptr, size);
}
void *aligned_alloc(size_t align, size_t size) {
  n_mallocs++;
  return __libc_memalign(align, size);
}
int posix_memalign(void **out, size_t align, size_t size) {
  n_mallocs++;
  *out = __libc_memalign(align, size);
  return *out ? 0 : 12;
}
}
#endif

namespace {

// One training step of a small net: forward, gradient, update in place.
Owned<tir_graph> TrainStep(tir_context *context) {
  GraphBuilder b(context);
  tir_tape *t = b.tape();
  const tir_value x = b.Input("x", TIR_DTYPE_F32, {64, 48});
  const tir_value target = b.Input("target", TIR_DTYPE_F32, {64, 8});
  const tir_value w1 = b.Param("w1", TIR_DTYPE_F32, {48, 32});
  const tir_value w2 = b.Param("w2", TIR_DTYPE_F32, {32, 8});
  const tir_value h = tir_tanh(t, tir_matmul(t, x, w1));
  const tir_value off = tir_sub(t, tir_matmul(t, h, w2), target);
  const tir_value loss = tir_mean(t, tir_square(t, off), nullptr, 0, false);
  // By hand: the executor's tests need no tape.
  const tir_value g_y = tir_mul_scalar(t, off, 2.0 / (64 * 8));
  const tir_value g_w2 = tir_matmul_t(t, h, g_y, true, false);
  const tir_value g_h = tir_mul(t, tir_matmul_t(t, g_y, w2, false, true),
                                tir_rsub_scalar(t, tir_square(t, h), 1));
  const tir_value g_w1 = tir_matmul_t(t, x, g_h, true, false);
  tir_assign(t, w1, tir_sub(t, w1, tir_mul_scalar(t, g_w1, 0.1)));
  tir_assign(t, w2, tir_sub(t, w2, tir_mul_scalar(t, g_w2, 0.1)));
  b.Output("loss", loss);
  return Owned<tir_graph>(b.Publish());
}

TEST(RunAllocation, AThousandRunsAllocateNothing) {
  FailingAllocator allocator;
  TestContext context(&allocator);
  {
    const auto module = MakeModule(context);
    std::vector<float> w1(48 * 32), w2(32 * 8);
    for (size_t i = 0; i < w1.size(); i++) w1[i] = 0.01f * float(i % 13) - .06f;
    for (size_t i = 0; i < w2.size(); i++) w2[i] = 0.02f * float(i % 7) - .06f;
    AddParam(module.get(), context, "w1", {48, 32}, w1);
    AddParam(module.get(), context, "w2", {32, 8}, w2);
    const auto graph = TrainStep(context);
    const auto program = Compile(context, graph.get());
    const auto instance = Instantiate(program, module.get());
    std::vector<float> x(64 * 48), target(64 * 8);
    for (size_t i = 0; i < x.size(); i++) x[i] = 0.03f * float(i % 31) - .5f;
    for (size_t i = 0; i < target.size(); i++) target[i] = float(i % 3);
    Bind(instance, 0, x);
    Bind(instance, 1, target);
    // The first run may open BLAS's own buffers.
    RunOk(instance);
    const float first = Output<float>(instance, 0, 1)[0];

    tir_run_options options = {};
    options.cancel = [](void *) { return false; };
    options.deadline_ns = INT64_MAX;
    const uint64_t hooked = allocator.n_allocs();
    const uint64_t malloced = n_mallocs;
    tir_status status = TIR_OK;
    for (int i = 0; i < 1000 && status == TIR_OK; i++)
      status = tir_run(instance.get(), i % 2 ? &options : nullptr, nullptr);
    const uint64_t malloced_after = n_mallocs;
    EXPECT_EQ(status, TIR_OK);
    EXPECT_EQ(allocator.n_allocs(), hooked);
    EXPECT_EQ(malloced_after, malloced);
    EXPECT_LT(Output<float>(instance, 0, 1)[0], first);
  }
}

// Binding, failing and reporting a failure allocate nothing either.
TEST(RunAllocation, NorDoBindingAndFailing) {
  FailingAllocator allocator;
  TestContext context(&allocator);
  GraphBuilder b(context);
  const tir_value x = b.Input("x", TIR_DTYPE_F32, {4});
  const tir_value ids = b.Input("ids", TIR_DTYPE_I32, {2});
  b.Output("y", tir_gather(b.tape(), x, ids, 0));
  const Owned<tir_graph> graph(b.Publish());
  const auto program = Compile(context, graph.get());
  const auto instance = Instantiate(program);
  const std::vector<float> data(4, 1);
  const std::vector<int32_t> bad = {0, 4};
  tir_error error = {};
  const uint64_t hooked = allocator.n_allocs(), malloced = n_mallocs;
  tir_instance_bind_input(instance.get(), 0, data.data(), 16, &error);
  tir_instance_bind_input(instance.get(), 1, bad.data(), 8, &error);
  const tir_status status = tir_run(instance.get(), nullptr, &error);
  const uint64_t malloced_after = n_mallocs;
  EXPECT_EQ(status, TIR_ERR_VALUE);
  EXPECT_EQ(allocator.n_allocs(), hooked);
  EXPECT_EQ(malloced_after, malloced);
}

#ifndef TAPEIR_TEST_SANITIZED
TEST(RunAllocation, TheCounterCounts) {
  const uint64_t before = n_mallocs;
  void *volatile ptr = malloc(100);
  EXPECT_EQ(n_mallocs, before + 1);
  free(ptr);
}
#endif

}  // namespace
