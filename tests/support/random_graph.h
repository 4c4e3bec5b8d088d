// Random small graphs over f32 and f64 values, for comparing ways to run one.
//
// Shapes have rank 0 to 3 with dims 1 to `max_dim`, some dims 0. Every graph
// has views, broadcasts, values read many times and values never read; outputs
// may repeat or be inputs. With `assigns` some parameters are replaced.
#ifndef TAPEIR_TESTS_SUPPORT_RANDOM_GRAPH_H
#define TAPEIR_TESTS_SUPPORT_RANDOM_GRAPH_H

#include <algorithm>
#include <vector>

#include "tests/support/graph_builder.h"
#include "tests/support/random.h"

struct RandomGraphOptions {
  int n_ops = 20;
  bool assigns = false;
  bool empty_dims = true;
  uint64_t max_dim = 4;
};

class RandomGraph {
 public:
  RandomGraph(tir_context *context, uint64_t seed,
              const RandomGraphOptions &options)
      : random_(seed), options_(options), b_(context) {
    dtype_ = random_.Below(3) == 0 ? TIR_DTYPE_F64 : TIR_DTYPE_F32;
    AddLeaves();
    for (int i = 0; i < options.n_ops; i++) AddOp();
    if (options.assigns) AddAssigns();
    AddOutputs();
  }

  tir_graph *Publish() { return b_.Publish(); }
  tir_dtype dtype() const { return dtype_; }
  const std::vector<std::vector<int64_t>> &input_dims() const {
    return input_dims_;
  }
  const std::vector<std::vector<int64_t>> &param_dims() const {
    return param_dims_;
  }

 private:
  using Dims = std::vector<int64_t>;
  struct Value {
    tir_value handle;
    Dims dims;
  };

  tir_tape *t() { return b_.tape(); }

  int64_t RandomDim() {
    if (options_.empty_dims && random_.Below(24) == 0) return 0;
    return random_.Below(3) == 0
               ? 1
               : 1 + static_cast<int64_t>(random_.Below(options_.max_dim));
  }

  void AddLeaves() {
    const size_t n_inputs = 1 + random_.Below(4), n_params = random_.Below(3);
    for (size_t i = 0; i < n_inputs + n_params; i++) {
      Dims dims(random_.Below(4));
      for (int64_t &dim : dims) dim = RandomDim();
      const bool param = i >= n_inputs;
      const std::string name =
          (param ? "p" : "x") + std::to_string(param ? i - n_inputs : i);
      const tir_value v = param ? b_.Param(name.c_str(), dtype_, dims)
                                : b_.Input(name.c_str(), dtype_, dims);
      (param ? param_dims_ : input_dims_).push_back(dims);
      if (param) params_.push_back(values_.size());
      values_.push_back({v, dims});
    }
  }

  const Value &Pick() {
    // Recent values more often, so that graphs are deep too.
    const size_t n = values_.size();
    const size_t window = random_.Below(3) == 0 ? n : std::min<size_t>(n, 6);
    return values_[n - 1 - random_.Below(window)];
  }

  void Push(tir_value handle) {
    if (!tir_value_is_valid(t(), handle)) return;
    Value value = {handle, {}};
    for (int i = 0; i < tir_value_rank(t(), handle); i++)
      value.dims.push_back(tir_value_dim(t(), handle, i));
    values_.push_back(value);
  }

  static bool Broadcasts(const Dims &a, const Dims &b) {
    for (size_t i = 0; i < std::min(a.size(), b.size()); i++) {
      const int64_t p = a[a.size() - 1 - i], q = b[b.size() - 1 - i];
      if (p != q && p != 1 && q != 1) return false;
    }
    return true;
  }

  void AddOp() {
    switch (random_.Below(12)) {
      case 0:
      case 1:
      case 2:
        return AddUnary();
      case 3:
      case 4:
      case 5:
        return AddBinary();
      case 6:
        return AddReduction();
      case 7:
        return AddView();
      case 8:
        return AddMovement();
      case 9:
        return AddMatmul();
      case 10:
        return AddChoice();
      default:
        return AddSoftmax();
    }
  }

  void AddUnary() {
    const tir_value x = Pick().handle;
    switch (random_.Below(9)) {
      case 0:
        return Push(tir_neg(t(), x));
      case 1:
        return Push(tir_abs(t(), x));
      case 2:
        return Push(tir_square(t(), tir_tanh(t(), x)));
      case 3:
        return Push(tir_sqrt(t(), tir_abs(t(), x)));
      case 4:
        return Push(tir_exp(t(), tir_tanh(t(), x)));
      case 5:
        return Push(tir_tanh(t(), x));
      case 6:
        return Push(tir_sigmoid(t(), x));
      case 7:
        return Push(tir_relu(t(), x));
      default:
        return Push(tir_mul_scalar(t(), x, 0.5));
    }
  }

  void AddBinary() {
    const Value a = Pick();
    Value b = Pick();
    for (int i = 0; i < 8 && !Broadcasts(a.dims, b.dims); i++) b = Pick();
    if (!Broadcasts(a.dims, b.dims)) b = a;
    switch (random_.Below(5)) {
      case 0:
        return Push(tir_add(t(), a.handle, b.handle));
      case 1:
        return Push(tir_sub(t(), a.handle, b.handle));
      case 2:
        return Push(tir_mul(t(), a.handle, tir_tanh(t(), b.handle)));
      case 3:
        return Push(tir_maximum(t(), a.handle, b.handle));
      default:
        return Push(tir_div(t(), a.handle,
                            tir_add_scalar(t(), tir_square(t(), b.handle), 1)));
    }
  }

  void AddReduction() {
    const Value x = Pick();
    std::vector<int> axes;
    for (size_t i = 0; i < x.dims.size(); i++)
      if (random_.Below(2)) axes.push_back(static_cast<int>(i));
    const int n = static_cast<int>(axes.size());
    const bool keep = random_.Below(2);
    const bool empty =
        std::find(x.dims.begin(), x.dims.end(), 0) != x.dims.end();
    if (empty || random_.Below(2))
      return Push(tir_sum(t(), x.handle, axes.data(), n, keep));
    if (random_.Below(2))
      return Push(tir_max(t(), x.handle, axes.data(), n, keep));
    Push(tir_mean(t(), x.handle, axes.data(), n, keep));
  }

  void AddView() {
    const Value x = Pick();
    if (random_.Below(2)) {
      const int64_t flat[] = {-1};
      const bool empty =
          std::find(x.dims.begin(), x.dims.end(), 0) != x.dims.end();
      const int64_t none[] = {0};
      return Push(tir_reshape(t(), x.handle, empty ? none : flat, 1));
    }
    if (x.dims.size() > 2) return;
    const int axes[] = {static_cast<int>(random_.Below(x.dims.size() + 1))};
    Push(tir_expand_dims(t(), x.handle, axes, 1));
  }

  void AddMovement() {
    const Value x = Pick();
    if (x.dims.empty()) return;
    const int64_t start[] = {0}, stop[] = {std::max<int64_t>(1, x.dims[0] - 1)};
    const tir_value two[] = {x.handle, x.handle};
    switch (random_.Below(4)) {
      case 0:
        return Push(tir_transpose(t(), x.handle, nullptr, 0));
      case 1:
        return Push(tir_slice(t(), x.handle, start, stop, nullptr, 1));
      case 2:
        if (x.dims[0] > 4) return;
        return Push(tir_concat(t(), two, 2, 0));
      default: {
        if (x.dims.size() > 2) return;
        Dims dims = x.dims;
        dims.insert(dims.begin(), 2);
        return Push(tir_broadcast_to(t(), x.handle, dims.data(),
                                     static_cast<int>(dims.size())));
      }
    }
  }

  void AddMatmul() {
    const Value x = Pick();
    if (x.dims.size() < 2) return;
    const bool left = random_.Below(2);
    Push(tir_mul_scalar(t(), tir_matmul_t(t(), x.handle, x.handle, left, !left),
                        0.25));
  }

  void AddChoice() {
    const Value a = Pick();
    const tir_value mask = tir_less(t(), a.handle, tir_abs(t(), a.handle));
    Push(tir_where(t(), mask, a.handle, tir_tanh(t(), a.handle)));
  }

  void AddSoftmax() {
    const Value x = Pick();
    if (x.dims.empty()) return;
    const int axis = static_cast<int>(random_.Below(x.dims.size()));
    if (x.dims[static_cast<size_t>(axis)] == 0) return;
    Push(random_.Below(2) ? tir_softmax(t(), x.handle, axis)
                          : tir_log_softmax(t(), x.handle, axis));
  }

  void AddAssigns() {
    for (const size_t p : params_) {
      const Value param = values_[p];
      // The newest value that broadcasts to the parameter's shape.
      for (size_t i = values_.size(); i-- > 0;) {
        if (values_[i].dims != param.dims || i == p) continue;
        Push(tir_assign(t(), param.handle, values_[i].handle));
        break;
      }
    }
  }

  void AddOutputs() {
    const size_t n = 1 + random_.Below(4);
    b_.Output("y0", values_.back().handle);
    for (size_t i = 1; i < n; i++)
      b_.Output(("y" + std::to_string(i)).c_str(), Pick().handle);
  }

  TestRandom random_;
  RandomGraphOptions options_;
  GraphBuilder b_;
  tir_dtype dtype_;
  std::vector<Value> values_;
  std::vector<size_t> params_;  // positions in values_
  std::vector<Dims> input_dims_, param_dims_;
};

#endif
