// Random numbers drawn in bodies of captured graphs: the streams as documented,
// the reference, other sizes, any number of threads, text and files, and
// training that goes on after a load.
#include "loop_graph.h"

extern "C" {
#include "ir/reference/random.h"
}

namespace {

constexpr int64_t kSeed = 77;

// What the numbers of a draw of f32[4] are, by docs/numerics.md.
Floats Expected(uint64_t stream, uint32_t step) {
  uint32_t key[2], words[4];
  const uint32_t counter[4] = {0, 0, step, 0};
  tir_reference_random_key(kSeed, stream, key);
  tir_reference_philox(counter, key, words);
  Floats out;
  for (const uint32_t w : words)
    out.push_back(static_cast<float>(w >> 8) * 0x1p-24f);
  return out;
}

// The root of trip k of a node whose own stream is s.
uint64_t Root(uint64_t s, uint64_t k) {
  return s * 0xD1342543DE82EF95u + 0x94D049BB133111EBu +
         k * 0xBF58476D1CE4E5B9u;
}

tir_value Draw(tir_tape *t) {
  const int64_t four[] = {4};
  return tir_uniform(t, TIR_DTYPE_F32, four, 1, 0, 1);
}

class RandomGraph : public LoopGraph {
 protected:
  void SetUp() override { Begin(1); }

  void Begin(int threads) {
    BeginEmpty(threads, kSeed);
    AddWeights(module_);
  }

  // One step: h' = cell(drop(h)) over the rows, where the mean of a row is
  // positive; else noise is added. Then SGD on both weights.
  tir_value Step(tir_value x, const tir_value *w) {
    const tir_value zeros = ZeroState(x, w[0]);
    Cell cell = {w[0], w[1]};
    tir_value h, ys, last;
    tir_scan(t_, Body, &cell, &zeros, 1, &x, 1, 1, nullptr, &h, &ys);
    tir_while(
        t_, IsSmall,
        [](tir_tape *t, void *, const tir_value *carry, tir_value *out) {
          out[0] = tir_mul_scalar(t, tir_dropout(t, carry[0], 0.1), 1.7);
        },
        nullptr, &h, 1, 6, &last);
    return LossOf(last, ys);
  }

  static void Body(tir_tape *t, void *user, const tir_value *carry,
                   const tir_value *x, tir_value *out_carry, tir_value *out_y) {
    struct Inner {
      Cell *cell;
      tir_value x;
    } inner = {static_cast<Cell *>(user), x[0]};
    tir_cond(
        t, Above(t, tir_mean(t, x[0], nullptr, 0, false), 0.0),
        [](tir_tape *tape, void *u, const tir_value *h, tir_value *out) {
          const Inner *i = static_cast<Inner *>(u);
          out[0] = ::Step(tape, *i->cell, tir_dropout(tape, h[0], 0.5), i->x);
        },
        [](tir_tape *tape, void *, const tir_value *h, tir_value *out) {
          const tir_value noise =
              tir_normal(tape, TIR_DTYPE_F32, nullptr, 0, 0, 0.1);
          out[0] = tir_add(tape, tir_mul_scalar(tape, h[0], 0.5), noise);
        },
        &inner, carry, 1, out_carry, 1);
    out_y[0] = tir_square(t, tir_dropout(t, out_carry[0], 0.25));
  }

  void Train(const tir_value *w, tir_value loss) {
    tir_backward(t_, loss);
    tir_sgd(t_, w, 2, tir_scalar(t_, TIR_DTYPE_F32, 0.05), false);
  }

  tir_graph *CaptureStep(const char *name, int64_t time, int64_t batch,
                         bool train = true) {
    tir_capture_begin(t_, module_, name);
    const tir_value x = Rows(time, batch);
    const tir_value w[] = {tir_param(t_, module_, "w"),
                           tir_param(t_, module_, "u")};
    for (const tir_value v : w) tir_attach_grad(t_, v, TIR_GRAD_WRITE);
    tir_record_begin(t_, train);
    const tir_value loss = Step(x, w);
    tir_mode_end(t_);
    tir_output(t_, "loss", loss);
    Train(w, loss);
    return Finish();
  }

  // Losses of n steps, from where the module is.
  Floats Losses(const tir_graph *graph, tir_module *m, int n, int64_t time,
                int64_t batch, const char *pipeline = "basic") {
    const tir_dim_size sizes[] = {{"time", time}, {"batch", batch}};
    tir_compile_options options = {};
    options.pipeline = pipeline;
    options.dim_sizes = sizes;
    options.n_dim_sizes = 2;
    const Owned<tir_program> program = Compile(c_, graph, &options);
    if (!program) return {};
    const Owned<tir_instance> instance = Instantiate(program, m);
    const Floats x = Noise(static_cast<size_t>(time * batch * kIn), 9);
    Bind(instance, 0, x);
    Floats out;
    for (int i = 0; i < n; i++) {
      RunOk(instance);
      out.push_back(Output<float>(instance, 0, 1).at(0));
    }
    return out;
  }

  // All outputs of a graph without inputs; the state goes one step on.
  std::vector<Floats> Run(const tir_graph *graph, tir_module *m,
                          const char *pipeline) {
    tir_compile_options options = {};
    options.pipeline = pipeline;
    const Owned<tir_program> program = Compile(c_, graph, &options);
    const Owned<tir_instance> instance = Instantiate(program, m);
    RunOk(instance);
    std::vector<Floats> out;
    for (size_t i = 0; i < tir_graph_n_outputs(graph); i++) {
      tir_port port;
      EXPECT_EQ(tir_program_output(program.get(), i, &port), TIR_OK);
      size_t n = 1;
      for (int a = 0; a < port.rank; a++)
        n *= static_cast<size_t>(port.dims[a]);
      out.push_back(Output<float>(instance, i, n));
    }
    return out;
  }

  // A draw; a scan of a draw, an inner scan of two and a draw; a while.
  tir_graph *CaptureDraws() {
    tir_capture_begin(t_, module_, "draws");
    tir_scan_options options = {};
    options.length = 3;
    tir_value ys[3], last;
    tir_output(t_, "first", Draw(t_));
    const tir_value zero = tir_scalar(t_, TIR_DTYPE_F32, 0);
    tir_scan(
        t_,
        [](tir_tape *t, void *, const tir_value *carry, const tir_value *,
           tir_value *next, tir_value *y) {
          tir_scan_options two = {};
          two.length = 2;
          next[0] = carry[0];
          y[0] = Draw(t);
          tir_value same;
          tir_scan(
              t,
              [](tir_tape *in, void *, const tir_value *h, const tir_value *,
                 tir_value *h1, tir_value *y1) {
                h1[0] = h[0];
                y1[0] = Draw(in);
              },
              nullptr, carry, 1, nullptr, 0, 1, &two, &same, &y[1]);
          y[2] = Draw(t);
        },
        nullptr, &zero, 1, nullptr, 0, 3, &options, &last, ys);
    for (const tir_value y : ys) tir_output(t_, nullptr, y);
    // Both stop by themselves: the condition draws as well.
    const int64_t four[] = {4};
    const tir_value none = tir_zeros(t_, TIR_DTYPE_F32, four, 1);
    tir_while(
        t_,
        [](tir_tape *t, void *, const tir_value *) {
          return Above(t, tir_max(t, Draw(t), nullptr, 0, false), -1);
        },
        [](tir_tape *t, void *, const tir_value *, tir_value *out) {
          out[0] = Draw(t);
        },
        nullptr, &none, 1, 3, &last);
    tir_output(t_, "last", last);
    return Finish();
  }
};

TEST_F(RandomGraph, StreamsAreThoseOfTheDocument) {
  const tir_graph *graph = CaptureDraws();
  ASSERT_NE(graph, nullptr);
  for (uint32_t step = 0; step < 2; step++) {
    std::vector<Floats> want(5);
    want[0] = Expected(0, step);
    for (uint64_t k = 0; k < 3; k++) {
      const uint64_t root = Root(1, k);
      for (const float x : Expected(root, step)) want[1].push_back(x);
      for (uint64_t j = 0; j < 2; j++)
        for (const float x : Expected(Root(root + 1, j), step))
          want[2].push_back(x);
      for (const float x : Expected(root + 2, step)) want[3].push_back(x);
    }
    want[4] = Expected(Root(2, 2) + 1, step);
    EXPECT_EQ(Run(graph, module_, step ? "full" : "none"), want) << step;
  }
}

TEST_F(RandomGraph, AgreesWithTheReferenceBitForBit) {
  const tir_graph *graph = CaptureDraws();
  ASSERT_NE(graph, nullptr);
  // Both go a step on.
  tir_module *m = LoadBytes(c_, SaveBytes(module_), nullptr);
  ASSERT_NE(m, nullptr);
  tir_tensor *out[5] = {};
  tir_error error = {};
  ASSERT_EQ(tir_reference_run(graph, module_, nullptr, 0, out, 5, &error),
            TIR_OK)
      << error.message;
  const std::vector<Floats> run = Run(tir_module_graph(m, "draws"), m, "full");
  for (size_t i = 0; i < 5; i++) {
    const float *x = static_cast<const float *>(tir_tensor_data(out[i]));
    EXPECT_EQ(run[i], Floats(x, x + tir_tensor_numel(out[i]))) << i;
    tir_tensor_release(out[i]);
  }
  EXPECT_EQ(Text(m), Text(module_));
  tir_module_destroy(m);
}

TEST_F(RandomGraph, EveryPipelineDrawsTheSame) {
  const tir_graph *step = CaptureStep("step", 5, 4);
  ASSERT_NE(step, nullptr);
  const std::string bytes = SaveBytes(module_);
  std::vector<Floats> losses;
  for (const char *pipeline : {"none", "basic", "full"}) {
    tir_module *m = LoadBytes(c_, bytes, nullptr);
    ASSERT_NE(m, nullptr);
    losses.push_back(Losses(tir_module_graph(m, "step"), m, 3, 5, 4, pipeline));
    tir_module_destroy(m);
  }
  EXPECT_EQ(losses[0], losses[1]);
  for (size_t i = 0; i < 3; i++)
    EXPECT_NEAR(losses[2][i], losses[1][i], 1e-5f * losses[1][i]);
}

TEST_F(RandomGraph, ALiveTapeDrawsWhatACaptureDraws) {
  const tir_graph *step = CaptureStep("step", 5, 4);
  ASSERT_NE(step, nullptr);
  const std::string before = SaveBytes(module_);
  const Floats captured = Losses(step, module_, 4, 5, 4);

  tir_module *m = LoadBytes(c_, before, nullptr);
  ASSERT_NE(m, nullptr);
  const tir_value w[] = {tir_param(t_, m, "w"), tir_param(t_, m, "u")};
  for (const tir_value v : w) tir_attach_grad(t_, v, TIR_GRAD_WRITE);
  Floats live;
  for (int i = 0; i < 4; i++) {
    const int64_t dims[] = {5, 4, kIn};
    const Floats data = Noise(60, 9);
    tir_error error = {};
    tir_step_begin(t_);
    const tir_value x =
        tir_value_from_data(t_, TIR_DTYPE_F32, dims, 3, data.data());
    tir_record_begin(t_, true);
    tir_value loss = Step(x, w);
    tir_mode_end(t_);
    Train(w, loss);
    ASSERT_EQ(tir_step_end(t_, &loss, 1, &error), TIR_OK) << error.message;
    live.push_back(static_cast<float>(tir_read_scalar(t_, loss)));
    tir_value_release(t_, loss);
  }
  EXPECT_EQ(live, captured);
  tir_module_destroy(m);
}

TEST_F(RandomGraph, TextAndFileBringTheSameBitsBack) {
  const tir_graph *step = CaptureStep("step", 5, 4);
  ASSERT_NE(step, nullptr);
  Losses(step, module_, 3, 5, 4);
  const std::string text = Text(module_), bytes = SaveBytes(module_);
  const Floats here = Losses(step, module_, 3, 5, 4);

  tir_error error = {};
  tir_module *parsed = nullptr;
  ASSERT_EQ(tir_module_from_text(c_, text.data(), text.size(), &parsed, &error),
            TIR_OK)
      << error.line << ": " << error.message << "\n"
      << text;
  EXPECT_EQ(Text(parsed), text);
  tir_module *loaded = LoadBytes(c_, bytes, &error);
  ASSERT_NE(loaded, nullptr) << error.message;
  EXPECT_EQ(Text(loaded), text);
  EXPECT_EQ(SaveBytes(loaded), bytes);
  for (tir_module *m : {parsed, loaded}) {
    EXPECT_EQ(Losses(tir_module_graph(m, "step"), m, 3, 5, 4), here);
    EXPECT_EQ(Text(m), Text(module_));
    tir_module_destroy(m);
  }
}

TEST_F(RandomGraph, FollowsOtherSizes) {
  const tir_graph *step = CaptureStep("step", 5, 4);
  ASSERT_NE(step, nullptr);
  const std::string bytes = SaveBytes(module_);
  const struct { int64_t time, batch; } sizes[] = {{5, 7}, {1, 1}, {9, 4}};
  for (const auto &s : sizes) {
    Begin(1);
    tir_module *m = LoadBytes(c_, bytes, nullptr);
    const tir_graph *there = CaptureStep("step", s.time, s.batch);
    EXPECT_EQ(Losses(tir_module_graph(m, "step"), m, 2, s.time, s.batch),
              Losses(there, module_, 2, s.time, s.batch))
        << s.time << " " << s.batch;
    tir_module_destroy(m);
  }
}

TEST_F(RandomGraph, AnyNumberOfThreadsGivesTheSameBits) {
  Floats first;
  for (int threads = 1; threads <= 8; threads++) {
    Begin(threads);
    const tir_graph *step = CaptureStep("step", 5, 4);
    ASSERT_NE(step, nullptr);
    // Large enough that draws in bodies are cut.
    const Floats losses = Losses(step, module_, 2, 3, 6000, "full");
    if (threads == 1) first = losses;
    EXPECT_EQ(losses, first) << threads;
  }
}

TEST_F(RandomGraph, DrawsNothingInPredictMode) {
  ASSERT_NE(CaptureStep("step", 5, 4, false), nullptr);
  // The noise of a branch is no dropout.
  const std::string text = Text(module_);
  EXPECT_EQ(text.find("random_uniform"), std::string::npos);
  EXPECT_NE(text.find("random_normal"), std::string::npos);
}

// Nothing of the root is left where nothing is drawn.
TEST_F(RandomGraph, ABodyThatDrawsNothingHasNoRoot) {
  tir_capture_begin(t_, module_, "plain");
  const int64_t dims[] = {3, 2};
  const tir_value x = tir_input(t_, "x", TIR_DTYPE_F32, dims, 2);
  tir_value ys;
  tir_scan(
      t_,
      [](tir_tape *t, void *, const tir_value *, const tir_value *row,
         tir_value *, tir_value *y) { y[0] = tir_dropout(t, row[0], 0.5); },
      nullptr, nullptr, 0, &x, 1, 1, nullptr, nullptr, &ys);
  tir_output(t_, "y", ys);
  ASSERT_NE(Finish(), nullptr);
  const std::string text = Text(module_);
  EXPECT_NE(text.find("scan %x {body = (%0: f32[2]) {\n    return %0\n  }, "
                      "n_xs = 1}"),
            std::string::npos)
      << text;
  EXPECT_EQ(text.find("tapeir.random"), std::string::npos);
}

TEST_F(RandomGraph, AFileCutOrChangedAnywhereIsRefusedOrLoads) {
  ASSERT_NE(CaptureDraws(), nullptr);
  const FileParts parts = Split(SaveBytes(module_));
  for (size_t at = 0; at < parts.graph.size(); at += 2) {
    FileParts damaged = parts;
    damaged.graph[at] = static_cast<char>(damaged.graph[at] ^ (1 << (at % 8)));
    tir_error error = {};
    tir_module *m = LoadBytes(c_, Join(damaged), &error);
    if (m) {
      EXPECT_NE(Text(m), "");
    } else {
      EXPECT_NE(error.status, TIR_OK);
    }
    tir_module_destroy(m);
  }
}

}  // namespace
