// Data that has no result: the compiled program says what the reference says.

#include "tests/ops/harness.h"

namespace tapeir_test {
namespace {

// "gather: index 7 …", without the place that follows.
std::string What(const tir_error &error) {
  const std::string message = error.message;
  return message.substr(0, message.find(": node"));
}

struct FaultCase {
  OpCase c;
  size_t operand;    // which one is spoilt
  int64_t element;   // where
  int64_t value;     // with what
  const char *what;  // message
};

template <typename A>
std::function<Words(tir_dtype)> Always(const A &attrs) {
  const Words words = AsWords(attrs);
  return [words](tir_dtype) { return words; };
}

std::vector<FaultCase> Rows() {
  const Fill index = Fill::kIndex;
  const auto axis0 = Always(tir_attrs_axis{0});
  const auto axis1 = Always(tir_attrs_axis{1});
  const OpCase gather = {TIR_OP_GATHER, {T({5, 2}), I64({4}, index, 5)}, axis0};
  const OpCase column = {TIR_OP_GATHER, {T({2, 5}), I32({4}, index, 5)}, axis1};
  const OpCase empty = {TIR_OP_GATHER, {T({5, 0}), I64({4}, index, 5)}, axis0};
  const OpCase none = {
      TIR_OP_GATHER, {T({0, 2}), I64({1}, Fill::kNumber, 0)}, axis0};
  const OpCase scatter = {
      TIR_OP_SCATTER_ADD, {T({5, 2}), I64({4}, index, 5), T({4, 2})}, axis0};
  const OpCase one_hot = {TIR_OP_ONE_HOT,
                          {I64({3}, index, 4)},
                          Always(tir_attrs_one_hot{4, TIR_DTYPE_F32})};
  const OpCase entropy = {
      TIR_OP_CROSS_ENTROPY, {T({3, 4}), I64({3}, index, 4)}, {}};
  const OpCase div = {
      TIR_OP_DIV, {I64({300}, Fill::kAny), I64({300}, Fill::kAway)}, {}};
  const OpCase div_row = {
      TIR_OP_DIV, {I32({3, 4}, Fill::kAny), I32({4}, Fill::kAway)}, {}};
  const OpCase checked = {TIR_OP_CHECK_RANGE,
                          {I64({3}, Fill::kNumber, 1), T({2, 9}), T({2, 4})},
                          Always(tir_attrs_window{1, 0})};
  const char *least =
      "gather: index -9223372036854775808 at position 3 is "
      "out of range for size 5";
  return {
      {gather, 1, 0, 5,
       "gather: index 5 at position 0 is out of range for "
       "size 5"},
      {gather, 1, 3, -6,
       "gather: index -6 at position 3 is out of range for "
       "size 5"},
      {gather, 1, 3, INT64_MIN, least},
      {gather, 1, 1, INT64_MAX,
       "gather: index 9223372036854775807 at position 1 is out of range for "
       "size 5"},
      {column, 1, 2, 2147483647,
       "gather: index 2147483647 at position 2 is out of range for size 5"},
      {empty, 1, 2, 9,
       "gather: index 9 at position 2 is out of range for "
       "size 5"},
      {none, 1, 0, 0,
       "gather: index 0 at position 0 is out of range for "
       "size 0"},
      {scatter, 1, 3, 5,
       "scatter_add: index 5 at position 3 is out of range "
       "for size 5"},
      {scatter, 1, 0, -6,
       "scatter_add: index -6 at position 0 is out of "
       "range for size 5"},
      {one_hot, 0, 2, 4,
       "one_hot: index 4 at position 2 is out of range for "
       "size 4"},
      {one_hot, 0, 0, -5,
       "one_hot: index -5 at position 0 is out of range "
       "for size 4"},
      {entropy, 1, 1, 4,
       "cross_entropy: index 4 at position 1 is out of "
       "range for size 4"},
      {entropy, 1, 2, -5,
       "cross_entropy: index -5 at position 2 is out of "
       "range for size 4"},
      {checked, 0, 0, -1,
       "check_range: -1 at position 0 is out of range, expected 0 to 5"},
      {checked, 0, 2, 6,
       "check_range: 6 at position 2 is out of range, expected 0 to 5"},
      {checked, 0, 1, INT64_MIN,
       "check_range: -9223372036854775808 at position 1 is out of range, "
       "expected 0 to 5"},
      {div, 1, 299, 0, "div: integer division by zero at position 299"},
      {div_row, 1, 3, 0, "div: integer division by zero at position 3"},
  };
}

TEST(OpFault, IsThatOfTheReference) {
  const Owned<tir_context> context = MakeContext();
  for (const FaultCase &row : Rows()) {
    SCOPED_TRACE(row.what);
    const tir_dtype dtype = TIR_DTYPE_F32;
    CaseGraph graph(context.get(), row.c, dtype);
    ASSERT_TRUE(graph.good()) << graph.message();
    graph.OutputAll();
    std::vector<Data> inputs = MakeInputs(row.c, dtype);
    Data &spoilt = inputs[row.operand];
    tir_ir_store_i64(spoilt.type.dtype,
                     const_cast<void *>(spoilt.At(row.element)), row.value);
    tir_error reference = {}, compiled = {};
    RunReference(graph.ir(), inputs, &reference);
    EXPECT_EQ(reference.status, TIR_ERR_VALUE);
    EXPECT_EQ(What(reference), row.what);
    for (const char *pipeline : {"none", "full"}) {
      RunOptions options;
      options.pipeline = pipeline;
      RunCompiled(graph.ir(), inputs, options, &compiled);
      EXPECT_EQ(compiled.status, TIR_ERR_VALUE);
      EXPECT_EQ(What(compiled), row.what);
    }
  }
}

}  // namespace
}  // namespace tapeir_test
