// How close plans of whole training steps come to their lower bound. Sizes
// are scaled down; plans depend on shapes only.
#include "tests/support/compiled.h"
#include "tests/support/planned.h"

namespace {

class PlanQuality : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(tir_tape_create(context_.get(), nullptr, &t_, nullptr), TIR_OK);
    tir_capture_begin(t_, module_.get(), "step");
  }
  void TearDown() override { tir_tape_destroy(t_); }

  tir_value Input(const char *name, std::vector<int64_t> dims,
                  tir_dtype dtype = TIR_DTYPE_F32) {
    return tir_input(t_, name, dtype, dims.data(),
                     static_cast<int>(dims.size()));
  }

  tir_value Param(std::vector<int64_t> dims, bool trainable = true,
                  tir_dtype dtype = TIR_DTYPE_F32) {
    const std::string name = "p" + std::to_string(n_params_++);
    tir_tensor *tensor = nullptr;
    EXPECT_EQ(
        tir_tensor_create(context_.get(), dtype, dims.data(),
                          static_cast<int>(dims.size()), &tensor, nullptr),
        TIR_OK);
    EXPECT_EQ(
        tir_module_add_param(module_.get(), name.c_str(),
                             trainable ? TIR_PARAM_TRAINABLE : TIR_PARAM_STATE,
                             tensor, nullptr),
        TIR_OK);
    tir_tensor_release(tensor);
    const tir_value param = tir_param(t_, module_.get(), name.c_str());
    if (trainable) {
      tir_attach_grad(t_, param, TIR_GRAD_WRITE);
      weights_.push_back(param);
    }
    return param;
  }

  tir_value Linear(tir_value x, int64_t n_in, int64_t n_out) {
    const tir_value w = Param({n_in, n_out}), b = Param({n_out});
    return tir_add(t_, tir_matmul(t_, x, w), b);
  }

  std::unique_ptr<Planned> Plan(const char *passes = "full") {
    tir_error error = {};
    tir_graph *graph = nullptr;
    EXPECT_EQ(tir_capture_end(t_, &graph, &error), TIR_OK) << error.message;
    tir_ir_graph *copy = nullptr;
    EXPECT_EQ(tir_ir_graph_copy(graph->ir, &copy, &error), TIR_OK);
    return std::make_unique<Planned>(GraphPtr(copy), passes);
  }

  Owned<tir_context> context_ = MakeContext();
  Owned<tir_module> module_ = MakeModule(context_.get());
  tir_tape *t_ = nullptr;
  std::vector<tir_value> weights_;
  int n_params_ = 0;
};

// 32 × (linear + relu), MSE, SGD: weights are updated in place as soon as
// their gradient is there, so beside the activations only a few buffers live.
TEST_F(PlanQuality, DeepMlp) {
  const int64_t n = 128;
  const tir_value x = Input("x", {n, n}), y = Input("y", {n, n});
  const tir_value lr = Input("lr", {});
  tir_record_begin(t_, true);
  tir_value h = x;
  for (int i = 0; i < 32; i++)
    h = tir_relu(t_, tir_matmul(t_, h, Param({n, n})));
  const tir_value loss = tir_mse(t_, h, y);
  tir_mode_end(t_);
  tir_backward(t_, loss);
  tir_sgd(t_, weights_.data(), weights_.size(), lr, false);
  tir_output(t_, "loss", loss);
  const auto p = Plan();
  const double layer = n * n * sizeof(float);
  EXPECT_LE(p->Ratio(), 1.02);
  EXPECT_LE(p->plan().arena_bytes / layer, 34.1);
  RecordProperty("layers", std::to_string(p->plan().arena_bytes / layer));
  EXPECT_EQ(p->plan().copies.count, 0u);
}

TEST_F(PlanQuality, ClassifierWithMomentum) {
  const tir_value x = Input("x", {128, 784});
  const tir_value y = Input("y", {128}, TIR_DTYPE_I64);
  const tir_value lr = Input("lr", {}), mu = Input("mu", {});
  tir_record_begin(t_, true);
  tir_value h = tir_relu(t_, Linear(x, 784, 256));
  h = tir_relu(t_, Linear(h, 256, 128));
  const tir_value loss = tir_cross_entropy(t_, Linear(h, 128, 10), y);
  tir_mode_end(t_);
  tir_backward(t_, loss);
  std::vector<tir_value> velocity;
  for (const tir_value w : weights_) {
    std::vector<int64_t> dims;
    for (int i = 0; i < tir_value_rank(t_, w); i++)
      dims.push_back(tir_value_dim(t_, w, i));
    velocity.push_back(Param(dims, false));
  }
  tir_momentum(t_, weights_.data(), velocity.data(), weights_.size(), lr, mu,
               false);
  tir_output(t_, "loss", loss);
  const auto p = Plan();
  EXPECT_LE(p->Ratio(), 1.02);
  EXPECT_EQ(p->plan().copies.count, 0u);
}

// Attention blocks with Adam, from primitive ops.
TEST_F(PlanQuality, Transformer) {
  const int64_t batch = 2, length = 32, width = 64, n_heads = 4;
  const int64_t head = width / n_heads;
  const tir_value x = Input("x", {batch, length, width});
  const tir_value y = Input("y", {batch, length, width});
  tir_adam_values values = {Input("lr", {}), Input("beta1", {}),
                            Input("beta2", {}), Input("epsilon", {}),
                            Param({}, false, TIR_DTYPE_I64)};
  tir_record_begin(t_, true);
  tir_value h = x;
  const auto split = [&](tir_value v) {
    const int64_t dims[] = {batch, length, n_heads, head};
    const int perm[] = {0, 2, 1, 3};
    return tir_transpose(t_, tir_reshape(t_, v, dims, 4), perm, 4);
  };
  const auto norm = [&](tir_value v) {
    const int axes[] = {2};
    const tir_value mean = tir_mean(t_, v, axes, 1, true);
    const tir_value d = tir_sub(t_, v, mean);
    const tir_value variance = tir_mean(t_, tir_square(t_, d), axes, 1, true);
    const tir_value s = tir_sqrt(t_, tir_add_scalar(t_, variance, 1e-5));
    return tir_add(t_, tir_mul(t_, tir_div(t_, d, s), Param({width})),
                   Param({width}));
  };
  for (int block = 0; block < 4; block++) {
    const tir_value u = norm(h);
    const tir_value q = split(Linear(u, width, width));
    const tir_value k = split(Linear(u, width, width));
    const tir_value v = split(Linear(u, width, width));
    const tir_value scores =
        tir_div_scalar(t_, tir_matmul_t(t_, q, k, false, true), 4);
    const tir_value mixed = tir_matmul(t_, tir_softmax(t_, scores, -1), v);
    const int64_t dims[] = {batch, length, width};
    const int perm[] = {0, 2, 1, 3};
    const tir_value joined =
        tir_reshape(t_, tir_transpose(t_, mixed, perm, 4), dims, 3);
    h = tir_add(t_, h, Linear(joined, width, width));
    const tir_value wide = tir_tanh(t_, Linear(norm(h), width, 4 * width));
    h = tir_add(t_, h, Linear(wide, 4 * width, width));
  }
  const tir_value loss = tir_mse(t_, h, y);
  tir_mode_end(t_);
  tir_backward(t_, loss);
  std::vector<tir_value> m, v;
  const std::vector<tir_value> w = weights_;
  for (const tir_value weight : w) {
    std::vector<int64_t> dims;
    for (int i = 0; i < tir_value_rank(t_, weight); i++)
      dims.push_back(tir_value_dim(t_, weight, i));
    m.push_back(Param(dims, false));
    v.push_back(Param(dims, false));
  }
  tir_adam(t_, w.data(), m.data(), v.data(), w.size(), values, false);
  tir_output(t_, "loss", loss);
  const auto p = Plan();
  EXPECT_LE(p->Ratio(), 1.05);
  RecordProperty("ratio", std::to_string(p->Ratio()));
}

// Unrolled LSTM: one weight used at every step.
TEST_F(PlanQuality, Lstm) {
  const int64_t batch = 16, n_in = 32, n = 64, steps = 24;
  const tir_value x = Input("x", {steps, batch, n_in});
  const tir_value y = Input("y", {batch, n}), lr = Input("lr", {});
  tir_record_begin(t_, true);
  const tir_value wx = Param({n_in, 4 * n}), wh = Param({n, 4 * n});
  const tir_value bias = Param({4 * n});
  const int64_t dims[] = {batch, n}, in_dims[] = {batch, n_in};
  tir_value h = tir_zeros(t_, TIR_DTYPE_F32, dims, 2), c = h;
  for (int64_t s = 0; s < steps; s++) {
    const int64_t start[] = {s}, stop[] = {s + 1};
    const tir_value now =
        tir_reshape(t_, tir_slice(t_, x, start, stop, nullptr, 1), in_dims, 2);
    const tir_value gates = tir_add(
        t_, tir_add(t_, tir_matmul(t_, now, wx), tir_matmul(t_, h, wh)), bias);
    tir_value part[4];
    for (int64_t g = 0; g < 4; g++) {
      const int64_t starts[] = {0, g * n}, stops[] = {batch, (g + 1) * n};
      part[g] = tir_slice(t_, gates, starts, stops, nullptr, 2);
    }
    c = tir_add(t_, tir_mul(t_, tir_sigmoid(t_, part[0]), c),
                tir_mul(t_, tir_sigmoid(t_, part[1]), tir_tanh(t_, part[2])));
    h = tir_mul(t_, tir_sigmoid(t_, part[3]), tir_tanh(t_, c));
  }
  const tir_value loss = tir_mse(t_, h, y);
  tir_mode_end(t_);
  tir_backward(t_, loss);
  tir_sgd(t_, weights_.data(), weights_.size(), lr, false);
  tir_output(t_, "loss", loss);
  const auto p = Plan();
  EXPECT_LE(p->Ratio(), 1.02);
  RecordProperty("ratio", std::to_string(p->Ratio()));
}

}  // namespace
