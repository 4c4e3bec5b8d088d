// Rows of movement and indexing.

#include "tests/ops/cases.h"

namespace tapeir_test {
namespace {

using Attrs = std::function<Words(tir_dtype)>;
using List = std::initializer_list<int64_t>;

tir_ir_ints Ints(List values) {
  tir_ir_ints ints = {};
  for (int64_t v : values) ints.v[ints.n++] = v;
  return ints;
}

// tir_attrs_dims and tir_attrs_axes have one list each.
Attrs OneList(List values) {
  const tir_attrs_dims attrs = {Ints(values)};
  return [attrs](tir_dtype) { return AsWords(attrs); };
}

Attrs Axis(int64_t axis) {
  return [=](tir_dtype) { return AsWords(tir_attrs_axis{axis}); };
}

Attrs Part(int64_t axis, int64_t index) {
  return [=](tir_dtype) { return AsWords(tir_attrs_concat_part{axis, index}); };
}

Attrs Slice(List starts, List stops, List steps = {}) {
  const tir_attrs_slice attrs = {Ints(starts), Ints(stops), Ints(steps)};
  return [attrs](tir_dtype) { return AsWords(attrs); };
}

std::vector<OpCase> Reshape() {
  const tir_op op = TIR_OP_RESHAPE;
  return {
      {op, {T({B, 6})}, OneList({-1, 2, 3})},
      {op, {T({2, 3})}, OneList({6})},
      {op, {T({})}, OneList({1})},
      {op, {T({1, 1})}, OneList({})},
      {op, {T({0, 3})}, OneList({3, 0})},
      {op, {T({4, 3})}, OneList({2, -1})},
      {op, {T({24}, Fill::kSpecial)}, OneList({2, 3, 4}), kValueOnly},
  };
}

std::vector<OpCase> ReshapeLike() {
  const tir_op op = TIR_OP_RESHAPE_LIKE;
  return {
      {op, {T({B, 6}), T({B, 2, 3})}, {}},
      {op, {T({2, 3}), T({6})}, {}},
      {op, {T({}), T({1})}, {}},
      {op, {T({1, 1}), T({})}, {}},
      {op, {T({0, 3}), T({3, 0})}, {}},
      {op, {T({24}, Fill::kSpecial), T({4, 6})}, {}, kValueOnly},
  };
}

std::vector<OpCase> ExpandDims() {
  const tir_op op = TIR_OP_EXPAND_DIMS;
  return {
      {op, {T({})}, OneList({0})},
      {op, {T({B, 3})}, OneList({0})},
      {op, {T({B, 3})}, OneList({1, -1})},
      {op, {T({2, 0})}, OneList({2})},
      {op, {T({3})}, OneList({0, 1, 3})},
      {op, {T({17}, Fill::kSpecial)}, OneList({1}), kValueOnly},
  };
}

std::vector<OpCase> Transpose() {
  const tir_op op = TIR_OP_TRANSPOSE;
  return {
      {op, {T({})}, OneList({})},
      {op, {T({5})}, OneList({0})},
      {op, {T({B, 3})}, OneList({1, 0})},
      {op, {T({B, 3})}, OneList({0, 1})},
      {op, {T({2, 3, 2})}, OneList({2, 0, 1})},
      {op, {T({2, 3, 2})}, OneList({0, 2, 1})},
      {op, {T({2, 0, 3})}, OneList({1, 2, 0})},
      {op, {T({1, 2, 1, 3})}, OneList({3, 2, 1, 0})},
      {op, {T({67, 35})}, OneList({1, 0}), kValueOnly},
      // One type in and out: would be wrong in place.
      {op, {T({17, 17})}, OneList({1, 0}), kValueOnly},
      {op, {T({5, 17, 9})}, OneList({1, 0, 2}), kValueOnly},
  };
}

std::vector<OpCase> BroadcastTo() {
  const tir_op op = TIR_OP_BROADCAST_TO;
  return {
      {op, {T({})}, OneList({2, 2})},
      {op, {T({})}, OneList({})},
      {op, {T({3})}, OneList({2, 3})},
      {op, {T({B, 1})}, OneList({-1, 5})},
      {op, {T({1, 3})}, OneList({4, -1})},
      {op, {T({0, 1})}, OneList({0, 4})},
      {op, {T({1})}, OneList({0})},
      {op, {T({2, 1, 3})}, OneList({2, 2, 2, 3})},
      {op, {T({7, 1})}, OneList({7, 67}), kValueOnly},
  };
}

std::vector<OpCase> BroadcastLike() {
  const tir_op op = TIR_OP_BROADCAST_LIKE;
  return {
      {op, {T({}), T({B, 2})}, {}},     {op, {T({}), T({})}, {}},
      {op, {T({3}), T({B, 3})}, {}},    {op, {T({B, 1}), T({B, 5})}, {}},
      {op, {T({1, 1}), T({2, 0})}, {}}, {op, {T({2, 1, 3}), T({2, 2, 3})}, {}},
  };
}

std::vector<OpCase> Concat() {
  const tir_op op = TIR_OP_CONCAT;
  return {
      {op, {T({B, 3})}, Axis(0)},
      {op, {T({B, 1}), T({B, 2})}, Axis(1)},
      {op, {T({B, 2}), T({3, 2})}, Axis(0)},
      {op, {T({2, 1}), T({2, 0}), T({2, 2})}, Axis(-1)},
      {op, {T({2, 1, 2}), T({2, 3, 2}), T({2, 2, 2})}, Axis(1)},
      {op, {T({0}), T({0})}, Axis(0)},
      {op, {T({19, 3}), T({23, 3})}, Axis(0), kValueOnly},
  };
}

std::vector<OpCase> ConcatPart() {
  const tir_op op = TIR_OP_CONCAT_PART;
  return {
      {op, {T({B, 3}), T({B, 3})}, Part(0, 0)},
      {op, {T({B, 3}), T({B, 1}), T({B, 2})}, Part(1, 0)},
      {op, {T({B, 3}), T({B, 1}), T({B, 2})}, Part(1, 1)},
      {op, {T({2, 3}), T({2, 1}), T({2, 0}), T({2, 2})}, Part(-1, 2)},
      {op, {T({2, 3}), T({2, 1}), T({2, 0}), T({2, 2})}, Part(-1, 1)},
      {op, {T({0}), T({0}), T({0})}, Part(0, 1)},
  };
}

std::vector<OpCase> SliceCases() {
  const tir_op op = TIR_OP_SLICE;
  return {
      {op, {T({5})}, Slice({1}, {4})},
      {op, {T({B, 5})}, Slice({0, 1}, {INT64_MAX, -1})},
      {op, {T({5, 3})}, Slice({0}, {INT64_MAX}, {2})},
      {op, {T({5, 4})}, Slice({-4, -3}, {-1, INT64_MAX}, {2, 2})},
      {op, {T({3, 3})}, Slice({2}, {1})},
      {op, {T({3})}, Slice({-100}, {100}, {5})},
      {op, {T({0, 3})}, Slice({0}, {5})},
      {op, {T({})}, Slice({}, {})},
      {op, {T({2, 3, 4})}, Slice({0, 1, 1}, {2, 2, 4}, {1, 1, 2})},
      {op, {T({67, 5})}, Slice({1, 0}, {66, 5}, {3, 2}), kValueOnly},
  };
}

// The operands of unslice are the slice and what it was taken from.
std::vector<OpCase> Unslice() {
  const tir_op op = TIR_OP_UNSLICE;
  return {
      {op, {T({3}), T({5})}, Slice({1}, {4})},
      {op, {T({B, 3}), T({B, 5})}, Slice({0, 1}, {INT64_MAX, -1})},
      {op, {T({3, 3}), T({5, 3})}, Slice({0}, {INT64_MAX}, {2})},
      {op, {T({2, 2}), T({5, 4})}, Slice({-4, -3}, {-1, INT64_MAX}, {2, 2})},
      {op, {T({0, 3}), T({3, 3})}, Slice({2}, {1})},
      {op, {T({1}), T({3})}, Slice({-100}, {100}, {5})},
      {op,
       {T({22, 3}), T({67, 5})},
       Slice({1, 0}, {66, 5}, {3, 2}),
       kValueOnly},
  };
}

Attrs Around(List before, List after) {
  const tir_attrs_pad attrs = {Ints(before), Ints(after)};
  return [attrs](tir_dtype) { return AsWords(attrs); };
}

std::vector<OpCase> Pad() {
  const tir_op op = TIR_OP_PAD;
  const Operand v = T({}, Fill::kPositive);
  return {
      {op, {T({}), v}, Around({}, {})},
      {op, {T({5}), v}, Around({2}, {1})},
      {op, {T({B, 3}), v}, Around({0, 1}, {0, 2})},
      {op, {T({B, 3}), v}, Around({1}, {2})},
      {op, {T({2, 3}), v}, Around({0, 0}, {0, 0})},
      {op, {T({2, 1, 2}), v}, Around({0, 3, 1}, {1, 0, 1})},
      {op, {T({0, 3}), v}, Around({1, 1}, {1, 0})},
      {op, {T({2, 0}), v}, Around({0, 0}, {1, 0})},
      {op, {T({19, 7}, Fill::kSpecial), v}, Around({3, 2}, {1, 5}), kValueOnly},
  };
}

std::vector<OpCase> Flip() {
  const tir_op op = TIR_OP_FLIP;
  return {
      {op, {T({})}, OneList({})},
      {op, {T({5})}, OneList({0})},
      {op, {T({B, 3})}, OneList({})},
      {op, {T({B, 3})}, OneList({-1})},
      {op, {T({2, 3, 4})}, OneList({0, 2})},
      {op, {T({2, 3, 4})}, OneList({1})},
      {op, {T({2, 1, 3})}, OneList({1, 0})},
      {op, {T({0, 3})}, OneList({0})},
      // One type in and out: would be wrong in place.
      {op, {T({17, 9}, Fill::kSpecial)}, OneList({0}), kValueOnly},
      {op, {T({67}, Fill::kSpecial)}, OneList({0}), kValueOnly},
  };
}

std::vector<OpCase> Triangle(tir_op op) {
  const auto diagonal = [](int64_t k) {
    return [k](tir_dtype) { return AsWords(tir_attrs_triangle{k}); };
  };
  return {
      {op, {T({3, 3})}, diagonal(0)},
      {op, {T({B, 5})}, diagonal(1)},
      {op, {T({5, B})}, diagonal(-2)},
      {op, {T({2, 3, 4})}, diagonal(-1)},
      {op, {T({2, 2, 2, 3})}, diagonal(2)},
      {op, {T({1, 1})}, diagonal(0)},
      {op, {T({3, 2})}, diagonal(INT64_MAX)},
      {op, {T({3, 2})}, diagonal(INT64_MIN)},
      {op, {T({0, 3})}, diagonal(0)},
      {op, {T({2, 3, 0})}, diagonal(0)},
      {op, {T({17, 23}, Fill::kSpecial)}, diagonal(3), kValueOnly},
  };
}

std::vector<OpCase> Gather() {
  const tir_op op = TIR_OP_GATHER;
  const Fill index = Fill::kIndex;
  return {
      {op, {T({5}), I64({3}, index, 5)}, Axis(0)},
      {op, {T({5}), I64({}, index, 5)}, Axis(0)},
      {op, {T({3, 2}), I32({B}, index, 3)}, Axis(0)},
      {op, {T({B, 3}), I64({2, 2}, index, 3)}, Axis(1)},
      {op, {T({2, 3, 2}), I64({2}, index, 3)}, Axis(-2)},
      {op, {T({2, 3}), I64({0}, index, 3)}, Axis(1)},
      {op, {T({0, 3}), I64({2}, index, 3)}, Axis(1)},
      {op, {T({3, 0}), I64({2}, index, 3)}, Axis(0)},
      {op, {T({19}), I64({19}, index, 19)}, Axis(0)},
      {op, {T({9, 67}), I64({13}, index, 9)}, Axis(0), kValueOnly},
      {op, {T({9, 67}), I32({13}, index, 67)}, Axis(1), kValueOnly},
  };
}

std::vector<OpCase> ScatterAdd() {
  const tir_op op = TIR_OP_SCATTER_ADD;
  const Fill index = Fill::kIndex;
  return {
      {op, {T({5}), I64({3}, index, 5), T({3})}, Axis(0)},
      {op, {T({5}), I64({}, index, 5), T({})}, Axis(0)},
      {op, {T({3, 2}), I32({B}, index, 3), T({B, 2})}, Axis(0)},
      {op, {T({B, 2}), I64({2, 2}, index, 2), T({B, 2, 2})}, Axis(1)},
      {op, {T({2, 3, 2}), I64({4}, index, 3), T({2, 4, 2})}, Axis(-2)},
      {op, {T({2, 3}), I64({0}, index, 3), T({2, 0})}, Axis(1)},
      {op, {T({3, 0}), I64({2}, index, 3), T({2, 0})}, Axis(0)},
      {op, {T({9, 67}), I64({13}, index, 9), T({13, 67})}, Axis(0), kValueOnly},
      {op, {T({9, 7}), I64({40}, index, 7), T({9, 40})}, Axis(1), kValueOnly},
  };
}

Attrs Depth(int64_t depth) {
  return [=](tir_dtype dtype) {
    return AsWords(tir_attrs_one_hot{depth, dtype});
  };
}

std::vector<OpCase> OneHot() {
  const tir_op op = TIR_OP_ONE_HOT;
  const Fill index = Fill::kIndex;
  return {
      {op, {I64({}, index, 3)}, Depth(3)},
      {op, {I64({B}, index, 4)}, Depth(4)},
      {op, {I32({B, 2}, index, 3)}, Depth(3)},
      {op, {I64({0}, index, 3)}, Depth(3)},
      {op, {I64({5}, index, 1)}, Depth(1)},
      {op, {I32({17}, index, 40)}, Depth(40)},
  };
}

Attrs Window(int64_t axis, int64_t size) {
  return [=](tir_dtype) { return AsWords(tir_attrs_window{axis, size}); };
}

// `i` everywhere.
Operand At(std::vector<int64_t> dims, double i) {
  return I64(dims, Fill::kNumber, i);
}

std::vector<OpCase> CheckRange() {
  const tir_op op = TIR_OP_CHECK_RANGE;
  const Operand x = T({}, Fill::kNumber, 1), row = T({B}, Fill::kNumber, 3);
  return {
      {op, {x, At({5}, 0)}, Window(0, 2)},
      {op, {x, At({5}, 0), At({4}, 0)}, Window(0, 0)},
      {op, {row, At({B, 2, 3}, 0)}, Window(-1, 0)},
      {op, {row, At({B, 5, 3}, 0), At({7, 2, 0}, 0)}, Window(1, 0)},
      {op, {T({0}), At({0}, 0)}, Window(0, 0)},
      {op, {T({300}, Fill::kNumber, 7), At({300, 9}, 0)}, Window(1, 2)},
  };
}

std::vector<OpCase> SliceAt() {
  const tir_op op = TIR_OP_SLICE_AT;
  const Operand i32 = I32({B}, Fill::kNumber, 2);
  const Operand any = I64({B, 2}, Fill::kIndex, 4);
  return {
      {op, {T({5}), At({}, 1)}, Window(0, 3)},
      {op, {T({B, 5}), At({}, 2), T({B, 2})}, Window(1, 0)},
      {op, {T({B, 5, 3}), i32}, Window(1, 3)},
      {op, {T({B, 2, 6, 2}), any, T({B, 2, 3, 2})}, Window(-2, 0)},
      {op, {T({3, B}), At({}, 0), T({2, B})}, Window(0, 0)},
      {op, {T({0, 3}), At({0}, 0)}, Window(1, 2)},
      {op, {T({3, 0}), At({}, 1)}, Window(0, 2)},
      {op, {T({4, 3}), At({}, 1)}, Window(0, 0)},
      // Out of range without a check: the nearest one inside.
      {op, {T({6, 2}), At({}, -3)}, Window(0, 2)},
      {op, {T({6, 2}), At({}, 99)}, Window(0, 4)},
      // One type in and out: would be wrong in place.
      {op, {T({17}, Fill::kSpecial), At({}, 0)}, Window(0, 17), kValueOnly},
      {op, {T({3, 67, 5}), At({3}, 13)}, Window(1, 40), kValueOnly},
  };
}

std::vector<OpCase> UpdateSlice() {
  const tir_op op = TIR_OP_UPDATE_SLICE;
  const Operand i32 = I32({B}, Fill::kNumber, 2);
  const Operand any = I64({B, 2}, Fill::kIndex, 4);
  return {
      {op, {T({5}), T({3}), At({}, 1)}, Axis(0)},
      {op, {T({B, 5}), T({B, 2}), At({}, 3)}, Axis(1)},
      {op, {T({B, 5, 3}), T({B, 3, 3}), i32}, Axis(1)},
      {op, {T({B, 2, 6, 2}), T({B, 2, 3, 2}), any}, Axis(-2)},
      {op, {T({3, B}), T({2, B}), At({}, 0)}, Axis(0)},
      {op, {T({0, 3}), T({0, 2}), At({0}, 0)}, Axis(1)},
      {op, {T({3, 0}), T({2, 0}), At({}, 1)}, Axis(0)},
      {op, {T({4, 3}), T({0, 3}), At({}, 4)}, Axis(0)},
      {op, {T({6, 2}), T({2, 2}), At({}, -3)}, Axis(0)},
      {op, {T({6, 2}), T({4, 2}), At({}, 99)}, Axis(0)},
      // Everything is replaced: in place in either operand.
      {op, {T({17}), T({17}), At({}, 0)}, Axis(0)},
      {op,
       {T({9}, Fill::kSpecial), T({7}, Fill::kSpecial), At({}, 1)},
       Axis(0),
       kValueOnly},
      {op, {T({3, 67, 5}), T({3, 40, 5}), At({3}, 13)}, Axis(1), kValueOnly},
  };
}

}  // namespace

void AddMovementCases(std::vector<OpInfo> *ops) {
  const auto exact = Accuracy::kExact;
  const auto moves = [&](tir_op op, std::vector<OpCase> cases) {
    ops->push_back({op, kAll, exact, 0, cases});
  };
  moves(TIR_OP_RESHAPE, Reshape());
  moves(TIR_OP_RESHAPE_LIKE, ReshapeLike());
  moves(TIR_OP_EXPAND_DIMS, ExpandDims());
  moves(TIR_OP_TRANSPOSE, Transpose());
  moves(TIR_OP_BROADCAST_TO, BroadcastTo());
  moves(TIR_OP_BROADCAST_LIKE, BroadcastLike());
  moves(TIR_OP_CONCAT, Concat());
  moves(TIR_OP_CONCAT_PART, ConcatPart());
  moves(TIR_OP_SLICE, SliceCases());
  moves(TIR_OP_UNSLICE, Unslice());
  moves(TIR_OP_PAD, Pad());
  moves(TIR_OP_FLIP, Flip());
  for (tir_op op : {TIR_OP_TRIL, TIR_OP_TRIU}) moves(op, Triangle(op));
  moves(TIR_OP_GATHER, Gather());
  ops->push_back(
      {TIR_OP_SCATTER_ADD, kNumbers, Accuracy::kSum, 0, ScatterAdd()});
  moves(TIR_OP_ONE_HOT, OneHot());
  ops->push_back({TIR_OP_CHECK_RANGE, Bit(TIR_DTYPE_I32) | Bit(TIR_DTYPE_I64),
                  exact, 0, CheckRange()});
  moves(TIR_OP_SLICE_AT, SliceAt());
  moves(TIR_OP_UPDATE_SLICE, UpdateSlice());
}

}  // namespace tapeir_test
