// Control nodes in captured graphs: against the reference, at other sizes, by
// any number of threads, through text and files, and trained on after a load.
#include <cmath>

#include "loop_graph.h"

namespace {

class ControlGraph : public LoopGraph {
 protected:
  void SetUp() override { Begin(1); }

  void Begin(int threads) {
    BeginEmpty(threads, 0);
    AddAll(module_);
  }

  tir_module *MakeWeights() {
    tir_module *m = nullptr;
    EXPECT_EQ(tir_module_create(c_, &m, nullptr), TIR_OK);
    AddAll(m);
    return m;
  }

  void AddAll(tir_module *m) {
    AddWeights(m);
    Add(m, "vw", {kIn, kHidden}, TIR_PARAM_STATE, 0);
    Add(m, "vu", {kHidden, kHidden}, TIR_PARAM_STATE, 0);
  }

  // Loss and its gradients; a scan that holds a cond, then a while.
  tir_graph *CaptureLoss(const char *name, int64_t time, int64_t batch,
                         bool step = false) {
    tir_capture_begin(t_, module_, name);
    const tir_value x = Rows(time, batch);
    const tir_value w[] = {tir_param(t_, module_, "w"),
                           tir_param(t_, module_, "u")};
    for (const tir_value v : w) tir_attach_grad(t_, v, TIR_GRAD_WRITE);
    tir_record_begin(t_, true);
    const tir_value loss = Loss(x, w);
    tir_mode_end(t_);
    tir_backward(t_, loss);
    tir_output(t_, "loss", loss);
    if (step) {
      const tir_value v[] = {tir_param(t_, module_, "vw"),
                             tir_param(t_, module_, "vu")};
      tir_momentum(t_, w, v, 2, tir_scalar(t_, TIR_DTYPE_F32, 0.05),
                   tir_scalar(t_, TIR_DTYPE_F32, 0.9), false);
    } else {
      tir_output(t_, "dw", tir_grad_of(t_, w[0]));
      tir_output(t_, "du", tir_grad_of(t_, w[1]));
    }
    return Finish();
  }

  tir_value Loss(tir_value x, const tir_value *w) {
    const tir_value zeros = ZeroState(x, w[0]);
    Cell cell = {w[0], w[1]};
    tir_value h, ys, last;
    tir_scan(t_, GatedBody, &cell, &zeros, 1, &x, 1, 1, nullptr, &h, &ys);
    tir_while(
        t_, IsSmall,
        [](tir_tape *t, void *, const tir_value *carry, tir_value *out) {
          out[0] = tir_mul_scalar(t, carry[0], 1.7);
        },
        nullptr, &h, 1, 8, &last);
    return LossOf(last, ys);
  }

  // The cell where the row's mean is positive, else half the state.
  static void GatedBody(tir_tape *t, void *user, const tir_value *carry,
                        const tir_value *x, tir_value *out_carry,
                        tir_value *out_y) {
    struct Inner {
      Cell *cell;
      tir_value x;
    } inner = {static_cast<Cell *>(user), x[0]};
    tir_cond(
        t, Above(t, tir_mean(t, x[0], nullptr, 0, false), 0.0),
        [](tir_tape *tape, void *u, const tir_value *h, tir_value *out) {
          const Inner *i = static_cast<Inner *>(u);
          out[0] = Step(tape, *i->cell, h[0], i->x);
        },
        [](tir_tape *tape, void *, const tir_value *h, tir_value *out) {
          out[0] = tir_add_scalar(tape, tir_mul_scalar(tape, h[0], 0.5), 0.25);
        },
        &inner, carry, 1, out_carry, 1);
    out_y[0] = tir_square(t, out_carry[0]);
  }

  // All outputs of a run, as bytes one after the other.
  Floats Run(const tir_graph *graph, tir_module *m, int64_t time, int64_t batch,
             const char *pipeline = nullptr) {
    const tir_dim_size sizes[] = {{"time", time}, {"batch", batch}};
    tir_compile_options options = {};
    options.pipeline = pipeline;
    options.dim_sizes = sizes;
    options.n_dim_sizes = 2;
    tir_program *program = nullptr;
    tir_instance *instance = nullptr;
    tir_error error = {};
    Floats out;
    EXPECT_EQ(tir_compile(c_, graph, &options, &program, &error), TIR_OK)
        << error.message;
    if (!program) return out;
    const Floats x = Noise(static_cast<size_t>(time * batch * kIn), 9);
    EXPECT_EQ(tir_instance_create(program, m, &instance, &error), TIR_OK);
    EXPECT_EQ(
        tir_instance_bind_input(instance, 0, x.data(), x.size() * 4, &error),
        TIR_OK)
        << error.message;
    EXPECT_EQ(tir_run(instance, nullptr, &error), TIR_OK) << error.message;
    for (size_t i = 0; i < tir_graph_n_outputs(graph); i++) {
      tir_port port;
      EXPECT_EQ(tir_program_output(program, i, &port), TIR_OK);
      size_t n = 1;
      for (int a = 0; a < port.rank; a++)
        n *= static_cast<size_t>(port.dims[a]);
      const float *data =
          static_cast<const float *>(tir_instance_output(instance, i));
      out.insert(out.end(), data, data + n);
    }
    tir_instance_destroy(instance);
    tir_program_destroy(program);
    return out;
  }

  Floats Reference(const tir_graph *graph, int64_t time, int64_t batch) {
    const int64_t dims[] = {time, batch, kIn};
    const Floats x = Noise(static_cast<size_t>(time * batch * kIn), 9);
    tir_tensor *in = nullptr, *out[3] = {};
    tir_error error = {};
    EXPECT_EQ(tir_tensor_from_data(c_, TIR_DTYPE_F32, dims, 3, x.data(), &in,
                                   nullptr),
              TIR_OK);
    EXPECT_EQ(tir_reference_run(graph, module_, &in, 1, out,
                                tir_graph_n_outputs(graph), &error),
              TIR_OK)
        << error.message;
    Floats all;
    for (tir_tensor *y : out) {
      if (!y) continue;
      const float *data = static_cast<const float *>(tir_tensor_data(y));
      all.insert(all.end(), data, data + tir_tensor_numel(y));
      tir_tensor_release(y);
    }
    tir_tensor_release(in);
    return all;
  }

  static void ExpectNear(const Floats &a, const Floats &b) {
    ASSERT_EQ(a.size(), b.size());
    for (size_t i = 0; i < a.size(); i++)
      ASSERT_NEAR(a[i], b[i], 2e-5f * (1 + std::fabs(b[i]))) << i;
  }
};

TEST_F(ControlGraph, AgreesWithTheReference) {
  const tir_graph *graph = CaptureLoss("loss", 5, 4);
  ASSERT_NE(graph, nullptr);
  const Floats run = Run(graph, module_, 5, 4);
  EXPECT_EQ(run.size(), static_cast<size_t>(1 + kHidden * (kIn + kHidden)));
  ExpectNear(run, Reference(graph, 5, 4));
  // Every pipeline computes it, "none" and "basic" with equal bits.
  ExpectNear(Run(graph, module_, 5, 4, "full"), run);
  EXPECT_EQ(Run(graph, module_, 5, 4, "none"),
            Run(graph, module_, 5, 4, "basic"));
}

TEST_F(ControlGraph, FollowsOtherSizes) {
  const tir_graph *graph = CaptureLoss("loss", 5, 4);
  ASSERT_NE(graph, nullptr);
  const struct {
    int64_t time, batch;
  } sizes[] = {{5, 7}, {5, 1}, {1, 4}, {9, 7}};
  int number = 0;
  for (const auto &s : sizes) {
    const std::string name = "other" + std::to_string(number++);
    const tir_graph *there = CaptureLoss(name.c_str(), s.time, s.batch);
    ASSERT_NE(there, nullptr);
    EXPECT_EQ(Run(graph, module_, s.time, s.batch),
              Run(there, module_, s.time, s.batch))
        << s.time << " " << s.batch;
    ExpectNear(Run(graph, module_, s.time, s.batch),
               Reference(graph, s.time, s.batch));
  }
}

// A dim that C code asked for is fixed, in the bodies as well as around them.
TEST_F(ControlGraph, PinnedDimsArePinnedEverywhere) {
  for (const bool inside : {false, true}) {
    tir_capture_begin(t_, module_, inside ? "inside" : "after");
    const int64_t dims[] = {5, 4};
    const char *const symbols[] = {"time", "batch"};
    const tir_value x =
        tir_input_symbolic(t_, "x", TIR_DTYPE_F32, dims, symbols, 2);
    const int64_t row[] = {0}, end[] = {1}, flat[] = {-1};
    const tir_value zeros = tir_zeros_like(
        t_, tir_reshape(t_, tir_slice(t_, x, row, end, nullptr, 1), flat, 1));
    bool asks = inside;
    tir_value last;
    // The state's dim has no name, the row's has.
    tir_scan(
        t_,
        [](tir_tape *t, void *user, const tir_value *carry, const tir_value *in,
           tir_value *next, tir_value *) {
          if (*static_cast<bool *>(user)) {
            EXPECT_EQ(tir_value_dim(t, in[0], 0), 4);
          }
          next[0] = tir_add(t, carry[0], tir_mean(t, in[0], nullptr, 0, false));
        },
        &asks, &zeros, 1, &x, 1, 0, nullptr, &last, nullptr);
    if (!inside) {
      EXPECT_EQ(tir_value_dim(t_, x, 1), 4);
    }
    tir_output(t_, "last", last);
    tir_graph *graph = nullptr;
    tir_error error = {};
    ASSERT_EQ(tir_capture_end(t_, &graph, &error), TIR_OK) << error.message;
    tir_port port;
    ASSERT_EQ(tir_graph_input(graph, 0, &port), TIR_OK);
    EXPECT_STREQ(port.dim_names[0], "time");
    EXPECT_EQ(port.dim_names[1], nullptr);
  }
}

TEST_F(ControlGraph, TextAndFileBringTheSameBitsBack) {
  const tir_graph *graph = CaptureLoss("loss", 5, 4);
  ASSERT_NE(graph, nullptr);
  const std::string text = Text(module_);
  const Floats run = Run(graph, module_, 5, 4);
  tir_error error = {};
  tir_module *parsed = nullptr;
  ASSERT_EQ(tir_module_from_text(c_, text.data(), text.size(), &parsed, &error),
            TIR_OK)
      << error.line << ": " << error.message << "\n"
      << text;
  EXPECT_EQ(Text(parsed), text);
  EXPECT_EQ(Run(tir_module_graph(parsed, "loss"), parsed, 5, 4), run);
  tir_module_destroy(parsed);

  const std::string bytes = SaveBytes(module_);
  tir_module *loaded = LoadBytes(c_, bytes, &error);
  ASSERT_NE(loaded, nullptr) << error.message;
  EXPECT_EQ(Text(loaded), text);
  EXPECT_EQ(SaveBytes(loaded), bytes);
  EXPECT_EQ(Run(tir_module_graph(loaded, "loss"), loaded, 5, 4), run);
  EXPECT_EQ(Run(tir_module_graph(loaded, "loss"), loaded, 3, 7),
            Run(graph, module_, 3, 7));
  tir_module_destroy(loaded);
}

TEST_F(ControlGraph, AFileCutOrChangedAnywhereIsRefusedOrLoads) {
  ASSERT_NE(CaptureLoss("loss", 2, 2), nullptr);
  const FileParts parts = Split(SaveBytes(module_));
  size_t n_loaded = 0;
  for (size_t at = 0; at < parts.graph.size(); at += 3) {
    FileParts damaged = parts;
    damaged.graph[at] = static_cast<char>(damaged.graph[at] ^ (1 << (at % 8)));
    tir_error error = {};
    tir_module *m = LoadBytes(c_, Join(damaged), &error);
    if (m) {
      n_loaded++;
      EXPECT_NE(Text(m), "");
    } else {
      EXPECT_NE(error.status, TIR_OK);
    }
    tir_module_destroy(m);
  }
  // Names and the like may change unseen; structure may not.
  EXPECT_LT(n_loaded, parts.graph.size() / 6);
}

TEST_F(ControlGraph, TrainsOnAfterALoadWithTheSameBits) {
  const tir_graph *step = CaptureLoss("step", 5, 4, true);
  ASSERT_NE(step, nullptr);
  Floats losses;
  for (int i = 0; i < 3; i++) Run(step, module_, 5, 4);
  const std::string bytes = SaveBytes(module_);
  for (int i = 0; i < 4; i++) losses.push_back(Run(step, module_, 5, 4).at(0));
  EXPECT_LT(losses[3], losses[0]);
  tir_error error = {};
  tir_module *loaded = LoadBytes(c_, bytes, &error);
  ASSERT_NE(loaded, nullptr) << error.message;
  for (int i = 0; i < 4; i++)
    EXPECT_EQ(Run(tir_module_graph(loaded, "step"), loaded, 5, 4).at(0),
              losses[static_cast<size_t>(i)]);
  EXPECT_EQ(SaveBytes(loaded), SaveBytes(module_));
  tir_module_destroy(loaded);
}

TEST_F(ControlGraph, AnyNumberOfThreadsGivesTheSameBits) {
  Floats first;
  for (int threads = 1; threads <= 4; threads++) {
    Begin(threads);
    const tir_graph *graph = CaptureLoss("loss", 5, 4);
    ASSERT_NE(graph, nullptr);
    // Large enough that steps of the bodies are cut.
    const Floats run = Run(graph, module_, 3, 6000);
    if (threads == 1) first = run;
    EXPECT_EQ(run, first) << threads;
  }
}

TEST_F(ControlGraph, MemoryIsKnownBeforeTheRun) {
  const tir_graph *graph = CaptureLoss("loss", 5, 4);
  ASSERT_NE(graph, nullptr);
  tir_program *program = nullptr;
  ASSERT_EQ(tir_compile(c_, graph, nullptr, &program, nullptr), TIR_OK);
  tir_memory_report report;
  tir_program_memory(program, &report);
  EXPECT_GT(report.scratch_bytes, 0u);
  tir_compile_options options = {};
  options.max_bytes = report.block_bytes + report.constant_bytes;
  tir_program *fitting = nullptr;
  EXPECT_EQ(tir_compile(c_, graph, &options, &fitting, nullptr), TIR_OK);
  tir_program_destroy(fitting);
  options.max_bytes--;
  tir_error error = {};
  EXPECT_EQ(tir_compile(c_, graph, &options, &fitting, &error), TIR_ERR_LIMIT);
  tir_program_destroy(program);
}

TEST_F(ControlGraph, DifferentiatesAsAGraph) {
  tir_capture_begin(t_, module_, "plain");
  const int64_t dims[] = {5, 4, kIn};
  const tir_value x = tir_input(t_, "x", TIR_DTYPE_F32, dims, 3);
  const tir_value w[] = {tir_param(t_, module_, "w"),
                         tir_param(t_, module_, "u")};
  tir_output(t_, "loss", Loss(x, w));
  tir_graph *plain = nullptr, *both = nullptr;
  tir_error error = {};
  ASSERT_EQ(tir_capture_end(t_, &plain, &error), TIR_OK) << error.message;
  const char *const wrt[] = {"w", "u"};
  ASSERT_EQ(tir_graph_differentiate(plain, wrt, 2, true, &both, &error), TIR_OK)
      << error.message;
  const tir_graph *recorded = CaptureLoss("loss", 5, 4);
  tir_program *program = nullptr;
  tir_instance *instance = nullptr;
  ASSERT_EQ(tir_compile(c_, both, nullptr, &program, &error), TIR_OK)
      << error.message;
  ASSERT_EQ(tir_instance_create(program, module_, &instance, &error), TIR_OK);
  const Floats data = Noise(60, 9);
  ASSERT_EQ(tir_instance_bind_input(instance, 0, data.data(), 240, &error),
            TIR_OK);
  ASSERT_EQ(tir_run(instance, nullptr, &error), TIR_OK) << error.message;
  const Floats want = Run(recorded, module_, 5, 4);
  EXPECT_EQ(*static_cast<const float *>(tir_instance_output(instance, 0)),
            want[0]);
  EXPECT_EQ(*static_cast<const float *>(tir_instance_output(instance, 1)),
            want[1]);
  tir_instance_destroy(instance);
  tir_program_destroy(program);
  tir_graph_destroy(both);
}

// --- files made by hand ----------------------------------------------------

// input x f32[2]; body: tanh. One graph "g": y = scan x, as a carry.
struct ScanFile {
  std::vector<uint64_t> used = {1};  // Node.bodies of the graph's scan
  std::vector<std::string> bodies;

  static std::string Type() { return Wire().Bytes(1, "f32").Packed(2, {2}); }
  static std::string Stacked() {
    return Wire().Bytes(1, "f32").Packed(2, {3, 2});
  }
  static std::string Integer(const std::string &name, int64_t value) {
    return Wire().Bytes(1, name).Varint(2, static_cast<uint64_t>(value) << 1);
  }
  // `n_nodes` nodes of the op, each fed by the one before.
  static std::string Graph(const std::string &name, const std::string &op,
                           const std::vector<uint64_t> &bodies,
                           size_t n_nodes = 1) {
    Wire graph;
    graph.Bytes(1, name)
        .Bytes(2, "input")
        .Bytes(2, op)
        .Bytes(4, Type())
        .Bytes(4, Stacked())
        .Bytes(6, Wire().Varint(1, 1).Packed(3, {1}));
    uint64_t last = 1;
    for (size_t i = 0; i < n_nodes; i++) {
      Wire node;
      node.Varint(1, 2).Packed(2, {last});
      if (op == "scan") {
        node.Packed(3, {1, 2})
            .Bytes(4, Integer("n_carry", 1))
            .Bytes(4, Integer("length", 3));
        node.Packed(9, bodies);
      } else {
        node.Packed(3, {1});
      }
      graph.Bytes(6, node);
      last = 2 + i * (op == "scan" ? 2 : 1);
    }
    return graph.Bytes(7, Wire().Varint(1, last).Bytes(2, "y"));
  }
  std::string str() const {
    Wire file;
    file.Bytes(3, Graph("g", "scan", used));
    for (const std::string &body : bodies) file.Bytes(5, body);
    return Join({file, ""});
  }
  // A chain of bodies, each inside the next.
  static ScanFile Chain(int depth) {
    ScanFile file;
    file.bodies.push_back(Graph("b", "tanh", {}));
    for (int i = 1; i < depth; i++)
      file.bodies.push_back(Graph("b", "scan", {static_cast<uint64_t>(i)}));
    file.used = {static_cast<uint64_t>(depth)};
    return file;
  }
  // As deep, but each body is used twice by the next.
  static ScanFile Doubling(int depth) {
    ScanFile file = Chain(depth);
    for (size_t i = 1; i < file.bodies.size(); i++)
      file.bodies[i] = Graph("b", "scan", {i}, 2);
    return file;
  }
};

class ControlFile : public ControlGraph {
 protected:
  void Refused(const ScanFile &file, tir_status status,
               const std::string &message) {
    tir_error error = {};
    tir_module *m = LoadBytes(c_, file.str(), &error);
    EXPECT_EQ(m, nullptr);
    tir_module_destroy(m);
    EXPECT_EQ(error.status, status);
    EXPECT_EQ(std::string(error.message), "load: " + message);
  }
};

TEST_F(ControlFile, NestsAsDeepAsTheLimit) {
  tir_error error = {};
  tir_module *m = LoadBytes(c_, ScanFile::Chain(32).str(), &error);
  ASSERT_NE(m, nullptr) << error.message;
  const std::string text = Text(m);
  tir_module *parsed = nullptr;
  ASSERT_EQ(tir_module_from_text(c_, text.data(), text.size(), &parsed, &error),
            TIR_OK)
      << error.message;
  EXPECT_EQ(Text(parsed), text);
  tir_module_destroy(parsed);
  tir_module_destroy(m);
  Refused(ScanFile::Chain(33), TIR_ERR_LIMIT,
          "body 33: body: bodies are nested 33 deep, at most 32");
  Refused(ScanFile::Chain(200), TIR_ERR_LIMIT,
          "body 33: body: bodies are nested 33 deep, at most 32");
}

TEST_F(ControlFile, BodiesAreThereAndUsed) {
  ScanFile file = ScanFile::Chain(1);
  file.used = {1, 1};
  Refused(file, TIR_ERR_FORMAT,
          "graph \"g\": node 2: scan: 2 bodies, expected 1");
  file.used = {};
  Refused(file, TIR_ERR_FORMAT,
          "graph \"g\": node 2: scan: 0 bodies, expected 1");
  file.used = {2};
  Refused(file, TIR_ERR_FORMAT,
          "graph \"g\": node 2: body number 2, there are 1 so far");
  file.used = {0};
  Refused(file, TIR_ERR_FORMAT,
          "graph \"g\": node 2: body number 0, there are 1 so far");
  file = ScanFile::Chain(1);
  file.bodies.push_back(file.bodies[0]);
  Refused(file, TIR_ERR_FORMAT, "body 2 is used by no node");
  // One that holds itself, or a later one.
  file = ScanFile::Chain(1);
  file.bodies[0] = ScanFile::Graph("b", "scan", {1});
  Refused(file, TIR_ERR_FORMAT,
          "graph \"b\": node 2: body number 1, there are 0 so far");
}

// One body of five nodes in two graphs: it is there once, and again when saved.
TEST_F(ControlFile, ASharedBodyIsWrittenOnce) {
  const std::string body = ScanFile::Graph("b", "tanh", {}, 5);
  const std::string bytes =
      Join({Wire()
                .Bytes(3, ScanFile::Graph("f", "scan", {1}, 2))
                .Bytes(3, ScanFile::Graph("g", "scan", {1}, 3))
                .Bytes(5, body),
            ""});
  tir_error error = {};
  tir_module *m = LoadBytes(c_, bytes, &error);
  ASSERT_NE(m, nullptr) << error.message;
  const TempDir dir;
  const std::string path = dir.File("m.tir");
  ASSERT_EQ(tir_module_save(m, path.c_str(), &error), TIR_OK) << error.message;
  const std::string saved = ReadFile(path);
  size_t n_bodies = 0;
  for (size_t at = saved.find("tanh"); at != std::string::npos;
       at = saved.find("tanh", at + 1))
    n_bodies++;
  EXPECT_EQ(n_bodies, 1u);
  tir_module *again = LoadBytes(c_, saved, &error);
  ASSERT_NE(again, nullptr) << error.message;
  EXPECT_EQ(Text(again), Text(m));
  tir_module_destroy(again);
  tir_module_destroy(m);
}

// A small file that unfolds to 2^31 bodies: each use counts as if it was there.
TEST_F(ControlFile, SharedBodiesCountAsOftenAsTheyAreUsed) {
  tir_error error = {};
  tir_module *m = LoadBytes(c_, ScanFile::Doubling(8).str(), &error);
  ASSERT_NE(m, nullptr) << error.message;
  tir_module_destroy(m);
  for (const int depth : {20, 32}) {
    m = LoadBytes(c_, ScanFile::Doubling(depth).str(), &error);
    EXPECT_EQ(m, nullptr);
    tir_module_destroy(m);
    EXPECT_EQ(error.status, TIR_ERR_LIMIT);
    EXPECT_NE(std::string(error.message)
                  .find("node 3: loading needs more memory than the limit of "
                        "67108864 bytes"),
              std::string::npos)
        << error.message;
  }
}

}  // namespace
