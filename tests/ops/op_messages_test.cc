// What inference says about common mistakes, word for word: the op, what is
// wrong, the operands with their types, what is expected. At least two
// mistakes for every op.
#include "tests/ops/op_calls.h"

namespace {

struct Mistake {
  OpCall call;
  const char *message;
};

// The attributes of a good call with something changed.
template <typename Change>
tir_attrs_custom Changed(Change change) {
  tir_attrs_custom attrs = Product("test.effect", 1);
  change(&attrs);
  return attrs;
}

// A vjp_run with these operands.
OpCall Backward(std::vector<CallType> in, int64_t wants) {
  tir_attrs_custom attrs = Product("test.pure_run", 1);
  attrs.wants = wants;
  return Call(TIR_OP_CUSTOM_PURE, std::move(in), attrs);
}

// Tables of at least two rows an op. Several, because the time to compile one
// grows with the square of its rows.
std::vector<Mistake> MistakesOfStructure() {
  return {
      {Call(TIR_OP_INPUT, {F32({-1})}),
       "input: dim 0 is -1, expected 0 or more"},
      {Call(TIR_OP_INPUT, {CallType{TIR_DTYPE_INVALID, {2}}}),
       "input: dtype 0 does not exist"},
      {Call(TIR_OP_PARAM, {F32({3})}, tir_attrs_param{2}),
       "param: kind is 2, expected 0 (trainable) or 1 (state)"},
      {Call(TIR_OP_PARAM, {F32({INT64_MAX})}, tir_attrs_param{0}),
       "param: f32[9223372036854775807] takes more than 9223372036854775807 "
       "bytes"},
      {Call(TIR_OP_CONSTANT, {Bool({})}, tir_attrs_constant{2, 0}),
       "constant: bits 0x2 are not an element of bool"},
      {Call(TIR_OP_CONSTANT, {F32({})}, tir_attrs_constant{0x100000000, 0}),
       "constant: bits 0x100000000 are not an element of f32"},
      {Call(TIR_OP_CONSTANT, {F32({})}, tir_attrs_constant{0, 3}),
       "constant: tensor is 3, the graph has 0"},
      {Call(TIR_OP_CONSTANT, {F32({})}, tir_attrs_constant{1, 1}),
       "constant: tensor is 1 with bits 0x1, expected 0, or a tensor number "
       "and no bits"},
      {Call(TIR_OP_GRADIENT, {F32({}), F32({}), F32({2}), F32({3})},
            tir_attrs_gradient{2, 0}),
       "gradient: n_heads is 2 with 4 operands, expected 1 to 1"},
      {Call(TIR_OP_GRADIENT, {I32({}), I32({}), F32({2}), F32({3})},
            tir_attrs_gradient{1, 0}),
       "gradient: head x[0] i32[] has no gradient: not a float"},
      {Call(TIR_OP_GRADIENT, {F32({}), F32({1}), F32({2}), F32({3})},
            tir_attrs_gradient{1, 0}),
       "gradient: shapes differ: x[0] f32[], x[1] f32[1]"},
      {Call(TIR_OP_GRADIENT, {F32({}), F32({}), F32({2}), I64({3})},
            tir_attrs_gradient{1, 0}),
       "gradient: variable x[3] i64[3] has no gradient: not a float"},
      {Call(TIR_OP_GRADIENT, {F32({}), F32({}), F32({2}), F32({3})},
            tir_attrs_gradient{1, 2}),
       "gradient: create_graph is 2, expected 0 or 1"},
      {Call(TIR_OP_ASSIGN, {F32({3}), F32({4})}),
       "assign: shapes differ: target f32[3], value f32[4]"},
      {Call(TIR_OP_ASSIGN, {F32({3}), F64({3})}),
       "assign: dtypes differ: target f32[3], value f64[3]"},
      {Call(TIR_OP_STOP_GRADIENT, {}),
       "stop_gradient: wrong number of operands: 0, expected 1"},
      {Call(TIR_OP_STOP_GRADIENT, {F32({}), F32({})}),
       "stop_gradient: wrong number of operands: 2, expected 1"},
      {Call(TIR_OP_CUT, {}), "cut: wrong number of operands: 0, expected 1"},
      {Call(TIR_OP_CUT, {F32({}), F32({})}),
       "cut: wrong number of operands: 2, expected 1"},
      {Call(TIR_OP_ARANGE, {}, tir_attrs_arange{TIR_DTYPE_F32, -1}),
       "arange: n is -1, expected 0 to 9223372036854775807 for f32"},
      {Call(TIR_OP_ARANGE, {}, tir_attrs_arange{TIR_DTYPE_I8, 129}),
       "arange: n is 129, expected 0 to 128 for i8"},
      {Call(TIR_OP_ARANGE, {}, tir_attrs_arange{TIR_DTYPE_BOOL, 2}),
       "arange: dtype is bool, expected f32, f64 or an integer"},
      {Call(TIR_OP_DIM_PRODUCT, {F32({3})},
            tir_attrs_dim_product{TIR_DTYPE_F32, List({1})}),
       "dim_product: axis 1 is out of range for x f32[3] of rank 1"},
      {Call(TIR_OP_DIM_PRODUCT, {F32({3})},
            tir_attrs_dim_product{TIR_DTYPE_I32, List({0})}),
       "dim_product: dtype is i32, expected f32, f64 or i64"},
  };
}

std::vector<Mistake> MistakesOfCustom() {
  return {
      {Call(TIR_OP_CUSTOM, {F32({2}), F32({2})}, Product("blur", 1)),
       "custom: no op \"blur\" of version 1 is registered with the context"},
      {Call(TIR_OP_CUSTOM, {F32({2}), F32({2})},
            Changed([](auto *attrs) { attrs->version = 7; })),
       "custom: no op \"test.effect\" of version 7 is registered with the "
       "context: the newest is version 1"},
      {Call(TIR_OP_CUSTOM, {F32({2}), F32({2})},
            Changed([](auto *attrs) { attrs->version = 0; })),
       "custom: version is 0, expected 1 or more"},
      {Call(TIR_OP_CUSTOM, {F32({2}), F32({2})},
            Changed([](auto *attrs) { attrs->op.text[4] = ' '; })),
       "custom: op is no name: expected at most 63 letters, digits and "
       "_ . - /"},
      {Call(TIR_OP_CUSTOM, {F32({2}), F32({2})},
            Changed([](auto *attrs) { attrs->ints.n = 1; })),
       "custom: test.effect: wrong number of ints: 1, expected 0"},
      {Call(TIR_OP_CUSTOM, {F32({2}), F32({2})},
            Changed([](auto *attrs) { attrs->floats.n = 0; })),
       "custom: test.effect: wrong number of floats: 0, expected 1"},
      {Call(TIR_OP_CUSTOM, {F32({2}), F32({2})},
            Changed([](auto *attrs) { attrs->floats.n = 9; })),
       "custom: floats has 9 entries, expected 0 to 8"},
      {Call(TIR_OP_CUSTOM, {F32({2})}, Product("test.effect", 1)),
       "custom: test.effect: wrong number of operands: 1, expected 2"},
      {Call(TIR_OP_CUSTOM, {F32({2}), F32({3})}, Product("test.effect", 1)),
       "custom: test.effect: x and w differ"},
      {Call(TIR_OP_CUSTOM, {F32({2}), F32({2})}, Product("test.pure", 1)),
       "custom: test.pure: it is registered as pure, expected op custom_pure"},
      {Call(TIR_OP_CUSTOM, {F32({2}), F32({2})},
            Changed([](auto *attrs) { attrs->wants = 1; })),
       "custom: test.effect: it has no vjp_run"},
      {Call(TIR_OP_CUSTOM_PURE, {F32({2}), F32({2})},
            Product("test.effect", 1)),
       "custom_pure: test.effect: it is registered as an effect, expected op "
       "custom"},
      {Call(TIR_OP_CUSTOM_PURE, {I32({2}), I32({2})}, Product("test.pure", 1)),
       "custom_pure: test.pure: x is i32, expected f32 or f64"},
      {Backward({F32({2}), F32({2}), F32({2}), F32({2})}, 4),
       "custom_pure: test.pure_run: wants is 4, expected 0 to 3"},
      {Backward({F32({2}), F32({2}), F32({2}), F32({2})}, 3),
       "custom_pure: test.pure_run: wrong number of results of its gradient: "
       "1, expected 2"},
      {Backward({F32({2}), F32({2})}, 1),
       "custom_pure: test.pure_run: wrong number of operands of its gradient: "
       "2, expected 3"},
      {Backward({F32({2}), F32({2}), F32({2})}, 1),
       "custom_pure: test.pure_run: wrong number of operands of its gradient: "
       "3, expected 4"},
      {Backward({F32({2}), F32({2}), F32({2}), F32({2}), F32({2})}, 1),
       "custom_pure: test.pure_run: wrong number of operands of its gradient: "
       "5, expected 4"},
      {Backward({F32({2}), F32({2}), F32({3}), F32({2})}, 1),
       "custom_pure: test.pure_run: operand x[2] f32[3] of its gradient, "
       "expected f32[2]"},
      {Backward({F32({2}), F32({2}), F32({2}), F64({2})}, 1),
       "custom_pure: test.pure_run: operand x[3] f64[2] of its gradient, "
       "expected f32[2]"},
  };
}

std::vector<Mistake> MistakesOfUnary() {
  return {
      {Call(TIR_OP_NEG, {Bool({3})}),
       "neg: wrong dtype: x bool[3], expected f32, f64 or an integer"},
      {Call(TIR_OP_NEG, {CallType{TIR_DTYPE_F16, {3}}}),
       "neg: wrong dtype: x f16[3], expected f32, f64 or an integer"},
      {Call(TIR_OP_ABS, {Bool({3})}),
       "abs: wrong dtype: x bool[3], expected f32, f64 or an integer"},
      {Call(TIR_OP_ABS, {F32({}), F32({})}),
       "abs: wrong number of operands: 2, expected 1"},
      {Call(TIR_OP_SQUARE, {Bool({3})}),
       "square: wrong dtype: x bool[3], expected f32, f64 or an integer"},
      {Call(TIR_OP_SQUARE, {}),
       "square: wrong number of operands: 0, expected 1"},
      {Call(TIR_OP_SQRT, {I32({3})}),
       "sqrt: wrong dtype: x i32[3], expected f32 or f64"},
      {Call(TIR_OP_SQRT, {CallType{TIR_DTYPE_BF16, {3}}}),
       "sqrt: wrong dtype: x bf16[3], expected f32 or f64"},
      {Call(TIR_OP_EXP, {I32({3})}),
       "exp: wrong dtype: x i32[3], expected f32 or f64"},
      {Call(TIR_OP_EXP, {Bool({})}),
       "exp: wrong dtype: x bool[], expected f32 or f64"},
      {Call(TIR_OP_LOG, {I64({3})}),
       "log: wrong dtype: x i64[3], expected f32 or f64"},
      {Call(TIR_OP_LOG, {}), "log: wrong number of operands: 0, expected 1"},
      {Call(TIR_OP_TANH, {I32({2, 3})}),
       "tanh: wrong dtype: x i32[2, 3], expected f32 or f64"},
      {Call(TIR_OP_TANH, {F32({}), F32({})}),
       "tanh: wrong number of operands: 2, expected 1"},
      {Call(TIR_OP_SIGMOID, {Bool({2, 3})}),
       "sigmoid: wrong dtype: x bool[2, 3], expected f32 or f64"},
      {Call(TIR_OP_SIGMOID, {I32({2, 3})}),
       "sigmoid: wrong dtype: x i32[2, 3], expected f32 or f64"},
      {Call(TIR_OP_RELU, {Bool({2, 3})}),
       "relu: wrong dtype: x bool[2, 3], expected f32, f64 or an integer"},
      {Call(TIR_OP_RELU, {CallType{TIR_DTYPE_F16, {}}}),
       "relu: wrong dtype: x f16[], expected f32, f64 or an integer"},
      {Call(TIR_OP_CAST, {F32({3})}, tir_attrs_dtype{0}),
       "cast: dtype is 0, which is no dtype"},
      {Call(TIR_OP_CAST, {F32({3})}, tir_attrs_dtype{11}),
       "cast: dtype is 11, which is no dtype"},
  };
}

std::vector<Mistake> MistakesOfBinary() {
  return {
      {Call(TIR_OP_ADD, {F32({4, 3}), F32({4})}),
       "add: shapes do not broadcast: a f32[4, 3], b f32[4]"},
      {Call(TIR_OP_ADD, {F32({3}), F64({3})}),
       "add: dtypes differ: a f32[3], b f64[3]"},
      {Call(TIR_OP_ADD, {Bool({3}), Bool({3})}),
       "add: wrong dtype: a bool[3], expected f32, f64 or an integer"},
      {Call(TIR_OP_SUB, {F32({2, 2}), F32({3, 1})}),
       "sub: shapes do not broadcast: a f32[2, 2], b f32[3, 1]"},
      {Call(TIR_OP_SUB, {F32({3}), I32({3})}),
       "sub: dtypes differ: a f32[3], b i32[3]"},
      {Call(TIR_OP_MUL, {F32({5}), F32({4})}),
       "mul: shapes do not broadcast: a f32[5], b f32[4]"},
      {Call(TIR_OP_MUL, {F64({5}), F32({5})}),
       "mul: dtypes differ: a f64[5], b f32[5]"},
      {Call(TIR_OP_DIV, {F32({5}), F32({4})}),
       "div: shapes do not broadcast: a f32[5], b f32[4]"},
      {Call(TIR_OP_DIV, {I64({5}), I32({5})}),
       "div: dtypes differ: a i64[5], b i32[5]"},
      {Call(TIR_OP_POW, {I32({5}), I32({5})}),
       "pow: wrong dtype: x i32[5], expected f32 or f64"},
      {Call(TIR_OP_POW, {F32({5}), F32({4})}),
       "pow: shapes do not broadcast: x f32[5], y f32[4]"},
      {Call(TIR_OP_MAXIMUM, {F32({5}), F32({4})}),
       "maximum: shapes do not broadcast: a f32[5], b f32[4]"},
      {Call(TIR_OP_MAXIMUM, {F32({5}), Bool({5})}),
       "maximum: dtypes differ: a f32[5], b bool[5]"},
      {Call(TIR_OP_ADD_N, {F32({5}), F32({5}), F32({4})}),
       "add_n: shapes differ: x[0] f32[5], x[2] f32[4]"},
      {Call(TIR_OP_ADD_N, {F32({5}), F64({5})}),
       "add_n: dtypes differ: x[0] f32[5], x[1] f64[5]"},
      {Call(TIR_OP_ADD_N, {}),
       "add_n: wrong number of operands: 0, expected at least 1"},
      {Call(TIR_OP_EQUAL, {F32({5}), F32({4})}),
       "equal: shapes do not broadcast: a f32[5], b f32[4]"},
      {Call(TIR_OP_EQUAL, {F32({5}), I32({5})}),
       "equal: dtypes differ: a f32[5], b i32[5]"},
      {Call(TIR_OP_NOT_EQUAL, {F32({5}), F32({4})}),
       "not_equal: shapes do not broadcast: a f32[5], b f32[4]"},
      {Call(TIR_OP_NOT_EQUAL, {F32({5}), I32({5})}),
       "not_equal: dtypes differ: a f32[5], b i32[5]"},
      {Call(TIR_OP_LESS, {F32({5}), F32({4})}),
       "less: shapes do not broadcast: a f32[5], b f32[4]"},
      {Call(TIR_OP_LESS, {Bool({5}), Bool({5})}),
       "less: wrong dtype: a bool[5], expected f32, f64 or an integer"},
      {Call(TIR_OP_LESS_EQUAL, {F32({5}), F32({4})}),
       "less_equal: shapes do not broadcast: a f32[5], b f32[4]"},
      {Call(TIR_OP_LESS_EQUAL, {F32({5}), F64({5})}),
       "less_equal: dtypes differ: a f32[5], b f64[5]"},
      {Call(TIR_OP_GREATER, {F32({5}), F32({4})}),
       "greater: shapes do not broadcast: a f32[5], b f32[4]"},
      {Call(TIR_OP_GREATER, {F32({5}), F64({5})}),
       "greater: dtypes differ: a f32[5], b f64[5]"},
      {Call(TIR_OP_GREATER_EQUAL, {F32({5}), F32({4})}),
       "greater_equal: shapes do not broadcast: a f32[5], b f32[4]"},
      {Call(TIR_OP_GREATER_EQUAL, {I64({5}), I32({5})}),
       "greater_equal: dtypes differ: a i64[5], b i32[5]"},
      {Call(TIR_OP_WHERE, {F32({3}), F32({3}), F32({3})}),
       "where: wrong dtype: condition f32[3], expected bool"},
      {Call(TIR_OP_WHERE, {Bool({3}), F32({3}), F64({3})}),
       "where: dtypes differ: a f32[3], b f64[3]"},
      {Call(TIR_OP_WHERE, {Bool({3}), F32({3}), F32({2})}),
       "where: shapes do not broadcast: a f32[3], b f32[2]"},
      {Call(TIR_OP_WHERE, {Bool({2}), F32({3}), F32({3})}),
       "where: shapes do not broadcast: condition bool[2], a and b [3]"},
  };
}

std::vector<Mistake> MistakesOfReductions() {
  return {
      {Call(TIR_OP_REDUCE_SUM, {F32({2, 3})}, Axes({2})),
       "reduce_sum: axis 2 is out of range for x f32[2, 3] of rank 2"},
      {Call(TIR_OP_REDUCE_SUM, {F32({2, 3})}, Axes({1, -1})),
       "reduce_sum: axis 1 is given twice"},
      {Call(TIR_OP_REDUCE_SUM, {Bool({2, 3})}, Axes({})),
       "reduce_sum: wrong dtype: x bool[2, 3], expected f32, f64 or an "
       "integer"},
      {Call(TIR_OP_REDUCE_MEAN, {I32({2, 3})}, Axes({})),
       "reduce_mean: wrong dtype: x i32[2, 3], expected f32 or f64"},
      {Call(TIR_OP_REDUCE_MEAN, {F32({2, 3})}, Axes({-3})),
       "reduce_mean: axis -3 is out of range for x f32[2, 3] of rank 2"},
      {Call(TIR_OP_REDUCE_MAX, {F32({2, 0})}, Axes({1})),
       "reduce_max: no maximum over axis 1 of size 0: x f32[2, 0]"},
      {Call(TIR_OP_REDUCE_MAX, {F32({2, 3})}, Axes({}, 2)),
       "reduce_max: keep_dims is 2, expected 0 or 1"},
      {Call(TIR_OP_NORM, {I32({2})}, Axes({})),
       "norm: wrong dtype: x i32[2], expected f32 or f64"},
      {Call(TIR_OP_NORM, {F32({2})}, Axes({1})),
       "norm: axis 1 is out of range for x f32[2] of rank 1"},
      {Call(TIR_OP_ARGMAX, {F32({2})}, tir_attrs_argmax{1, 0}),
       "argmax: axis 1 is out of range for x f32[2] of rank 1"},
      {Call(TIR_OP_ARGMAX, {F32({2, 0})}, tir_attrs_argmax{1, 0}),
       "argmax: no maximum over axis 1 of size 0: x f32[2, 0]"},
      {Call(TIR_OP_RSQRT, {I32({2, 3})}),
       "rsqrt: wrong dtype: x i32[2, 3], expected f32 or f64"},
      {Call(TIR_OP_RSQRT, {F32({}), F32({})}),
       "rsqrt: wrong number of operands: 2, expected 1"},
      {Call(TIR_OP_EXPM1, {I32({2, 3})}),
       "expm1: wrong dtype: x i32[2, 3], expected f32 or f64"},
      {Call(TIR_OP_EXPM1, {F32({}), F32({})}),
       "expm1: wrong number of operands: 2, expected 1"},
      {Call(TIR_OP_LOG1P, {I32({2, 3})}),
       "log1p: wrong dtype: x i32[2, 3], expected f32 or f64"},
      {Call(TIR_OP_LOG1P, {F32({}), F32({})}),
       "log1p: wrong number of operands: 2, expected 1"},
      {Call(TIR_OP_ERF, {I32({2, 3})}),
       "erf: wrong dtype: x i32[2, 3], expected f32 or f64"},
      {Call(TIR_OP_ERF, {F32({}), F32({})}),
       "erf: wrong number of operands: 2, expected 1"},
      {Call(TIR_OP_SIN, {I32({2, 3})}),
       "sin: wrong dtype: x i32[2, 3], expected f32 or f64"},
      {Call(TIR_OP_SIN, {F32({}), F32({})}),
       "sin: wrong number of operands: 2, expected 1"},
      {Call(TIR_OP_COS, {I32({2, 3})}),
       "cos: wrong dtype: x i32[2, 3], expected f32 or f64"},
      {Call(TIR_OP_COS, {F32({}), F32({})}),
       "cos: wrong number of operands: 2, expected 1"},
      {Call(TIR_OP_SOFTPLUS, {I32({2, 3})}),
       "softplus: wrong dtype: x i32[2, 3], expected f32 or f64"},
      {Call(TIR_OP_SOFTPLUS, {F32({}), F32({})}),
       "softplus: wrong number of operands: 2, expected 1"},
      {Call(TIR_OP_SILU, {I32({2, 3})}),
       "silu: wrong dtype: x i32[2, 3], expected f32 or f64"},
      {Call(TIR_OP_SILU, {F32({}), F32({})}),
       "silu: wrong number of operands: 2, expected 1"},
      {Call(TIR_OP_GELU, {I32({2, 3})}),
       "gelu: wrong dtype: x i32[2, 3], expected f32 or f64"},
      {Call(TIR_OP_GELU, {F32({}), F32({})}),
       "gelu: wrong number of operands: 2, expected 1"},
      {Call(TIR_OP_GELU_TANH, {I32({2, 3})}),
       "gelu_tanh: wrong dtype: x i32[2, 3], expected f32 or f64"},
      {Call(TIR_OP_GELU_TANH, {F32({}), F32({})}),
       "gelu_tanh: wrong number of operands: 2, expected 1"},
  };
}

std::vector<Mistake> MistakesOfLimits() {
  return {
      {Call(TIR_OP_MINIMUM, {F32({5}), F32({4})}),
       "minimum: shapes do not broadcast: a f32[5], b f32[4]"},
      {Call(TIR_OP_MINIMUM, {F32({5}), F64({5})}),
       "minimum: dtypes differ: a f32[5], b f64[5]"},
      {Call(TIR_OP_CLIP, {F32({5}), F32({}), F32({4})}),
       "clip: shapes do not broadcast: x f32[5], high f32[4]"},
      {Call(TIR_OP_CLIP, {F32({5}), F64({}), F32({})}),
       "clip: dtypes differ: x f32[5], low f64[]"},
      {Call(TIR_OP_CLIP, {Bool({5}), Bool({}), Bool({})}),
       "clip: wrong dtype: x bool[5], expected f32, f64 or an integer"},
      {Call(TIR_OP_CLIP, {F32({5}), F32({})}),
       "clip: wrong number of operands: 2, expected 3"},
      {Call(TIR_OP_REDUCE_PROD, {Bool({2, 3})}, Axes({})),
       "reduce_prod: wrong dtype: x bool[2, 3], expected f32, f64 or an "
       "integer"},
      {Call(TIR_OP_REDUCE_PROD, {F32({2, 3})}, Axes({2})),
       "reduce_prod: axis 2 is out of range for x f32[2, 3] of rank 2"},
      {Call(TIR_OP_REDUCE_MIN, {F32({2, 0})}, Axes({1})),
       "reduce_min: no minimum over axis 1 of size 0: x f32[2, 0]"},
      {Call(TIR_OP_REDUCE_MIN, {F32({2, 3})}, Axes({}, 2)),
       "reduce_min: keep_dims is 2, expected 0 or 1"},
      {Call(TIR_OP_ARGMIN, {F32({2})}, tir_attrs_argmax{1, 0}),
       "argmin: axis 1 is out of range for x f32[2] of rank 1"},
      {Call(TIR_OP_ARGMIN, {F32({2, 0})}, tir_attrs_argmax{1, 0}),
       "argmin: no minimum over axis 1 of size 0: x f32[2, 0]"},
      {Call(TIR_OP_LOGSUMEXP, {F32({2})}, tir_attrs_argmax{1, 0}),
       "logsumexp: axis 1 is out of range for x f32[2] of rank 1"},
      {Call(TIR_OP_LOGSUMEXP, {I32({2})}, tir_attrs_argmax{0, 0}),
       "logsumexp: wrong dtype: x i32[2], expected f32 or f64"},
      {Call(TIR_OP_PAD, {F32({2}), F32({})},
            tir_attrs_pad{List({1}), List({1, 1})}),
       "pad: before has 1 entries, after 2: expected as many"},
      {Call(TIR_OP_PAD, {F32({2}), F32({})},
            tir_attrs_pad{List({1, 1}), List({1, 1})}),
       "pad: 2 axes are padded, x f32[2] has rank 1"},
      {Call(TIR_OP_PAD, {F32({2}), F32({})},
            tir_attrs_pad{List({1}), List({-1})}),
       "pad: axis 0 is padded by 1 and -1, expected 0 or more"},
      {Call(TIR_OP_PAD, {F32({2}), F32({})},
            tir_attrs_pad{List({INT64_MAX}), List({0})}),
       "pad: sizes along axis 0 add up to more than 9223372036854775807"},
      {Call(TIR_OP_PAD, {F32({2}), F64({})},
            tir_attrs_pad{List({1}), List({1})}),
       "pad: wrong dtype: value f64[], expected f32"},
      {Call(TIR_OP_PAD, {F32({2}), F32({2})},
            tir_attrs_pad{List({1}), List({1})}),
       "pad: value f32[2] is not a scalar"},
      {Call(TIR_OP_FLIP, {F32({2, 3})}, Perm({2})),
       "flip: axis 2 is out of range for x f32[2, 3] of rank 2"},
      {Call(TIR_OP_FLIP, {F32({2, 3})}, Perm({1, -1})),
       "flip: axis 1 is given twice"},
      {Call(TIR_OP_TRIL, {F32({3})}),
       "tril: rank is 1, expected at least 2: x f32[3]"},
      {Call(TIR_OP_TRIL, {F32({3, 3}), F32({3, 3})}),
       "tril: wrong number of operands: 2, expected 1"},
      {Call(TIR_OP_TRIU, {F32({3})}),
       "triu: rank is 1, expected at least 2: x f32[3]"},
      {Call(TIR_OP_TRIU, {F32({3, 3}), F32({3, 3})}),
       "triu: wrong number of operands: 2, expected 1"},
      {Call(TIR_OP_CUMSUM, {F32({2, 3})}, tir_attrs_scan{-3, 0, 0}),
       "cumsum: axis -3 is out of range for x f32[2, 3] of rank 2"},
      {Call(TIR_OP_CUMSUM, {F32({2, 3})}, tir_attrs_scan{0, 0, 2}),
       "cumsum: reverse is 2, expected 0 or 1"},
      {Call(TIR_OP_CUMSUM, {Bool({2})}, tir_attrs_scan{0, 0, 0}),
       "cumsum: wrong dtype: x bool[2], expected f32, f64 or an integer"},
  };
}

std::vector<Mistake> MistakesOfNormalizing() {
  return {
      {Call(TIR_OP_NORMALIZE, {I32({2}), I32({})}, Perm({0})),
       "normalize: wrong dtype: x i32[2], expected f32 or f64"},
      {Call(TIR_OP_NORMALIZE, {F32({2}), F64({})}, Perm({0})),
       "normalize: wrong dtype: epsilon f64[], expected f32"},
      {Call(TIR_OP_NORMALIZE, {F32({2}), F32({1})}, Perm({0})),
       "normalize: epsilon f32[1] is not a scalar"},
      {Call(TIR_OP_NORMALIZE, {F32({2}), F32({})}, Perm({1})),
       "normalize: axis 1 is out of range for x f32[2] of rank 1"},
      {Call(TIR_OP_RMS_NORMALIZE, {I32({2}), I32({})}, Perm({0})),
       "rms_normalize: wrong dtype: x i32[2], expected f32 or f64"},
      {Call(TIR_OP_RMS_NORMALIZE, {F32({2}), F64({})}, Perm({0})),
       "rms_normalize: wrong dtype: epsilon f64[], expected f32"},
      {Call(TIR_OP_RMS_NORMALIZE, {F32({2}), F32({1})}, Perm({0})),
       "rms_normalize: epsilon f32[1] is not a scalar"},
      {Call(TIR_OP_RMS_NORMALIZE, {F32({2}), F32({})}, Perm({1})),
       "rms_normalize: axis 1 is out of range for x f32[2] of rank 1"},
      {Call(TIR_OP_REDUCE_TO, {F32({2, 3}), F32({2})}),
       "reduce_to: like f32[2] does not broadcast to x f32[2, 3]"},
      {Call(TIR_OP_REDUCE_TO, {F32({3}), F32({2, 3})}),
       "reduce_to: like f32[2, 3] does not broadcast to x f32[3]"},
      {Call(TIR_OP_MATMUL, {F32({4, 3}), F32({2, 1})}),
       "matmul: inner sizes differ: a f32[4, 3] has k=3, b f32[2, 1] has k=2"},
      {Call(TIR_OP_MATMUL, {F32({3, 4}), F32({1, 2})}, tir_attrs_matmul{1, 1}),
       "matmul: inner sizes differ: a f32[3, 4] has k=3, b f32[1, 2] has k=2"},
      {Call(TIR_OP_MATMUL, {F32({3}), F32({3, 2})}),
       "matmul: rank is 1, expected at least 2: a f32[3]"},
      {Call(TIR_OP_MATMUL, {F32({4, 3}), F64({3, 2})}),
       "matmul: dtypes differ: a f32[4, 3], b f64[3, 2]"},
      {Call(TIR_OP_MATMUL, {I32({4, 3}), I32({3, 2})}),
       "matmul: wrong dtype: a i32[4, 3], expected f32 or f64"},
      {Call(TIR_OP_MATMUL, {F32({5, 4, 3}), F32({2, 3, 2})}),
       "matmul: leading axes do not broadcast: a f32[5, 4, 3], b f32[2, 3, 2]"},
      {Call(TIR_OP_RESHAPE, {F32({2, 3})}, Dims({4, 2})),
       "reshape: x f32[2, 3] has 6 elements, dims [4, 2] do not fit them"},
      {Call(TIR_OP_RESHAPE, {F32({2, 3})}, Dims({-1, 4})),
       "reshape: x f32[2, 3] has 6 elements, dims [-1, 4] do not fit them"},
      {Call(TIR_OP_RESHAPE, {F32({2, 3})}, Dims({-1, -1})),
       "reshape: dim 1 is -1, expected 0 or more, and -1 at most once"},
      {Call(TIR_OP_RESHAPE, {F32({0, 3})}, Dims({-1, 0})),
       "reshape: x f32[0, 3] has 0 elements, dims [-1, 0] do not fit them"},
      {Call(TIR_OP_RESHAPE, {F32({2, 3})}, Dims({-2, 3})),
       "reshape: dim 0 is -2, expected 0 or more, and -1 at most once"},
      {Call(TIR_OP_RESHAPE_LIKE, {F32({2, 3}), F32({4})}),
       "reshape_like: x f32[2, 3] has 6 elements, like f32[4] has 4"},
      {Call(TIR_OP_RESHAPE_LIKE, {F32({0}), F32({})}),
       "reshape_like: x f32[0] has 0 elements, like f32[] has 1"},
      {Call(TIR_OP_EXPAND_DIMS, {F32({2})}, Perm({2})),
       "expand_dims: axis 2 is out of range for a result of rank 2"},
      {Call(TIR_OP_EXPAND_DIMS, {F32({2})}, Perm({0, -3})),
       "expand_dims: axis 0 is given twice"},
      {Call(TIR_OP_EXPAND_DIMS, {F32({1, 1, 1, 1, 1, 1, 1, 1})}, Perm({0})),
       "expand_dims: x f32[1, 1, 1, 1, 1, 1, 1, 1] with 1 new axes has rank "
       "9, expected at most 8"},
      {Call(TIR_OP_TRANSPOSE, {F32({2, 3})}, Perm({1})),
       "transpose: perm has 1 entries, x f32[2, 3] has rank 2"},
      {Call(TIR_OP_TRANSPOSE, {F32({2, 3})}, Perm({1, 1})),
       "transpose: perm[1] is 1, expected each of 0 to 1 once"},
      {Call(TIR_OP_TRANSPOSE, {F32({2, 3})}, Perm({0, -1})),
       "transpose: perm[1] is -1, expected each of 0 to 1 once"},
      {Call(TIR_OP_BROADCAST_TO, {F32({2, 3})}, Dims({3})),
       "broadcast_to: x f32[2, 3] does not broadcast to [3]"},
      {Call(TIR_OP_BROADCAST_TO, {F32({2, 3})}, Dims({4, 2, 4})),
       "broadcast_to: x f32[2, 3] does not broadcast to [4, 2, 4]"},
      {Call(TIR_OP_BROADCAST_TO, {F32({2, 3})}, Dims({-1, 2, 3})),
       "broadcast_to: dim 0 is -1, expected 0 or more for a new axis"},
      {Call(TIR_OP_BROADCAST_TO, {F32({2, 3})}, Dims({2, -2})),
       "broadcast_to: dim 1 is -2, expected 0 or more, or -1 to keep it"},
      {Call(TIR_OP_BROADCAST_LIKE, {F32({2, 3}), F32({3})}),
       "broadcast_like: x f32[2, 3] does not broadcast to like f32[3]"},
      {Call(TIR_OP_BROADCAST_LIKE, {F32({2}), F32({3})}),
       "broadcast_like: x f32[2] does not broadcast to like f32[3]"},
  };
}

std::vector<Mistake> MistakesOfMovement() {
  return {
      {Call(TIR_OP_CONCAT, {F32({2, 3}), F32({2, 4})}, Axis(0)),
       "concat: shapes differ outside axis 0: x[0] f32[2, 3], x[1] f32[2, 4]"},
      {Call(TIR_OP_CONCAT, {F32({2}), F64({2})}, Axis(0)),
       "concat: dtypes differ: x[0] f32[2], x[1] f64[2]"},
      {Call(TIR_OP_CONCAT, {F32({2}), F32({2})}, Axis(1)),
       "concat: axis 1 is out of range for x[0] f32[2] of rank 1"},
      {Call(TIR_OP_CONCAT, {F32({2}), F32({2, 1})}, Axis(0)),
       "concat: shapes differ outside axis 0: x[0] f32[2], x[1] f32[2, 1]"},
      {Call(TIR_OP_CONCAT_PART, {F32({4}), F32({2}), F32({2})},
            tir_attrs_concat_part{0, 2}),
       "concat_part: index is 2, expected 0 to 1"},
      {Call(TIR_OP_CONCAT_PART, {F32({4}), F32({2}), F32({3})},
            tir_attrs_concat_part{0, 0}),
       "concat_part: the parts join to [5], not to the shape of whole f32[4]"},
      {Call(TIR_OP_CONCAT_PART, {F32({4}), F32({2, 2}), F32({2, 2})},
            tir_attrs_concat_part{0, 0}),
       "concat_part: ranks differ: whole f32[4], part[1] f32[2, 2]"},
      {Call(TIR_OP_SLICE, {F32({4})}, Range({0, 0}, {1, 1})),
       "slice: 2 axes are sliced, x f32[4] has rank 1"},
      {Call(TIR_OP_SLICE, {F32({4})}, Range({0}, {1}, {0})),
       "slice: step 0 is 0, expected 1 or more"},
      {Call(TIR_OP_SLICE, {F32({4})}, Range({0}, {})),
       "slice: 1 starts, 0 stops, 0 steps: expected as many of each, or no "
       "steps"},
      {Call(TIR_OP_UNSLICE, {F32({2}), F32({4})}, Range({0}, {3})),
       "unslice: the slice of like f32[4] is [3], not the shape of part "
       "f32[2]"},
      {Call(TIR_OP_UNSLICE, {F32({2}), F32({})}, Range({0}, {2})),
       "unslice: 1 axes are sliced, like f32[] has rank 0"},
  };
}

std::vector<Mistake> MistakesOfWindows() {
  return {
      {Call(TIR_OP_CHECK_RANGE, {F32({}), F32({4})}, tir_attrs_window{0, 1}),
       "check_range: wrong dtype: x f32[], expected i32 or i64"},
      {Call(TIR_OP_CHECK_RANGE, {I64({}), F32({4})}, tir_attrs_window{0, 5}),
       "check_range: size is 5, expected 0 to 4, axis 0 of whole f32[4]"},
      {Call(TIR_OP_CHECK_RANGE, {I64({}), F32({4}), F32({5})},
            tir_attrs_window{0, 0}),
       "check_range: part f32[5] does not fit into whole f32[4] along axis 0"},
      {Call(TIR_OP_CHECK_RANGE, {I64({}), F32({4}), F32({3})},
            tir_attrs_window{0, 1}),
       "check_range: size is 1, expected 0 beside an operand that gives it"},
      {Call(TIR_OP_SLICE_AT, {F32({4, 3}), I64({2})}, tir_attrs_window{1, 1}),
       "slice_at: start i64[2] is not a scalar and has not the leading sizes "
       "of x f32[4, 3] before axis 1"},
      {Call(TIR_OP_SLICE_AT, {F32({4, 3}), I64({4})}, tir_attrs_window{0, 1}),
       "slice_at: start i64[4] is not a scalar and has not the leading sizes "
       "of x f32[4, 3] before axis 0"},
      {Call(TIR_OP_SLICE_AT, {F32({4}), I64({})}, tir_attrs_window{0, -1}),
       "slice_at: size is -1, expected 0 to 4, axis 0 of x f32[4]"},
      {Call(TIR_OP_SLICE_AT, {F32({4, 3}), I64({}), F32({4, 2, 1})},
            tir_attrs_window{1, 0}),
       "slice_at: like f32[4, 2, 1] does not fit into x f32[4, 3] along axis "
       "1"},
      {Call(TIR_OP_UPDATE_SLICE, {F32({4, 3}), F64({4, 2}), I64({})}, Axis(1)),
       "update_slice: dtypes differ: base f32[4, 3], value f64[4, 2]"},
      {Call(TIR_OP_UPDATE_SLICE, {F32({4, 3}), F32({4, 4}), I64({})}, Axis(1)),
       "update_slice: value f32[4, 4] does not fit into base f32[4, 3] along "
       "axis 1"},
      {Call(TIR_OP_UPDATE_SLICE, {F32({4, 3}), F32({2, 2}), I64({})}, Axis(1)),
       "update_slice: value f32[2, 2] does not fit into base f32[4, 3] along "
       "axis 1"},
      {Call(TIR_OP_UPDATE_SLICE, {F32({4}), F32({2}), F32({})}, Axis(0)),
       "update_slice: wrong dtype: start f32[], expected i32 or i64"},
      {Call(TIR_OP_UPDATE_SLICE, {F32({4}), F32({2}), I64({})}, Axis(1)),
       "update_slice: axis 1 is out of range for base f32[4] of rank 1"},
      {Call(TIR_OP_ATTENTION, {F32({2, 3}), F32({4, 3}), F32({4, 3})},
            tir_attrs_attention{0, 1, 0}),
       "attention: 3 operands, expected 4: has_mask is 1, has_length 0"},
      {Call(TIR_OP_ATTENTION, {F32({2, 3}), F32({4, 2}), F32({4, 3})}),
       "attention: features differ: q f32[2, 3], k f32[4, 2]"},
      {Call(TIR_OP_ATTENTION, {F32({2, 3}), F32({4, 3}), F32({5, 3})}),
       "attention: positions differ: k f32[4, 3], v f32[5, 3]"},
      {Call(TIR_OP_ATTENTION, {F32({3}), F32({4, 3}), F32({4, 3})}),
       "attention: q f32[3] has rank 1, expected 2 or more"},
      {Call(TIR_OP_ATTENTION, {F32({2, 3}), F32({2, 4, 3}), F32({4, 3})}),
       "attention: leading axes of k f32[2, 4, 3] do not broadcast to those of "
       "q f32[2, 3]"},
      {Call(TIR_OP_ATTENTION, {F32({2, 3}), F64({4, 3}), F32({4, 3})}),
       "attention: dtypes differ: q f32[2, 3], k f64[4, 3]"},
      {Call(TIR_OP_ATTENTION, {F32({2, 3}), F32({4, 3}), F32({4, 3}), F32({2})},
            tir_attrs_attention{0, 1, 0}),
       "attention: mask f32[2] does not broadcast to the scores, [2, 4]"},
      {Call(TIR_OP_ATTENTION,
            {F32({5, 2, 3}), F32({4, 3}), F32({4, 3}), I64({2})},
            tir_attrs_attention{0, 0, 1}),
       "attention: length i64[2] is not a scalar and has not the leading sizes "
       "of q f32[5, 2, 3]"},
  };
}

std::vector<Mistake> MistakesOfIndexing() {
  return {
      {Call(TIR_OP_GATHER, {F32({4, 3}), F32({2})}, Axis(0)),
       "gather: wrong dtype: indices f32[2], expected i32 or i64"},
      {Call(TIR_OP_GATHER, {F32({}), I32({2})}, Axis(0)),
       "gather: axis 0 is out of range for x f32[] of rank 0"},
      {Call(TIR_OP_GATHER, {F32({1, 1, 1, 1, 1}), I32({1, 1, 1, 1, 1})},
            Axis(0)),
       "gather: x f32[1, 1, 1, 1, 1] at indices i32[1, 1, 1, 1, 1] has rank "
       "9, expected at most 8"},
      {Call(TIR_OP_SCATTER_ADD, {F32({4, 3}), I32({2}), F32({2, 4})}, Axis(0)),
       "scatter_add: wrong shape: updates f32[2, 4], expected [2, 3]"},
      {Call(TIR_OP_SCATTER_ADD, {F32({4, 3}), I32({2}), F64({2, 3})}, Axis(0)),
       "scatter_add: dtypes differ: base f32[4, 3], updates f64[2, 3]"},
      {Call(TIR_OP_SCATTER_ADD, {Bool({4}), I32({2}), Bool({2})}, Axis(0)),
       "scatter_add: wrong dtype: base bool[4], expected f32, f64 or an "
       "integer"},
      {Call(TIR_OP_ONE_HOT, {F32({4})}, tir_attrs_one_hot{3, TIR_DTYPE_F32}),
       "one_hot: wrong dtype: indices f32[4], expected i32 or i64"},
      {Call(TIR_OP_ONE_HOT, {I32({4})}, tir_attrs_one_hot{-1, TIR_DTYPE_F32}),
       "one_hot: depth is -1, expected 0 or more"},
      {Call(TIR_OP_ONE_HOT, {I32({1, 1, 1, 1, 1, 1, 1, 1})},
            tir_attrs_one_hot{1, TIR_DTYPE_F32}),
       "one_hot: indices i32[1, 1, 1, 1, 1, 1, 1, 1] has no room for another "
       "axis"},
      {Call(TIR_OP_SOFTMAX, {I32({4})}, Axis(0)),
       "softmax: wrong dtype: x i32[4], expected f32 or f64"},
      {Call(TIR_OP_SOFTMAX, {F32({})}, Axis(-1)),
       "softmax: axis -1 is out of range for x f32[] of rank 0"},
      {Call(TIR_OP_LOG_SOFTMAX, {I32({4})}, Axis(0)),
       "log_softmax: wrong dtype: x i32[4], expected f32 or f64"},
      {Call(TIR_OP_LOG_SOFTMAX, {F32({4, 3})}, Axis(2)),
       "log_softmax: axis 2 is out of range for x f32[4, 3] of rank 2"},
      {Call(TIR_OP_CROSS_ENTROPY, {F32({4, 3}), F32({4})}),
       "cross_entropy: wrong dtype: target f32[4], expected i32 or i64"},
      {Call(TIR_OP_CROSS_ENTROPY, {F32({4, 3}), I64({3})}),
       "cross_entropy: target i64[3] does not name a class for each row of "
       "logits f32[4, 3]"},
      {Call(TIR_OP_CROSS_ENTROPY, {F32({4, 3}), I64({4, 3})}),
       "cross_entropy: target i64[4, 3] does not name a class for each row "
       "of logits f32[4, 3]"},
      {Call(TIR_OP_CROSS_ENTROPY, {F32({}), I64({})}),
       "cross_entropy: logits f32[] has no axis of classes"},
      {Call(TIR_OP_CROSS_ENTROPY, {I32({4, 3}), I64({4})}),
       "cross_entropy: wrong dtype: logits i32[4, 3], expected f32 or f64"},
      {Call(TIR_OP_RANDOM_UNIFORM, {I64({3}), I64({})},
            tir_attrs_random{TIR_DTYPE_F32, List({2})}),
       "random_uniform: wrong type: state i64[3], expected i64[2] of seed "
       "and step"},
      {Call(TIR_OP_RANDOM_UNIFORM, {I64({2}), I64({})},
            tir_attrs_random{TIR_DTYPE_I32, List({2})}),
       "random_uniform: dtype is i32, expected f32 or f64"},
      {Call(TIR_OP_RANDOM_UNIFORM, {I64({2}), I64({}), F32({3})},
            tir_attrs_random{TIR_DTYPE_F32, List({3})}),
       "random_uniform: dims has 1 entries, expected none beside operand like"},
      {Call(TIR_OP_RANDOM_NORMAL, {I64({2}), I32({})},
            tir_attrs_random{TIR_DTYPE_F32, List({2})}),
       "random_normal: wrong dtype: stream i32[], expected i64"},
      {Call(TIR_OP_RANDOM_NORMAL, {I64({2}), I64({1})},
            tir_attrs_random{TIR_DTYPE_F32, List({2})}),
       "random_normal: stream i64[1] is not a scalar"},
  };
}

std::vector<Mistake> MistakesOfOptimisers() {
  return {
      {Call(TIR_OP_SGD, {F32({3}), F32({4}), F32({})}),
       "sgd: shapes differ: w f32[3], g f32[4]"},
      {Call(TIR_OP_SGD, {F32({3}), F32({3}), F64({})}),
       "sgd: wrong dtype: lr f64[], expected f32"},
      {Call(TIR_OP_SGD, {F32({3}), F32({3}), F32({1})}),
       "sgd: lr f32[1] is not a scalar"},
      {Call(TIR_OP_MOMENTUM, {F32({3}), F32({2}), F32({3}), F32({}), F32({})}),
       "momentum: shapes differ: w f32[3], v f32[2]"},
      {Call(TIR_OP_MOMENTUM, {F32({3}), F32({3}), F32({3}), F32({})}),
       "momentum: wrong number of operands: 4, expected 5"},
      {Call(TIR_OP_ADAM, {F32({3}), F32({3}), F32({3}), F32({3}), F32({}),
                          F32({}), F32({}), F32({}), F32({})}),
       "adam: wrong dtype: step f32[], expected i64"},
      {Call(TIR_OP_ADAM, {I32({3}), I32({3}), I32({3}), I32({3}), I32({}),
                          I32({}), I32({}), I32({}), I64({})}),
       "adam: wrong dtype: w i32[3], expected f32 or f64"},
      {Call(TIR_OP_NESTEROV, {F32({3}), F32({2}), F32({3}), F32({}), F32({})}),
       "nesterov: shapes differ: w f32[3], v f32[2]"},
      {Call(TIR_OP_NESTEROV, {F32({3}), F32({3}), F32({3}), F32({1}), F32({})}),
       "nesterov: lr f32[1] is not a scalar"},
      {Call(TIR_OP_ADAMW, {F32({3}), F32({2}), F32({3}), F32({3}), F32({}),
                           F32({}), F32({}), F32({}), F32({}), I64({})}),
       "adamw: shapes differ: w f32[3], m f32[2]"},
      {Call(TIR_OP_ADAMW, {F32({3}), F32({3}), F32({3}), F32({3}), F32({1}),
                           F32({}), F32({}), F32({}), F32({}), I64({})}),
       "adamw: lr f32[1] is not a scalar"},
      {Call(TIR_OP_RMSPROP,
            {F32({3}), F32({2}), F32({3}), F32({}), F32({}), F32({})}),
       "rmsprop: shapes differ: w f32[3], v f32[2]"},
      {Call(TIR_OP_RMSPROP,
            {F32({3}), F32({3}), F32({3}), F32({1}), F32({}), F32({})}),
       "rmsprop: lr f32[1] is not a scalar"},
      {Call(TIR_OP_ADAGRAD, {F32({3}), F32({2}), F32({3}), F32({}), F32({})}),
       "adagrad: shapes differ: w f32[3], v f32[2]"},
      {Call(TIR_OP_ADAGRAD, {F32({3}), F32({3}), F32({3}), F32({1}), F32({})}),
       "adagrad: lr f32[1] is not a scalar"},
      {Call(TIR_OP_ADADELTA, {F32({3}), F32({2}), F32({3}), F32({3}), F32({}),
                              F32({}), F32({})}),
       "adadelta: shapes differ: w f32[3], v f32[2]"},
      {Call(TIR_OP_ADADELTA, {F32({3}), F32({3}), F32({3}), F32({3}), F32({1}),
                              F32({}), F32({})}),
       "adadelta: lr f32[1] is not a scalar"},
      {Call(TIR_OP_LION,
            {F32({3}), F32({2}), F32({3}), F32({}), F32({}), F32({}), F32({})}),
       "lion: shapes differ: w f32[3], m f32[2]"},
      {Call(TIR_OP_LION, {F32({3}), F32({3}), F32({3}), F32({1}), F32({}),
                          F32({}), F32({})}),
       "lion: lr f32[1] is not a scalar"},
      {Call(TIR_OP_ADAMW, {F32({3}), F32({3}), F32({3}), F32({3}), F32({}),
                           F32({}), F32({}), F32({}), F32({}), F32({})}),
       "adamw: wrong dtype: step f32[], expected i64"},
  };
}

TEST(OpMessages, AreAsWritten) {
  std::vector<int> n_mistakes(TIR_N_OPS);
  for (const auto &table :
       {MistakesOfStructure, MistakesOfCustom, MistakesOfUnary,
        MistakesOfBinary, MistakesOfReductions, MistakesOfLimits,
        MistakesOfNormalizing, MistakesOfMovement, MistakesOfWindows,
        MistakesOfIndexing, MistakesOfOptimisers})
    for (const Mistake &mistake : table()) {
      CallGraph graph;
      EXPECT_EQ(graph.Infer(mistake.call), mistake.message);
      n_mistakes[mistake.call.op]++;
    }
  // Those of ops with bodies are in tests/control/.
  for (int op = 1; op < TIR_N_OPS; op++) {
    const tir_op_desc *desc = tir_ir_op_desc(static_cast<tir_op>(op));
    if (!tir_ir_has_bodies(desc)) {
      EXPECT_GE(n_mistakes[op], 2) << desc->name;
    }
  }
}

TEST(OpMessages, NameTheUsersValues) {
  CallGraph graph;
  EXPECT_EQ(
      graph.Infer(Call(TIR_OP_MATMUL, {F32({4, 3}), F32({2, 1})}), {"x", "w"}),
      "matmul: inner sizes differ: a \"x\" f32[4, 3] has k=3, b \"w\" "
      "f32[2, 1] has k=2");
  EXPECT_EQ(graph.Infer(Call(TIR_OP_CONCAT, {F32({2}), F64({2})}, Axis(0)),
                        {nullptr, "y"}),
            "concat: dtypes differ: x[0] f32[2], x[1] \"y\" f64[2]");
}

// Long names are cut, so that both operands are always seen whole.
TEST(OpMessages, ShowBothOperandsOfLongNames) {
  const CallType big = F32({INT64_C(1) << 50, 0, 1, 1, 1, 1, 1, 7});
  const std::string name(300, 'x');
  CallGraph graph;
  const std::string message = graph.Infer(Call(TIR_OP_ADD, {big, F32({2, 3})}),
                                          {name.c_str(), name.c_str()});
  EXPECT_NE(message.find("f32[1125899906842624, 0, 1, 1, 1, 1, 1, 7], b"),
            std::string::npos)
      << message;
  EXPECT_EQ(message.substr(message.size() - 10), " f32[2, 3]") << message;
}

}  // namespace
