// Rows of reductions, products, softmax.

#include "tests/ops/cases.h"

namespace tapeir_test {
namespace {

tir_ir_ints Ints(std::initializer_list<int64_t> values) {
  tir_ir_ints ints = {};
  for (int64_t v : values) ints.v[ints.n++] = v;
  return ints;
}

std::function<Words(tir_dtype)> Axes(std::initializer_list<int64_t> axes,
                                     bool keep = false) {
  const tir_attrs_reduce attrs = {Ints(axes), keep};
  return [attrs](tir_dtype) { return AsWords(attrs); };
}

std::vector<OpCase> Reduce(tir_op op, Fill fill, bool empty_axis) {
  std::vector<OpCase> cases = {
      {op, {T({}, fill)}, Axes({})},
      {op, {T({B, 3}, fill)}, Axes({})},
      {op, {T({B, 3}, fill)}, Axes({1})},
      {op, {T({B, 3}, fill)}, Axes({0}, true)},
      {op, {T({3, B}, fill)}, Axes({-1}, true)},
      {op, {T({2, 3, 2}, fill)}, Axes({0, 2})},
      {op, {T({2, 3, 2}, fill)}, Axes({1}, true)},
      {op, {T({2, 2, 3}, fill)}, Axes({-3, -2})},
      {op, {T({1, 5}, fill)}, Axes({0})},
      {op, {T({0, 3}, fill)}, Axes({1})},
      {op, {T({2, 1, 2, 1, 2, 1}, fill)}, Axes({0, 3, 4})},
      {op, {T({1037}, fill)}, Axes({}), kValueOnly},
      {op, {T({37, 41}, fill)}, Axes({0}), kValueOnly},
      {op, {T({37, 41}, fill)}, Axes({1}), kValueOnly},
      {op, {T({5, 19, 7, 3}, fill)}, Axes({1, 3}), kValueOnly},
      {op, {T({5, 19, 7, 3}, fill)}, Axes({0, 2}), kValueOnly},
  };
  if (empty_axis) {
    // The mean of nothing has no slope.
    const unsigned flags = op == TIR_OP_REDUCE_MEAN ? unsigned{kValueOnly} : 0;
    cases.push_back({op, {T({2, 0}, fill)}, Axes({1}), flags});
    cases.push_back({op, {T({0}, fill)}, Axes({}), flags});
    cases.push_back({op, {T({0, 3}, fill)}, Axes({0}, true), flags});
  }
  return cases;
}

std::function<Words(tir_dtype)> Argmax(int64_t axis, bool keep = false) {
  return [=](tir_dtype) { return AsWords(tir_attrs_argmax{axis, keep}); };
}

std::vector<OpCase> ArgCases(tir_op op) {
  return {
      {op, {T({5}, Fill::kDistinct)}, Argmax(0)},
      {op, {T({B, 3}, Fill::kDistinct)}, Argmax(1)},
      {op, {T({B, 3}, Fill::kSmall)}, Argmax(0, true)},
      {op, {T({2, 3, 4}, Fill::kSmall)}, Argmax(-2)},
      {op, {T({0, 3}, Fill::kSmall)}, Argmax(1)},
      {op, {T({7, 61}, Fill::kSpecial)}, Argmax(1)},
      {op, {T({61, 7}, Fill::kSpecial)}, Argmax(0)},
      {op, {T({61, 3}, Fill::kSmall)}, Argmax(0)},
  };
}

std::vector<OpCase> ReduceTo() {
  const tir_op op = TIR_OP_REDUCE_TO;
  return {
      {op, {T({}), T({})}, {}},
      {op, {T({B, 3}), T({3})}, {}},
      {op, {T({B, 3}), T({B, 1})}, {}},
      {op, {T({B, 3}), T({1, 1})}, {}},
      {op, {T({2, 3, 2}), T({})}, {}},
      {op, {T({2, 3, 2}), T({3, 1})}, {}},
      {op, {T({2, 3}), T({2, 3})}, {}},
      {op, {T({0, 3}), T({1, 3})}, {}},
      {op, {T({70, 9}), T({9})}, {}, kValueOnly},
      {op, {T({70, 9}), T({70, 1})}, {}, kValueOnly},
  };
}

std::function<Words(tir_dtype)> Flags(bool a, bool b) {
  return [=](tir_dtype) { return AsWords(tir_attrs_matmul{a, b}); };
}

std::vector<OpCase> Matmul() {
  const tir_op op = TIR_OP_MATMUL;
  const unsigned value = kValueOnly;
  return {
      {op, {T({B, 3}), T({3, 2})}, Flags(0, 0)},
      {op, {T({3, B}), T({3, 2})}, Flags(1, 0)},
      {op, {T({B, 3}), T({2, 3})}, Flags(0, 1)},
      {op, {T({3, 2}), T({B, 3})}, Flags(1, 1)},
      {op, {T({1, 1}), T({1, 1})}, Flags(0, 0)},
      {op, {T({1, 5}), T({5, 1})}, Flags(0, 0)},
      {op, {T({3, 1}), T({1, 3})}, Flags(0, 0)},
      {op, {T({B, 2, 3}), T({3, 2})}, Flags(0, 0)},
      {op, {T({2, 3}), T({B, 3, 2})}, Flags(0, 0)},
      {op, {T({2, 1, 2, 3}), T({3, 3, 2})}, Flags(0, 0)},
      {op, {T({2, 3, 2}), T({2, 2, 3})}, Flags(1, 1)},
      {op, {T({2, 0}), T({0, 3})}, Flags(0, 0)},
      {op, {T({0, 3}), T({3, 2})}, Flags(0, 0)},
      {op, {T({0, 2, 3}), T({3, 2})}, Flags(0, 0)},
      {op, {T({19, 19}), T({19, 19})}, Flags(0, 0), value},
      {op, {T({33, 17}), T({17, 29})}, Flags(0, 0), value},
      {op, {T({17, 33}), T({29, 17})}, Flags(1, 1), value},
      {op, {T({70, 34}), T({34, 81})}, Flags(0, 0), value},
      {op, {T({33, 38}), T({33, 41})}, Flags(1, 0), value},
      {op, {T({38, 33}), T({41, 33})}, Flags(0, 1), value},
      {op, {T({1, 129}), T({129, 70})}, Flags(0, 0), value},
      {op, {T({70, 129}), T({129, 1})}, Flags(0, 0), value},
      {op, {T({4, 9, 33}), T({4, 33, 11})}, Flags(0, 0), value},
  };
}

std::vector<OpCase> Cumsum() {
  const tir_op op = TIR_OP_CUMSUM;
  const auto along = [](int64_t axis, bool exclusive, bool reverse) {
    return [=](tir_dtype) {
      return AsWords(tir_attrs_scan{axis, exclusive, reverse});
    };
  };
  return {
      {op, {T({5})}, along(0, false, false)},
      {op, {T({5})}, along(0, true, false)},
      {op, {T({5})}, along(-1, false, true)},
      {op, {T({B, 3})}, along(0, true, true)},
      {op, {T({B, 3})}, along(1, false, false)},
      {op, {T({2, 3, 2})}, along(1, false, true)},
      {op, {T({2, 3, 2})}, along(-2, true, false)},
      {op, {T({1})}, along(0, true, true)},
      {op, {T({2, 0})}, along(1, false, false)},
      {op, {T({0, 3})}, along(1, true, false)},
      {op, {T({3, 131})}, along(1, false, false), kValueOnly},
      {op, {T({67, 131})}, along(0, false, true), kValueOnly},
      {op, {T({61}, Fill::kSpecial)}, along(0, true, false), kIntOnly},
  };
}

std::function<Words(tir_dtype)> Axis(int64_t axis) {
  return [=](tir_dtype) { return AsWords(tir_attrs_axis{axis}); };
}

std::vector<OpCase> Softmax(tir_op op) {
  return {
      {op, {T({5})}, Axis(0)},
      {op, {T({B, 4})}, Axis(-1)},
      {op, {T({4, B})}, Axis(0)},
      {op, {T({2, 3, 2})}, Axis(1)},
      {op, {T({3, 1})}, Axis(1)},
      {op, {T({0, 3})}, Axis(1)},
      {op, {T({2, 0})}, Axis(-1)},
      {op, {T({9, 67})}, Axis(1), kValueOnly},
      {op, {T({67, 9})}, Axis(0), kValueOnly},
      {op, {T({11, 13}, Fill::kWide)}, Axis(1), kValueOnly},
      {op, {T({61, 2}, Fill::kSpecial)}, Axis(1), kValueOnly},
      {op, {T({3, 5}, Fill::kNumber, -1e30)}, Axis(1), kValueOnly},
      {op, {T({3, 5}, Fill::kNumber, 3e30)}, Axis(1), kValueOnly},
  };
}

std::vector<OpCase> Logsumexp() {
  const tir_op op = TIR_OP_LOGSUMEXP;
  const Fill number = Fill::kNumber;
  return {
      {op, {T({5})}, Argmax(0)},
      {op, {T({B, 4})}, Argmax(-1)},
      {op, {T({B, 4})}, Argmax(0, true)},
      {op, {T({2, 3, 2})}, Argmax(1)},
      {op, {T({2, 3, 2})}, Argmax(-2, true)},
      {op, {T({3, 1})}, Argmax(1)},
      {op, {T({0, 3})}, Argmax(1)},
      {op, {T({2, 0})}, Argmax(-1)},
      {op, {T({0, 3})}, Argmax(0)},
      {op, {T({9, 67})}, Argmax(1), kValueOnly},
      {op, {T({67, 9})}, Argmax(0), kValueOnly},
      {op, {T({3, 67, 131})}, Argmax(1), kValueOnly},
      {op, {T({11, 13}, Fill::kWide)}, Argmax(1), kValueOnly},
      {op, {T({61, 2}, Fill::kSpecial)}, Argmax(1), kValueOnly},
      {op, {T({2, 61}, Fill::kSpecial)}, Argmax(0), kValueOnly},
      {op, {T({3, 5}, number, -1e30)}, Argmax(1), kValueOnly},
      {op, {T({3, 5}, number, 3e30)}, Argmax(1), kValueOnly},
      {op, {T({3, 5}, number, -INFINITY)}, Argmax(1), kValueOnly},
      {op, {T({3, 5}, number, -INFINITY)}, Argmax(0), kValueOnly},
  };
}

std::vector<OpCase> Normalize(tir_op op) {
  const auto over = [](std::initializer_list<int64_t> axes) {
    const tir_attrs_axes attrs = {Ints(axes)};
    return [attrs](tir_dtype) { return AsWords(attrs); };
  };
  const Operand e = T({}, Fill::kPositive);
  const Operand small = T({}, Fill::kNumber, 1e-5);
  return {
      {op, {T({}), e}, over({})},
      {op, {T({5}), e}, over({0})},
      {op, {T({B, 3}), e}, over({1})},
      {op, {T({B, 3}), e}, over({0})},
      {op, {T({B, 3}), e}, over({})},
      {op, {T({2, 3, 2}), e}, over({0, 2})},
      {op, {T({2, 3, 2}), e}, over({-2, -1})},
      {op, {T({0, 3}), e}, over({1})},
      {op, {T({2, 0}), e}, over({1}), kValueOnly},
      {op, {T({0, 3}), e}, over({0}), kValueOnly},
      {op, {T({9, 131}), small}, over({1}), kValueOnly},
      {op, {T({67, 131}), small}, over({0}), kValueOnly},
      {op, {T({5, 3, 7, 9}), small}, over({0, 2, 3}), kValueOnly},
      {op, {T({5, 3, 7, 9}), small}, over({1, 3}), kValueOnly},
      {op, {T({11, 13}, Fill::kWide), small}, over({1}), kValueOnly},
      {op, {T({7, 61}, Fill::kSpecial), small}, over({1}), kValueOnly},
  };
}

std::vector<OpCase> CrossEntropy() {
  const tir_op op = TIR_OP_CROSS_ENTROPY;
  const Fill index = Fill::kIndex;
  return {
      {op, {T({B, 5}), I64({B}, index, 5)}, {}},
      {op, {T({B, 5}), I32({B}, index, 5)}, {}},
      {op, {T({3}), I64({}, index, 3)}, {}},
      {op, {T({2, 3, 4}), I64({2, 3}, index, 4)}, {}},
      {op, {T({1, 1}), I64({1}, index, 1)}, {}},
      {op, {T({0, 3}), I64({0}, index, 3)}, {}, kValueOnly},
      {op, {T({19, 67}), I64({19}, index, 67)}, {}, kValueOnly},
      {op, {T({7, 9}, Fill::kWide), I64({7}, index, 9)}, {}, kValueOnly},
  };
}

}  // namespace

void AddReduceCases(std::vector<OpInfo> *ops) {
  const auto exact = Accuracy::kExact;
  const auto sum = Accuracy::kSum;
  const Fill any = Fill::kAny;
  ops->push_back({TIR_OP_REDUCE_SUM, kNumbers, sum, 0,
                  Reduce(TIR_OP_REDUCE_SUM, any, true)});
  ops->push_back({TIR_OP_REDUCE_MEAN, kFloats, sum, 0,
                  Reduce(TIR_OP_REDUCE_MEAN, any, true)});
  // Zeros among the factors, one and several in a product.
  auto product = Reduce(TIR_OP_REDUCE_PROD, Fill::kAway, true);
  product.push_back({TIR_OP_REDUCE_PROD, {T({B, 3}, Fill::kSmall)}, Axes({1})});
  product.push_back(
      {TIR_OP_REDUCE_PROD, {T({2, 3, 2}, Fill::kSmall)}, Axes({0, 1}, true)});
  product.push_back({TIR_OP_REDUCE_PROD, {T({3}, Fill::kNumber, 0)}, Axes({})});
  ops->push_back({TIR_OP_REDUCE_PROD, kNumbers, sum, 0, product});
  for (tir_op op : {TIR_OP_REDUCE_MAX, TIR_OP_REDUCE_MIN}) {
    auto extreme = Reduce(op, Fill::kDistinct, false);
    for (int axis : {0, 1})
      extreme.push_back(
          {op, {T({17, 61}, Fill::kSpecial)}, Axes({axis}), kValueOnly});
    extreme.push_back({op, {T({61}, Fill::kSpecial)}, Axes({}), kValueOnly});
    ops->push_back({op, kNumbers, exact, 0, extreme});
  }
  auto norm = Reduce(TIR_OP_NORM, Fill::kAway, true);
  norm.push_back(
      {TIR_OP_NORM, {T({4}, Fill::kNumber, 1e30)}, Axes({}), kValueOnly});
  norm.push_back(
      {TIR_OP_NORM, {T({4}, Fill::kNumber, 1e-30)}, Axes({}), kValueOnly});
  ops->push_back({TIR_OP_NORM, kFloats, Accuracy::kSoftmax, 0, norm});
  for (tir_op op : {TIR_OP_ARGMAX, TIR_OP_ARGMIN})
    ops->push_back({op, kNumbers, exact, 0, ArgCases(op)});
  ops->push_back({TIR_OP_REDUCE_TO, kNumbers, sum, 0, ReduceTo()});
  ops->push_back({TIR_OP_CUMSUM, kNumbers, sum, 0, Cumsum()});
  ops->push_back({TIR_OP_MATMUL, kFloats, sum, 0, Matmul()});
  for (tir_op op : {TIR_OP_SOFTMAX, TIR_OP_LOG_SOFTMAX})
    ops->push_back({op, kFloats, Accuracy::kSoftmax, 0, Softmax(op)});
  ops->push_back(
      {TIR_OP_LOGSUMEXP, kFloats, Accuracy::kSoftmax, 0, Logsumexp()});
  for (tir_op op : {TIR_OP_NORMALIZE, TIR_OP_RMS_NORMALIZE})
    ops->push_back({op, kFloats, Accuracy::kSoftmax, 0, Normalize(op)});
  ops->push_back(
      {TIR_OP_CROSS_ENTROPY, kFloats, Accuracy::kSoftmax, 0, CrossEntropy()});
}

}  // namespace tapeir_test
