// A graph captured at one batch size serves every other: compiled at 1 and 37
// from one file it has the bits of a graph captured there, forward, backward
// and in training with a last batch that is not full.
#include "tests/support/random.h"
#include "tests/training/training_fixture.h"

namespace {

constexpr int64_t kIn = 6, kHidden = 8, kClasses = 3;

class SymbolicBatch : public TrainingTest {
 protected:
  // Three graphs of one model, all with the dim "batch": forward (outside
  // training), gradients and a training step.
  Owned<tir_module> Build(int64_t batch) {
    tir_tape_destroy(t);
    Check(tir_tape_create(c, nullptr, &t, &error));
    Owned<tir_module> m = MakeModule(c);
    AddParams(m.get());
    tir_capture_begin(t, m.get(), "forward");
    TakeWeights(m.get());
    tir_output(t, "logits", Model(m.get(), X(batch)));
    Check(tir_capture_end(t, nullptr, &error));

    tir_capture_begin(t, m.get(), "gradients");
    Backward(m.get(), batch);
    for (size_t i = 0; i < w_.size(); i++)
      tir_output(t, ("d" + std::to_string(i)).c_str(), tir_grad_of(t, w_[i]));
    Check(tir_capture_end(t, nullptr, &error));

    tir_capture_begin(t, m.get(), "train");
    Backward(m.get(), batch);
    tir_adam(t, w_.data(), All(m.get(), ".m").data(), All(m.get(), ".v").data(),
             w_.size(),
             {Number(.01), Number(.9), Number(.99), Number(1e-8),
              tir_param(t, m.get(), "step")},
             false);
    Check(tir_capture_end(t, nullptr, &error));
    return m;
  }

  // A graph of a module at a size, 0 for the one it was captured at.
  struct Sized {
    Sized(tir_context *c, tir_module *m, const char *graph, int64_t batch) {
      const tir_dim_size size = {"batch", batch};
      tir_compile_options options = {};
      options.dim_sizes = &size;
      options.n_dim_sizes = batch > 0;
      program = Compile(c, tir_module_graph(m, graph), &options);
      instance = Instantiate(program, m);
      n_outputs = tir_graph_n_outputs(tir_module_graph(m, graph));
    }
    size_t n_outputs;
    Owned<tir_program> program;
    Owned<tir_instance> instance;
  };

  // The bytes of all outputs.
  std::string Run(const Sized &at, int64_t batch, int seed) {
    TestRandom random(static_cast<uint64_t>(seed));
    std::vector<float> x(static_cast<size_t>(batch * kIn));
    for (float &v : x) v = static_cast<float>(random.Between(-2, 2));
    std::vector<int32_t> y(static_cast<size_t>(batch));
    for (int32_t &v : y) v = static_cast<int32_t>(random.Below(kClasses));
    Bind(at.instance, 0, x);
    if (tir_instance_find_input(at.instance.get(), "y") >= 0)
      Bind(at.instance, 1, y);
    RunOk(at.instance);
    std::string all;
    for (size_t i = 0; i < at.n_outputs; i++) {
      tir_port port = {};
      Check(tir_program_output(at.program.get(), i, &port));
      size_t size = tir_dtype_size(port.dtype);
      for (int d = 0; d < port.rank; d++)
        size *= static_cast<size_t>(port.dims[d]);
      all.append(
          static_cast<const char *>(tir_instance_output(at.instance.get(), i)),
          size);
    }
    return all;
  }

 private:
  tir_value Number(double x) { return tir_scalar(t, TIR_DTYPE_F32, x); }
  tir_value X(int64_t batch) {
    const int64_t dims[] = {batch, kIn};
    const char *const names[] = {"batch", nullptr};
    return tir_input_symbolic(t, "x", TIR_DTYPE_F32, dims, names, 2);
  }
  tir_value Y(int64_t batch) {
    const char *const name = "batch";
    return tir_input_symbolic(t, "y", TIR_DTYPE_I32, &batch, &name, 1);
  }

  void AddParams(tir_module *m) {
    const std::vector<std::vector<int64_t>> dims = {
        {kIn, kHidden}, {kHidden}, {kHidden}, {kHidden, kClasses}, {kClasses}};
    TestRandom random(11);
    for (size_t i = 0; i < dims.size(); i++) {
      size_t n = 1;
      for (int64_t d : dims[i]) n *= static_cast<size_t>(d);
      Doubles data(n);
      for (double &v : data) v = random.Between(-1, 1);
      const std::string name = "w" + std::to_string(i);
      Add(m, name, TIR_DTYPE_F32, dims[i], data, TIR_PARAM_TRAINABLE);
      Add(m, name + ".m", TIR_DTYPE_F32, dims[i], Doubles(n, 0));
      Add(m, name + ".v", TIR_DTYPE_F32, dims[i], Doubles(n, 0));
    }
    Add(m, "mean", TIR_DTYPE_F32, {kHidden}, Doubles(kHidden, 0));
    Add(m, "variance", TIR_DTYPE_F32, {kHidden}, Doubles(kHidden, 1));
    Add(m, "step", TIR_DTYPE_I64, {}, {0});
  }
  std::vector<tir_value> All(tir_module *m, const std::string &suffix) {
    std::vector<tir_value> values;
    for (int i = 0; i < 5; i++)
      values.push_back(
          tir_param(t, m, ("w" + std::to_string(i) + suffix).c_str()));
    return values;
  }
  void TakeWeights(tir_module *m) {
    w_ = All(m, "");
    for (tir_value w : w_) tir_attach_grad(t, w, TIR_GRAD_WRITE);
  }

  // Everything whose size or divisor follows the batch: normalised over it,
  // reshaped with it, dropped from it.
  tir_value Model(tir_module *m, tir_value x) {
    tir_value h = tir_batch_norm(t, tir_matmul(t, x, w_[0]), w_[1], w_[2],
                                 tir_param(t, m, "mean"),
                                 tir_param(t, m, "variance"), .9, 1e-5);
    const int64_t heads[] = {-1, 2, kHidden / 2}, flat[] = {-1, kHidden};
    h = tir_softmax(t, tir_reshape(t, h, heads, 3), -1);
    h = tir_dropout(t, tir_gelu(t, tir_reshape(t, h, flat, 2)), .25);
    return tir_add(t, tir_matmul(t, h, w_[3]), w_[4]);
  }

  void Backward(tir_module *m, int64_t batch) {
    const tir_value x = X(batch), y = Y(batch);
    TakeWeights(m);
    tir_record_begin(t, true);
    const tir_value loss =
        tir_mean(t, tir_cross_entropy(t, Model(m, x), y), nullptr, 0, false);
    tir_mode_end(t);
    tir_backward(t, loss);
    tir_output(t, "loss", loss);
  }

  std::vector<tir_value> w_;
};

TEST_F(SymbolicBatch, OneFileServesEveryBatch) {
  const auto captured = Build(64);
  const auto m = Reload(captured.get());
  for (const char *graph : {"forward", "gradients"})
    for (int64_t batch : {1, 37, 64, 200}) {
      const auto there = Build(batch);
      const Sized as_captured(c, there.get(), graph, 0);
      const Sized from_file(c, m.get(), graph, batch);
      const std::string wanted = Run(as_captured, batch, 5);
      EXPECT_GT(wanted.size(), 0u);
      EXPECT_EQ(Run(from_file, batch, 5), wanted) << graph << " at " << batch;
      EXPECT_EQ(Bytes(m.get()), Bytes(there.get()));
      // Running statistics and the random state are as they were.
      Check(
          tir_module_copy_params(m.get(), captured.get(), "", nullptr, &error));
    }
}

// Two epochs of 150 examples: 64, 64 and 22, all by one graph of one file,
// against graphs captured at 64 and at 22.
TEST_F(SymbolicBatch, LastBatchNeedNotBeFull) {
  const auto captured = Build(64), short_one = Build(22);
  const auto m = Reload(captured.get());
  const Sized full(c, m.get(), "train", 64), rest(c, m.get(), "train", 22);
  const Sized full_there(c, captured.get(), "train", 0);
  const Sized rest_there(c, short_one.get(), "train", 0);
  for (int step = 0; step < 6; step++) {
    const bool is_last = step % 3 == 2;
    const int64_t batch = is_last ? 22 : 64;
    tir_module *const there = is_last ? short_one.get() : captured.get();
    Check(tir_module_copy_params(there, m.get(), "", nullptr, &error));
    const std::string loss = Run(is_last ? rest : full, batch, step);
    EXPECT_EQ(loss, Run(is_last ? rest_there : full_there, batch, step));
    EXPECT_EQ(Bytes(m.get()), Bytes(there)) << "step " << step;
  }
}

TEST_F(SymbolicBatch, SizesAreThoseOfTheProgram) {
  const auto captured = Build(64);
  const Sized at(c, captured.get(), "forward", 37);
  tir_port port = {};
  Check(tir_program_input(at.program.get(), 0, &port));
  EXPECT_EQ(port.dims[0], 37);
  Check(tir_program_output(at.program.get(), 0, &port));
  EXPECT_EQ(port.dims[0], 37);
  EXPECT_EQ(port.dims[1], kClasses);
}

}  // namespace
