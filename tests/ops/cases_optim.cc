// Cases of the optimiser steps.

#include "tests/ops/cases.h"

namespace tapeir_test {
namespace {

// Rows of `tensors` (fills of w and its state; the gradient follows), then
// scalars; with `counts` the step number comes last.
std::vector<OpCase> Steps(tir_op op, const std::vector<Fill> &tensors,
                          const std::vector<double> &scalars,
                          bool counts = false) {
  std::vector<OpCase> cases;
  for (const std::vector<int64_t> &dims : std::vector<std::vector<int64_t>>{
           {}, {5}, {2, 3}, {0}, {3, 67}, {B, 3}}) {
    std::vector<Operand> in;
    for (Fill fill : tensors) in.push_back(T(dims, fill));
    in.push_back(T(dims));
    for (double x : scalars) in.push_back(T({}, Fill::kNumber, x));
    if (counts) in.push_back(I64({}, Fill::kNumber, 3));
    cases.push_back({op, in, {}});
  }
  return cases;
}

}  // namespace

void AddOptimCases(std::vector<OpInfo> *ops) {
  const Fill any = Fill::kAny, positive = Fill::kPositive;
  const auto add = [&](tir_op op, std::vector<OpCase> cases) {
    ops->push_back({op, kFloats, Accuracy::kOptim, 0, cases});
  };
  add(TIR_OP_SGD, Steps(TIR_OP_SGD, {any}, {0.1}));
  add(TIR_OP_MOMENTUM, Steps(TIR_OP_MOMENTUM, {any, any}, {0.1, 0.9}));
  add(TIR_OP_NESTEROV, Steps(TIR_OP_NESTEROV, {any, any}, {0.1, 0.9}));
  add(TIR_OP_ADAM,
      Steps(TIR_OP_ADAM, {any, any, positive}, {0.01, 0.9, 0.999, 1e-8}, true));
  add(TIR_OP_ADAMW, Steps(TIR_OP_ADAMW, {any, any, positive},
                          {0.01, 0.9, 0.999, 1e-8, 0.1}, true));
  add(TIR_OP_RMSPROP,
      Steps(TIR_OP_RMSPROP, {any, positive}, {0.01, 0.99, 1e-8}));
  add(TIR_OP_ADAGRAD, Steps(TIR_OP_ADAGRAD, {any, positive}, {0.01, 1e-8}));
  add(TIR_OP_ADADELTA,
      Steps(TIR_OP_ADADELTA, {any, positive, positive}, {0.5, 0.9, 1e-6}));
  add(TIR_OP_LION, Steps(TIR_OP_LION, {any, any}, {0.01, 0.9, 0.99, 0.1}));
}

}  // namespace tapeir_test
