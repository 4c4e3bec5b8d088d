// The table of all cases, and the rows that fit no other file: ops without
// operands to compute with, random ops.

#include "tests/ops/cases.h"

namespace tapeir_test {
namespace {

std::vector<OpCase> Arange() {
  const auto n = [](int64_t count) {
    return [=](tir_dtype dtype) {
      return AsWords(tir_attrs_arange{dtype, count});
    };
  };
  std::vector<OpCase> cases;
  for (int64_t count : {0, 1, 4, 17, 100})
    cases.push_back({TIR_OP_ARANGE, {}, n(count)});
  return cases;
}

std::vector<OpCase> DimProduct() {
  const auto over = [](std::initializer_list<int64_t> axes) {
    tir_attrs_dim_product attrs = {};
    for (int64_t a : axes) attrs.axes.v[attrs.axes.n++] = a;
    return [=](tir_dtype dtype) {
      tir_attrs_dim_product typed = attrs;
      typed.dtype = dtype;
      return AsWords(typed);
    };
  };
  const tir_op op = TIR_OP_DIM_PRODUCT;
  return {
      {op, {I64({}, Fill::kAny)}, over({})},
      {op, {I64({B, 3}, Fill::kAny)}, over({})},
      {op, {I64({B, 3}, Fill::kAny)}, over({0})},
      {op, {I64({2, 3, 4}, Fill::kAny)}, over({0, -1})},
      {op, {I64({2, 0}, Fill::kAny)}, over({})},
      {op, {I64({7, 5}, Fill::kAny)}, over({1})},
  };
}

std::vector<OpCase> Random(tir_op op) {
  const auto shape = [](std::initializer_list<int64_t> dims) {
    tir_attrs_random attrs = {};
    for (int64_t d : dims) attrs.dims.v[attrs.dims.n++] = d;
    return [=](tir_dtype dtype) {
      tir_attrs_random typed = attrs;
      typed.dtype = dtype;
      return AsWords(typed);
    };
  };
  const Operand state = I64({2}, Fill::kState);
  const Operand stream = I64({}, Fill::kNumber, 3);
  return {
      {op, {state, stream}, shape({})},
      {op, {state, stream}, shape({1})},
      {op, {state, stream}, shape({4, 3})},
      {op, {state, stream}, shape({0, 3})},
      {op, {state, stream}, shape({1031})},
      {op, {state, I64({}, Fill::kNumber, -1)}, shape({7})},
      {op, {state, stream, T({B, 3})}, shape({})},
      {op, {state, stream, T({})}, shape({})},
  };
}

// y = a·x·w by a registered op.
std::vector<OpCase> Custom(tir_op op, const char *name) {
  const auto attrs = [=](double factor) {
    tir_attrs_custom custom = {};
    memcpy(custom.op.text, name, strlen(name));
    custom.version = 1;
    custom.floats = {1, {factor}};
    return [=](tir_dtype) { return AsWords(custom); };
  };
  std::vector<OpCase> cases;
  for (const std::vector<int64_t> &dims : std::vector<std::vector<int64_t>>{
           {}, {1}, {0}, {3, 0}, {B, 3}, {2, B, 5}, {1031}})
    cases.push_back({op, {T(dims), T(dims)}, attrs(dims.empty() ? -0.5 : 3)});
  cases.push_back({op,
                   {T({40}, Fill::kSpecial), T({40}, Fill::kSpecial, 1)},
                   attrs(1),
                   kValueOnly});
  return cases;
}

std::vector<OpInfo> MakeAll() {
  std::vector<OpInfo> ops;
  AddElementwiseCases(&ops);
  AddReduceCases(&ops);
  AddMovementCases(&ops);
  AddOtherCases(&ops);
  AddOptimCases(&ops);
  AddAttentionCases(&ops);
  return ops;
}

}  // namespace

void AddOtherCases(std::vector<OpInfo> *ops) {
  const auto exact = Accuracy::kExact;
  ops->push_back({TIR_OP_ARANGE, kNumbers, exact, 0, Arange()});
  ops->push_back({TIR_OP_DIM_PRODUCT, kFloats | Bit(TIR_DTYPE_I64), exact, 0,
                  DimProduct()});
  ops->push_back({TIR_OP_RANDOM_UNIFORM, kFloats, exact, 0,
                  Random(TIR_OP_RANDOM_UNIFORM)});
  ops->push_back({TIR_OP_RANDOM_NORMAL, kFloats, Accuracy::kUlp, 8,
                  Random(TIR_OP_RANDOM_NORMAL)});
  ops->push_back(
      {TIR_OP_CUSTOM, kFloats, exact, 0, Custom(TIR_OP_CUSTOM, "test.effect")});
  ops->push_back({TIR_OP_CUSTOM_PURE, kFloats, exact, 0,
                  Custom(TIR_OP_CUSTOM_PURE, "test.pure")});
}

const std::vector<OpInfo> &AllOps() {
  static const std::vector<OpInfo> ops = MakeAll();
  return ops;
}

bool IsStructure(tir_op op) {
  return op == TIR_OP_INPUT || op == TIR_OP_PARAM || op == TIR_OP_CONSTANT ||
         op == TIR_OP_GRADIENT || op == TIR_OP_ASSIGN ||
         tir_ir_has_bodies(tir_ir_op_desc(op));
}

std::string OpCase::Label(size_t row, tir_dtype dtype) const {
  std::string label = tir_ir_op_desc(op)->name;
  for (const Operand &operand : in) {
    label += std::string(" ") +
             tir_dtype_name(operand.dtype ? operand.dtype : dtype) + "[";
    for (size_t a = 0; a < operand.dims.size(); a++)
      label +=
          (a ? "," : "") +
          (operand.dims[a] == B ? "batch" : std::to_string(operand.dims[a]));
    label += "]";
  }
  return label + " as " + tir_dtype_name(dtype) + ", row " +
         std::to_string(row);
}

}  // namespace tapeir_test
