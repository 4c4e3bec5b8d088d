// Op cases: one row per op, operand shapes and attributes. Every test in this
// folder runs over all rows of an op.
#ifndef TAPEIR_TESTS_OPS_CASES_H
#define TAPEIR_TESTS_OPS_CASES_H

#include <functional>
#include <string>
#include <vector>

#include "tests/support/internal.h"

namespace tapeir_test {

// Stands for the symbolic dim `batch`, 4 unless a test says otherwise.
constexpr int64_t B = -4;

// What an operand is filled with. Integers get small whole numbers in the
// same spirit; unsigned ones no negative.
enum class Fill {
  kAny,       // −2 … 2
  kPositive,  // 0.3 … 2.5
  kAway,      // at least 0.3 from 0, both signs
  kSmall,     // whole numbers −2 … 2, so that equal ones occur
  kDistinct,  // all different, also between the operands of a call
  kWide,      // −60 … 60
  kSpecial,   // NaN, infinities, zeros, subnormals; largest, smallest
  kIndex,     // −size … size − 1, where size is `number`
  kNumber,    // `number` everywhere
  kState,     // {seed, step} of a random op
};

struct Operand {
  tir_dtype dtype;  // TIR_DTYPE_INVALID: the dtype the case is run with
  std::vector<int64_t> dims;
  Fill fill = Fill::kAny;
  double number = 0;
};

// The dtype of a case, and fixed ones.
inline Operand T(std::vector<int64_t> dims, Fill fill = Fill::kAny,
                 double number = 0) {
  return {TIR_DTYPE_INVALID, dims, fill, number};
}
inline Operand I64(std::vector<int64_t> dims, Fill fill, double number = 0) {
  return {TIR_DTYPE_I64, dims, fill, number};
}
inline Operand I32(std::vector<int64_t> dims, Fill fill, double number = 0) {
  return {TIR_DTYPE_I32, dims, fill, number};
}
inline Operand Bool(std::vector<int64_t> dims) {
  return {TIR_DTYPE_BOOL, dims, Fill::kAny, 0};
}

enum : unsigned {
  kValueOnly = 1,  // not differentiable at these operands
  kFloatOnly = 2,  // only for float dtypes
  kIntOnly = 4,    // only for integers
};

using Words = std::vector<uint64_t>;

// An attribute struct as words; all its fields are 8 bytes.
template <typename A>
Words AsWords(const A &attrs) {
  static_assert(sizeof(A) % 8 == 0, "attributes are 8-byte fields");
  Words words(sizeof(A) / 8);
  memcpy(words.data(), &attrs, sizeof(A));
  return words;
}

struct OpCase {
  tir_op op;
  std::vector<Operand> in;
  std::function<Words(tir_dtype)> attrs;  // empty: no attributes
  unsigned flags = 0;

  // "matmul f32[4, 3] f32[3, 2] #7", for messages; `row` counts from 0.
  std::string Label(size_t row, tir_dtype dtype) const;
};

// How close values must be (docs/numerics.md §3).
enum class Accuracy {
  kExact,      // same bits, NaN equal to NaN
  kUlp,        // `ulps` units in the last place
  kSum,        // 2·γ_k·Σ|terms|
  kAttention,  // roundings of scores and weights, times the values
  kSoftmax,    // relative (log: absolute), growing with row and range
  kOptim,      // a few roundings of each term
};

struct OpInfo {
  tir_op op;
  unsigned dtypes;  // set of 1 << dtype that a case may be run with
  Accuracy accuracy;
  int ulps;
  std::vector<OpCase> cases;
  // The gradient is an exact zero by definition, whatever the slope is.
  bool zero_gradient = false;
};

constexpr unsigned Bit(tir_dtype dtype) { return 1u << dtype; }
constexpr unsigned kFloats = Bit(TIR_DTYPE_F32) | Bit(TIR_DTYPE_F64);
constexpr unsigned kIntegers = Bit(TIR_DTYPE_I8) | Bit(TIR_DTYPE_U8) |
                               Bit(TIR_DTYPE_I16) | Bit(TIR_DTYPE_I32) |
                               Bit(TIR_DTYPE_I64);
constexpr unsigned kNumbers = kFloats | kIntegers;
constexpr unsigned kStored =
    kNumbers | Bit(TIR_DTYPE_F16) | Bit(TIR_DTYPE_BF16);
constexpr unsigned kAll = kStored | Bit(TIR_DTYPE_BOOL);

// All ops that compute something. Made once.
const std::vector<OpInfo> &AllOps();

// Structure ops, which have no value of their own: tested elsewhere.
bool IsStructure(tir_op op);

// By family, for AllOps.
void AddElementwiseCases(std::vector<OpInfo> *ops);
void AddReduceCases(std::vector<OpInfo> *ops);
void AddMovementCases(std::vector<OpInfo> *ops);
void AddOtherCases(std::vector<OpInfo> *ops);
void AddOptimCases(std::vector<OpInfo> *ops);
void AddAttentionCases(std::vector<OpInfo> *ops);

}  // namespace tapeir_test

#endif
