// Large texts: time grows with the size, memory too, nothing recurses.
#include <pthread.h>
#include <time.h>

#include <functional>
#include <string>

#include "tests/support/context_fixture.h"
#include "tests/support/random.h"
#include "tests/support/text_graph.h"

namespace {

// CPU time: other work on the machine does not count.
double Seconds(const std::function<void()> &work) {
  timespec begin, end;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begin);
  work();
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
  return static_cast<double>(end.tv_sec - begin.tv_sec) +
         1e-9 * static_cast<double>(end.tv_nsec - begin.tv_nsec);
}

tir_ir_graph *Chain(tir_context *context, uint32_t n) {
  tir_ir_graph *g = nullptr;
  tir_error error = {};
  EXPECT_EQ(tir_ir_graph_create(context, "chain", &g, &error), TIR_OK);
  const tir_ir_type type = MakeType(TIR_DTYPE_F32, {4, 3});
  tir_ir_node node;
  EXPECT_EQ(tir_ir_append_checked(g, TIR_OP_INPUT, nullptr, 0, nullptr, &type,
                                  1, &node, &error),
            TIR_OK);
  uint32_t last = 1;
  for (uint32_t i = 1; i < n; i++) {
    const uint32_t in[2] = {last, 1};
    EXPECT_EQ(tir_ir_append_checked(g, TIR_OP_ADD, in, 2, nullptr, nullptr, 1,
                                    &node, &error),
              TIR_OK);
    last = tir_ir_out(g, node, 0).id;
  }
  EXPECT_EQ(tir_ir_add_output(g, {last}, "out", &error), TIR_OK);
  return g;
}

struct Job {
  uint32_t n;
  bool equal;
  double seconds;
};

// Build, verify, print, parse, print, copy, compact, free.
void *Everything(void *argument) {
  Job *job = static_cast<Job *>(argument);
  tir_context *context = nullptr;
  tir_error error = {};
  if (tir_context_create(nullptr, &context, &error) != TIR_OK) return nullptr;
  job->seconds = Seconds([&] {
    tir_ir_graph *g = Chain(context, job->n);
    tir_ir_graph *back = nullptr, *copy = nullptr;
    const std::string text = PrintGraph(g);
    job->equal = tir_ir_verify(g, &error) == TIR_OK &&
                 tir_ir_parse_graph(context, text.data(), text.size(), &back,
                                    &error) == TIR_OK &&
                 tir_ir_graph_copy(back, &copy, &error) == TIR_OK &&
                 tir_ir_compact(copy, nullptr, &error) == TIR_OK &&
                 tir_ir_infer_graph(copy, &error) == TIR_OK &&
                 PrintGraph(copy) == text;
    tir_ir_graph_destroy(copy);
    tir_ir_graph_destroy(back);
    tir_ir_graph_destroy(g);
  });
  tir_context_destroy(context);
  return nullptr;
}

Job RunOnSmallStack(uint32_t n) {
  Job job = {n, false, 0};
  pthread_attr_t attr;
  pthread_attr_init(&attr);
  // The smallest the sanitizers leave room for.
  pthread_attr_setstacksize(&attr, 256 * 1024);
  pthread_t thread;
  EXPECT_EQ(pthread_create(&thread, &attr, Everything, &job), 0);
  pthread_join(thread, nullptr);
  pthread_attr_destroy(&attr);
  return job;
}

TEST(ParseGate, AMillionNodesInLinearTime) {
  RunOnSmallStack(10000);  // warm up
  const Job small = RunOnSmallStack(100000);
  const Job large = RunOnSmallStack(1000000);
  EXPECT_TRUE(small.equal);
  EXPECT_TRUE(large.equal);
  EXPECT_LE(large.seconds, 20 * small.seconds + 0.5);
}

TEST(ParseGate, CompactSortsALongChainWithoutRecursion) {
  FailingAllocator allocator;
  TestContext context(&allocator);
  const GraphPtr g(Chain(context, 200000));
  tir_error error = {};
  // A second chain behind it replaces an early value: the whole of it moves.
  uint32_t last = 1;
  for (int i = 0; i < 200000; i++) {
    tir_ir_node node;
    ASSERT_EQ(tir_ir_append_checked(g.get(), TIR_OP_TANH, &last, 1, nullptr,
                                    nullptr, 1, &node, &error),
              TIR_OK);
    last = tir_ir_out(g.get(), node, 0).id;
  }
  ASSERT_EQ(tir_ir_replace_uses(g.get(), {2}, {last}, &error), TIR_OK);
  tir_ir_remove(g.get(), {2});
  ASSERT_EQ(tir_ir_compact(g.get(), nullptr, &error), TIR_OK);
  EXPECT_EQ(tir_ir_verify(g.get(), &error), TIR_OK) << error.message;
}

TEST(ParseGate, LongChainsOfReplacements) {
  FailingAllocator allocator;
  TestContext context(&allocator);
  for (bool backwards : {false, true}) {
    const uint32_t n = 300000;
    const GraphPtr g(Chain(context, n));
    tir_error error = {};
    for (uint32_t i = 2; i <= n; i++) {
      const uint32_t v = backwards ? n + 2 - i : i;
      ASSERT_EQ(tir_ir_replace_uses(g.get(), {v}, {v - 1}, &error), TIR_OK);
    }
    ASSERT_EQ(tir_ir_compact(g.get(), nullptr, &error), TIR_OK);
    EXPECT_EQ(g->outputs.data[0].value.id, 1u);
  }
}

// Bytes changed, cut, repeated: refused or read, never worse; and what was
// read prints, reads and prints alike.
TEST(ParseGate, Mutations) {
  const std::string seed =
      "metadata \"k\" \"v\\n\"\n"
      "param \"w\" f32[3] {kind = trainable} [1, -0.0, 0x7fc00001]\n"
      "graph @g(%x: f32[batch=4, 3], %w: param f32[3] \"w\", %t: i64[4]) {\n"
      "  %0 = constant {data = [1, 2, 3]} : f32[3]\n"
      "  %y = add %x, %0 : f32[4, 3] \"a b\"\n"
      "  %2 = reduce_sum %y {axes = [0], keep_dims = true} : f32[1, 3]\n"
      "  %l, %g = cross_entropy %y, %t : f32[4], f32[4, 3]\n"
      "  %3 = constant {data = \"d\"} : u8[4]\n"
      "  return %l \"loss\", %2\n"
      "}\n"
      "data \"d\" u8[4] hex 0011 2233\n";
  const char alphabet[] = "\0\n\"\\%@#{}[]()=,:.-+0123456789eabxfinw _\x80\xff";
  TestRandom random(11);
  FailingAllocator allocator;
  TestContext context(&allocator);
  int n_read = 0;
  for (int i = 0; i < 20000; i++) {
    std::string text = seed;
    for (uint64_t k = 1 + random.Below(4); k > 0; k--) {
      const size_t at = random.Below(text.size());
      const size_t n = 1 + random.Below(12);
      switch (random.Below(4)) {
        case 0:
          text[at] = alphabet[random.Below(sizeof alphabet - 1)];
          break;
        case 1:
          text.erase(at, n);
          break;
        case 2:
          text.insert(at, text.substr(random.Below(text.size()), n));
          break;
        default:
          text.insert(at, 1, alphabet[random.Below(sizeof alphabet - 1)]);
      }
      if (text.empty()) text = " ";
    }
    tir_module *module = nullptr;
    tir_error error = {};
    const std::vector<char> exact(text.begin(), text.end());
    if (tir_module_from_text(context, exact.data(), exact.size(), &module,
                             &error) != TIR_OK) {
      ASSERT_NE(error.message[0], '\0') << text;
      ASSERT_EQ(module, nullptr);
      continue;
    }
    n_read++;
    const std::string printed = PrintModule(context, module);
    tir_module_destroy(module);
    const ModulePtr again = ParseModule(context, printed);
    ASSERT_NE(again, nullptr) << printed;
    ASSERT_EQ(PrintModule(context, again.get()), printed);
  }
  EXPECT_GT(n_read, 100);
}

}  // namespace
