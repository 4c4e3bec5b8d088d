// Rows of attention: q, k, v, then the mask and the valid length if the
// attributes say so.

#include "tests/ops/cases.h"

namespace tapeir_test {
namespace {

std::function<Words(tir_dtype)> With(bool causal, bool mask, bool length) {
  return [=](tir_dtype) {
    return AsWords(tir_attrs_attention{causal, mask, length});
  };
}

Operand Length(std::vector<int64_t> dims, double n) {
  return I64(dims, Fill::kNumber, n);
}

std::vector<OpCase> Attention() {
  const tir_op op = TIR_OP_ATTENTION;
  const auto plain = With(false, false, false);
  const auto causal = With(true, false, false);
  const auto masked = With(false, true, false);
  const auto prefix = With(false, false, true);
  const auto past = With(true, false, true);
  const Operand ones = Length({B}, 3);
  const Operand heads = I32({B, 2}, Fill::kNumber, 2);
  return {
      {op, {T({3, 4}), T({5, 4}), T({5, 2})}, plain},
      {op, {T({B, 3, 2}), T({B, 3, 2}), T({B, 3, 2})}, causal},
      {op, {T({2, B, 4}), T({5, 4}), T({1, 5, 3})}, causal},
      {op,
       {T({B, 2, 2, 3}), T({2, 4, 3}), T({1, 2, 4, 2}), T({2, 1, 4})},
       masked},
      {op, {T({3, 2}), T({4, 2}), T({4, 2}), T({})}, masked},
      {op,
       {T({B, 3, 2}), T({B, 4, 2}), T({B, 4, 2}), T({3, 1})},
       With(true, true, false)},
      {op, {T({3, 2}), T({5, 2}), T({5, 2}), Length({}, 4)}, prefix},
      {op, {T({B, 2, 2}), T({B, 5, 2}), T({B, 5, 2}), ones}, past},
      {op, {T({B, 2, 1, 3}), T({B, 1, 4, 3}), T({B, 1, 4, 2}), heads}, past},
      {op,
       {T({B, 2, 2}), T({B, 5, 2}), T({B, 5, 2}), T({B, 2, 5}), ones},
       With(true, true, true)},
      {op, {T({0, 3}), T({2, 3}), T({2, 2})}, plain},
      {op, {T({2, 3}), T({4, 3}), T({4, 0})}, causal},
      {op, {T({2, 0}), T({4, 0}), T({4, 2})}, causal},
      // Sees nothing, or more than there is.
      {op, {T({2, 3}), T({0, 3}), T({0, 2})}, plain, kValueOnly},
      {op, {T({2, 3}), T({4, 3}), T({4, 2}), Length({}, 0)}, past, kValueOnly},
      {op, {T({2, 3}), T({4, 3}), T({4, 2}), Length({}, 1)}, past, kValueOnly},
      {op, {T({2, 3}), T({4, 3}), T({4, 2}), Length({}, 99)}, past},
      {op, {T({2, 3}), T({4, 3}), T({4, 2}), Length({}, -5)}, past, kValueOnly},
      // Several blocks of rows and of positions.
      {op, {T({100, 3}), T({300, 3}), T({300, 2})}, plain, kValueOnly},
      {op, {T({2, 150, 3}), T({150, 3}), T({2, 150, 2})}, causal, kValueOnly},
      {op,
       {T({2, 97, 2}), T({2, 400, 2}), T({2, 400, 2}), Length({2}, 300)},
       past,
       kValueOnly},
      {op,
       {T({1, 8}), T({700, 8}), T({700, 33}), T({700})},
       masked,
       kValueOnly},
      {op,
       {T({60, 3}, Fill::kWide), T({200, 3}), T({200, 3})},
       causal,
       kValueOnly},
  };
}

}  // namespace

void AddAttentionCases(std::vector<OpInfo> *ops) {
  ops->push_back(
      {TIR_OP_ATTENTION, kFloats, Accuracy::kAttention, 0, Attention()});
}

}  // namespace tapeir_test
