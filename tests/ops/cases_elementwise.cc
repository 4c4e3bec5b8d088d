// Rows of the elementwise ops.

#include "tests/ops/cases.h"

namespace tapeir_test {
namespace {

std::vector<OpCase> Unary(tir_op op, Fill fill) {
  return {
      {op, {T({}, fill)}, {}},
      {op, {T({5}, fill)}, {}},
      {op, {T({B, 3}, fill)}, {}},
      {op, {T({2, 3, 2}, fill)}, {}},
      {op, {T({2, 0, 3}, fill)}, {}},
      {op, {T({1, 1, 1, 1, 1, 1, 1, 2}, fill)}, {}},
      {op, {T({131}, fill)}, {}, kValueOnly},
      {op, {T({61}, Fill::kSpecial)}, {}, kValueOnly},
      {op, {T({600}, Fill::kWide)}, {}, kValueOnly},
  };
}

std::vector<OpCase> Cast() {
  std::vector<OpCase> cases;
  for (int to = TIR_DTYPE_F32; to <= TIR_DTYPE_BOOL; to++) {
    const auto attrs = [to](tir_dtype) { return AsWords(tir_attrs_dtype{to}); };
    cases.push_back({TIR_OP_CAST, {T({B, 3})}, attrs});
    cases.push_back(
        {TIR_OP_CAST, {T({53}, Fill::kSpecial)}, attrs, kValueOnly});
  }
  const auto to_f64 = [](tir_dtype) {
    return AsWords(tir_attrs_dtype{TIR_DTYPE_F64});
  };
  cases.push_back({TIR_OP_CAST, {T({})}, to_f64});
  cases.push_back({TIR_OP_CAST, {T({3, 0})}, to_f64});
  cases.push_back({TIR_OP_CAST, {T({2, 1, 2})}, to_f64});
  return cases;
}

// Shapes that broadcast in every way: rows, columns, scalars, both at once,
// runs long enough for vectors and tails.
std::vector<OpCase> Binary(tir_op op, Fill a, Fill b) {
  return {
      {op, {T({}, a), T({}, b)}, {}},
      {op, {T({7}, a), T({7}, b)}, {}},
      {op, {T({B, 3}, a), T({B, 3}, b)}, {}},
      {op, {T({B, 3}, a), T({3}, b)}, {}},
      {op, {T({3}, a), T({B, 3}, b)}, {}},
      {op, {T({B, 1}, a), T({1, 3}, b)}, {}},
      {op, {T({2, 3}, a), T({}, b)}, {}},
      {op, {T({}, a), T({B}, b)}, {}},
      {op, {T({5}, a), T({1}, b)}, {}},
      {op, {T({2, 1, 2}, a), T({3, 1}, b)}, {}},
      {op, {T({0, 3}, a), T({1, 3}, b)}, {}},
      {op, {T({B, 0}, a), T({}, b)}, {}},
      {op, {T({1, 1}, a), T({1, 0}, b)}, {}},
      {op, {T({133}, a), T({133}, b)}, {}, kValueOnly},
      {op, {T({9, 67}, a), T({67}, b)}, {}, kValueOnly},
      {op, {T({67, 9}, a), T({67, 1}, b)}, {}, kValueOnly},
      {op, {T({2, 3, 1, 5}, a), T({3, 4, 1}, b)}, {}, kValueOnly},
  };
}

std::vector<OpCase> WithSpecial(std::vector<OpCase> cases, unsigned flags = 0) {
  const tir_op op = cases[0].op;
  const Fill special = Fill::kSpecial;
  // 17 and 16 values differ in their period, so that every pair is met.
  cases.push_back({op,
                   {T({289}, special), T({289}, Fill::kSpecial, 1)},
                   {},
                   kValueOnly | flags});
  cases.push_back({op,
                   {T({61}, special), T({}, Fill::kNumber, 1)},
                   {},
                   kValueOnly | flags});
  return cases;
}

std::vector<OpCase> Div() {
  auto cases =
      WithSpecial(Binary(TIR_OP_DIV, Fill::kAny, Fill::kAway), kFloatOnly);
  // The smallest integer divided by −1 (by 255 for unsigned ones).
  cases.push_back({TIR_OP_DIV,
                   {T({40}, Fill::kSpecial), T({}, Fill::kNumber, -1)},
                   {},
                   kValueOnly | kIntOnly});
  cases.push_back({TIR_OP_DIV,
                   {T({40}, Fill::kSpecial), T({40}, Fill::kAway)},
                   {},
                   kValueOnly | kIntOnly});
  return cases;
}

std::vector<OpCase> AddN() {
  const tir_op op = TIR_OP_ADD_N;
  return {
      {op, {T({})}, {}},
      {op, {T({B, 3}), T({B, 3})}, {}},
      {op, {T({5}), T({5}), T({5})}, {}},
      {op, {T({0, 2}), T({0, 2}), T({0, 2})}, {}},
      {op, {T({2, 2}), T({2, 2}), T({2, 2}), T({2, 2}), T({2, 2})}, {}},
      {op, {T({77}), T({77}), T({77})}, {}, kValueOnly},
  };
}

// Bounds are often crossed.
std::vector<OpCase> Clip() {
  const tir_op op = TIR_OP_CLIP;
  const Fill fill = Fill::kDistinct, special = Fill::kSpecial;
  return {
      {op, {T({}, fill), T({}, fill), T({}, fill)}, {}},
      {op, {T({B, 3}, fill), T({}, fill), T({}, fill)}, {}},
      {op, {T({B, 3}, fill), T({3}, fill), T({B, 1}, fill)}, {}},
      {op, {T({3}, fill), T({B, 1}, fill), T({B, 3}, fill)}, {}},
      {op, {T({5}, fill), T({5}, fill), T({5}, fill)}, {}},
      {op, {T({2, 0}, fill), T({}, fill), T({1}, fill)}, {}},
      {op, {T({7, 19}, fill), T({19}, fill), T({7, 1}, fill)}, {}, kValueOnly},
      {op,
       {T({289}, special), T({289}, special, 1), T({289}, special, 2)},
       {},
       kValueOnly},
      {op,
       {T({61}, special), T({}, Fill::kNumber, -1), T({}, Fill::kNumber, 1)},
       {},
       kValueOnly | kFloatOnly},
  };
}

std::vector<OpCase> Where() {
  const tir_op op = TIR_OP_WHERE;
  return {
      {op, {Bool({}), T({}), T({})}, {}},
      {op, {Bool({B, 3}), T({B, 3}), T({B, 3})}, {}},
      {op, {Bool({B, 1}), T({3}), T({})}, {}},
      {op, {Bool({3}), T({B, 1}), T({B, 3})}, {}},
      {op, {Bool({2, 1, 1}), T({3, 1}), T({1, 2})}, {}},
      {op, {Bool({0}), T({1}), T({})}, {}},
      {op, {Bool({91}), T({91}), T({91})}, {}, kValueOnly},
      {op,
       {Bool({61}), T({61}, Fill::kSpecial), T({61}, Fill::kSpecial, 1)},
       {},
       kValueOnly},
  };
}

}  // namespace

void AddElementwiseCases(std::vector<OpInfo> *ops) {
  const auto exact = Accuracy::kExact;
  const auto ulp = Accuracy::kUlp;
  const auto unary = [&](tir_op op, Fill fill, unsigned dtypes,
                         Accuracy accuracy, int ulps) {
    ops->push_back({op, dtypes, accuracy, ulps, Unary(op, fill)});
  };
  unary(TIR_OP_NEG, Fill::kAny, kNumbers, exact, 0);
  unary(TIR_OP_ABS, Fill::kAway, kNumbers, exact, 0);
  unary(TIR_OP_SQUARE, Fill::kAny, kNumbers, exact, 0);
  unary(TIR_OP_SQRT, Fill::kPositive, kFloats, exact, 0);
  unary(TIR_OP_EXP, Fill::kAny, kFloats, ulp, 2);
  unary(TIR_OP_LOG, Fill::kPositive, kFloats, ulp, 2);
  unary(TIR_OP_TANH, Fill::kAny, kFloats, ulp, 2);
  unary(TIR_OP_SIGMOID, Fill::kAny, kFloats, ulp, 2);
  unary(TIR_OP_RELU, Fill::kAway, kNumbers, exact, 0);
  unary(TIR_OP_RSQRT, Fill::kPositive, kFloats, ulp, 2);
  unary(TIR_OP_EXPM1, Fill::kAny, kFloats, ulp, 2);
  unary(TIR_OP_LOG1P, Fill::kPositive, kFloats, ulp, 2);
  unary(TIR_OP_ERF, Fill::kAny, kFloats, ulp, 2);
  unary(TIR_OP_SIN, Fill::kAny, kFloats, ulp, 2);
  unary(TIR_OP_COS, Fill::kAny, kFloats, ulp, 2);
  unary(TIR_OP_SOFTPLUS, Fill::kAny, kFloats, ulp, 2);
  unary(TIR_OP_SILU, Fill::kAny, kFloats, ulp, 2);
  unary(TIR_OP_GELU, Fill::kAny, kFloats, ulp, 4);
  unary(TIR_OP_GELU_TANH, Fill::kAny, kFloats, ulp, 4);
  unary(TIR_OP_STOP_GRADIENT, Fill::kAny, kAll, exact, 0);
  ops->back().zero_gradient = true;
  unary(TIR_OP_CUT, Fill::kAny, kAll, exact, 0);
  ops->back().zero_gradient = true;
  ops->push_back({TIR_OP_CAST, kAll, exact, 0, Cast()});

  const auto binary = [&](tir_op op, std::vector<OpCase> cases, unsigned dtypes,
                          Accuracy accuracy, int ulps) {
    ops->push_back({op, dtypes, accuracy, ulps, cases});
  };
  const Fill any = Fill::kAny;
  for (tir_op op : {TIR_OP_ADD, TIR_OP_SUB, TIR_OP_MUL})
    binary(op, WithSpecial(Binary(op, any, any)), kNumbers, exact, 0);
  binary(TIR_OP_DIV, Div(), kNumbers, exact, 0);
  binary(TIR_OP_POW, WithSpecial(Binary(TIR_OP_POW, Fill::kPositive, any)),
         kFloats, ulp, 4);
  binary(TIR_OP_MAXIMUM,
         WithSpecial(Binary(TIR_OP_MAXIMUM, Fill::kDistinct, Fill::kDistinct)),
         kNumbers, exact, 0);
  binary(TIR_OP_MINIMUM,
         WithSpecial(Binary(TIR_OP_MINIMUM, Fill::kDistinct, Fill::kDistinct)),
         kNumbers, exact, 0);
  binary(TIR_OP_CLIP, Clip(), kNumbers, exact, 0);
  binary(TIR_OP_ADD_N, AddN(), kNumbers, Accuracy::kSum, 0);
  for (tir_op op : {TIR_OP_EQUAL, TIR_OP_NOT_EQUAL, TIR_OP_LESS,
                    TIR_OP_LESS_EQUAL, TIR_OP_GREATER, TIR_OP_GREATER_EQUAL})
    binary(op, WithSpecial(Binary(op, Fill::kSmall, Fill::kSmall)), kNumbers,
           exact, 0);
  binary(TIR_OP_WHERE, Where(), kAll, exact, 0);
}

}  // namespace tapeir_test
