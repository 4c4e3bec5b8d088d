// The same bits for any number of threads, wherever the inputs lie and
// whatever else the machine does: random graphs, their gradients, training.
#ifndef TAPEIR_TESTS_SUPPORT_SAME_BITS_H
#define TAPEIR_TESTS_SUPPORT_SAME_BITS_H

#include "tests/support/random_graph.h"
#include "tests/support/thread_runs.h"
#include "tests/support/threaded_training.h"

struct SameBitsOptions {
  std::vector<int> n_threads;
  int n_graphs = 50;
  int n_runs = 100;  // of each graph with each number of threads
};

// Another process that keeps one core busy until the end of the scope.
class NoisyNeighbour {
 public:
  NoisyNeighbour() : process_(fork()) {
    if (process_ != 0) return;
    // Not for ever, should this process be killed.
    const int64_t end = NowNs() + INT64_C(3600) * 1000000000;
    while (NowNs() < end && getppid() != 1) continue;
    _exit(0);
  }
  ~NoisyNeighbour() {
    if (process_ <= 0) return;
    kill(process_, SIGKILL);
    waitpid(process_, nullptr, 0);
  }
  NoisyNeighbour(const NoisyNeighbour &) = delete;
  NoisyNeighbour &operator=(const NoisyNeighbour &) = delete;

 private:
  pid_t process_;
};

// Data for an input or parameter, and room to put it anywhere.
struct Movable {
  explicit Movable(const tir_port &port, TestRandom *random)
      : elem(tir_dtype_size(port.dtype)) {
    size_t n = 1;
    for (int i = 0; i < port.rank; i++) n *= static_cast<size_t>(port.dims[i]);
    bytes.resize(n * elem);
    room.resize(bytes.size() + 64 + 16 * elem);
    for (size_t i = 0; i < n; i++)
      tir_ir_store_f64(port.dtype, &bytes[i * elem], random->Between(-2, 2));
  }
  // A copy `offset` elements behind a cache line.
  void *At(size_t offset) {
    const auto address = reinterpret_cast<uintptr_t>(room.data());
    uint8_t *const to = room.data() + (64 - address % 64) % 64 + offset * elem;
    if (!bytes.empty()) memcpy(to, bytes.data(), bytes.size());
    return to;
  }
  size_t elem;
  std::vector<uint8_t> bytes, room;
};

// One graph on one context: every run from the same parameters.
class RepeatedRuns {
 public:
  RepeatedRuns(tir_context *context, const tir_graph *graph, uint64_t seed)
      : module_(MakeModule(context)), graph_(graph) {
    TestRandom random(seed);
    tir_port port = {};
    for (size_t i = 0; i < tir_graph_n_inputs(graph); i++) {
      EXPECT_EQ(tir_graph_input(graph, i, &port), TIR_OK);
      inputs_.emplace_back(port, &random);
    }
    for (size_t i = 0; i < tir_graph_n_params(graph); i++) {
      EXPECT_EQ(tir_graph_param(graph, i, &port), TIR_OK);
      const Movable data(port, &random);
      tir_tensor *tensor = nullptr;
      EXPECT_EQ(tir_tensor_from_data(context, port.dtype, port.dims, port.rank,
                                     data.bytes.data(), &tensor, nullptr),
                TIR_OK);
      names_.push_back(port.name);
      tensors_.emplace_back(tensor);
      EXPECT_EQ(tir_module_add_param(module_.get(), port.name,
                                     TIR_PARAM_TRAINABLE, tensor, nullptr),
                TIR_OK);
    }
    // Every element a unit, in large graphs every few.
    program_ = CompileCut(context, graph, seed % 5 == 0 ? 256 : 1e-6);
    instance_ = Instantiate(program_, module_.get());
  }

  // All bytes of outputs and parameters after a run.
  std::vector<uint8_t> Run(size_t offset) {
    for (size_t i = 0; i < tensors_.size(); i++)
      EXPECT_EQ(tir_module_set_param(module_.get(), names_[i].c_str(),
                                     tensors_[i].get(), nullptr),
                TIR_OK);
    tir_error error = {};
    for (size_t i = 0; i < inputs_.size(); i++)
      EXPECT_EQ(
          tir_instance_bind_input(instance_.get(), i, inputs_[i].At(offset),
                                  inputs_[i].bytes.size(), &error),
          TIR_OK)
          << error.message;
    RunOk(instance_);
    std::vector<uint8_t> all;
    for (size_t i = 0; i < tir_graph_n_outputs(graph_); i++) {
      tir_port port = {};
      tir_graph_output(graph_, i, &port);
      size_t size = tir_dtype_size(port.dtype);
      for (int d = 0; d < port.rank; d++)
        size *= static_cast<size_t>(port.dims[d]);
      Append(&all, tir_instance_output(instance_.get(), i), size);
    }
    for (const std::string &name : names_) {
      tir_tensor *tensor = nullptr;
      EXPECT_EQ(
          tir_module_get_param(module_.get(), name.c_str(), &tensor, nullptr),
          TIR_OK);
      const Owned<tir_tensor> owned(tensor);
      if (tensor) Append(&all, tensor->data, tensor->size_bytes);
    }
    return all;
  }

 private:
  static void Append(std::vector<uint8_t> *all, const void *data, size_t size) {
    const auto *from = static_cast<const uint8_t *>(data);
    if (size > 0) all->insert(all->end(), from, from + size);
  }

  Owned<tir_module> module_;
  const tir_graph *graph_;
  std::vector<Movable> inputs_;
  std::vector<std::string> names_;
  std::vector<Owned<tir_tensor>> tensors_;
  Owned<tir_program> program_;
  Owned<tir_instance> instance_;
};

// Every second graph is the gradient of a random one, every third writes
// state, every fifth has dims up to 40. nullptr if there is no gradient.
inline Owned<tir_graph> GraphOfSeed(tir_context *context, uint64_t seed) {
  RandomGraphOptions options;
  options.n_ops = 12;
  options.assigns = seed % 3 == 0;
  if (seed % 5 == 0) options.max_dim = 40;
  RandomGraph random(context, seed, options);
  Owned<tir_graph> graph(random.Publish());
  if (!graph || seed % 2 == 0 || options.assigns) return graph;
  tir_graph *gradient = nullptr;
  tir_error error = {};
  const tir_status status =
      tir_graph_differentiate(graph.get(), nullptr, 0, true, &gradient, &error);
  EXPECT_TRUE(status == TIR_OK || status == TIR_ERR_ARGUMENT) << error.message;
  return Owned<tir_graph>(gradient);
}

inline void CheckSameBits(const SameBitsOptions &options) {
  const NoisyNeighbour neighbour;
  std::vector<Owned<tir_context>> contexts;
  contexts.push_back(MakeContext(1));
  for (int n : options.n_threads) contexts.push_back(MakeContext(n));
  int n_graphs = 0;
  for (uint64_t seed = 1; n_graphs < options.n_graphs; seed++) {
    std::vector<uint8_t> wanted;
    for (size_t c = 0; c < contexts.size(); c++) {
      const auto graph = GraphOfSeed(contexts[c].get(), seed);
      if (!graph) break;
      if (c == 0) n_graphs++;
      RepeatedRuns runs(contexts[c].get(), graph.get(), seed);
      for (int i = 0; i < (c == 0 ? 1 : options.n_runs); i++) {
        const std::vector<uint8_t> got = runs.Run(static_cast<size_t>(i % 16));
        if (c == 0) wanted = got;
        ASSERT_TRUE(got == wanted)
            << "seed " << seed << ", " << options.n_threads[c - 1]
            << " threads, run " << i;
      }
    }
  }
}

// Loss of every step and all weights in the end.
inline void CheckSameTraining(const SameBitsOptions &options, int n_steps) {
  const NoisyNeighbour neighbour;
  const auto alone = MakeContext(1);
  const std::vector<float> wanted = ThreadedTraining(alone.get()).Run(n_steps);
  ASSERT_GT(wanted.size(), 1000u);
  for (int n : options.n_threads) {
    const auto context = MakeContext(n);
    for (int i = 0; i < options.n_runs; i++)
      ASSERT_TRUE(
          SameFloats(wanted, ThreadedTraining(context.get()).Run(n_steps)))
          << n << " threads, run " << i;
  }
}

#endif
