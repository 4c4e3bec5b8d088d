// Running op cases: operands, graphs, the reference, compiled programs.
#ifndef TAPEIR_TESTS_OPS_HARNESS_H
#define TAPEIR_TESTS_OPS_HARNESS_H

#include <gtest/gtest.h>

#include <iomanip>
#include <memory>

#include "tests/ops/cases.h"
#include "tests/support/compiled.h"
#include "tests/support/custom_ops.h"
#include "tests/support/graph_builder.h"

extern "C" {
#include "ir/reference/reference.h"
#include "passes/pass.h"
}

namespace tapeir_test {

constexpr int64_t kBatch = 4;

// Dense data of one value.
struct Data {
  tir_ir_type type;
  std::vector<uint8_t> bytes;

  int64_t numel() const { return tir_ir_type_numel(&type); }
  bool is_float() const { return tir_ir_dtype_is_float(type.dtype); }
  const void *At(int64_t e) const;
  double F64(int64_t e) const { return tir_ir_load_f64(type.dtype, At(e)); }
  int64_t I64(int64_t e) const { return tir_ir_load_i64(type.dtype, At(e)); }
  void Set(int64_t e, double x);
};

// Zeros of a type.
Data MakeData(const tir_ir_type &type);
// Values of −1 … 1 that depend on the seed only.
Data RandomData(const tir_ir_type &type, uint64_t seed);

tir_dtype DtypeOf(const Operand &operand, tir_dtype dtype);
std::vector<int64_t> DimsOf(const Operand &operand, int64_t batch);
// Operands of a case as its Fill says; the same at every call.
std::vector<Data> MakeInputs(const OpCase &c, tir_dtype dtype,
                             int64_t batch = kBatch);

// A graph under construction: one op over inputs in0, in1, …
class CaseGraph {
 public:
  CaseGraph(tir_context *context, const OpCase &c, tir_dtype dtype,
            int64_t batch = kBatch, const std::string &name = "main");

  bool good() const { return out_.size() > 0; }
  // What the op refused, if not good.
  const std::string &message() const { return message_; }
  GraphBuilder &builder() { return *builder_; }
  tir_ir_graph *ir() { return builder_->ir(); }
  const std::vector<tir_value> &in() const { return in_; }
  const std::vector<tir_value> &out() const { return out_; }
  uint32_t Id(tir_value v) const;

  // Heads are scalar inputs, broadcast: then they follow a result whose size
  // has no symbol (the sum of a symbolic and a fixed one).
  void UseScalarHeads() { scalar_heads_ = true; }
  // Declares every result of the op as an output.
  void OutputAll();
  // Adds a gradient call: heads are the float results, with inputs head0, …
  // as their gradients; variables are the float operands. Results may be
  // differentiated again. False if there is nothing to differentiate.
  bool AddGradient();
  // A gradient call on the results of the first one, with inputs second0, …;
  // the variables are the float operands and head0, …
  bool AddSecondGradient();
  void OutputHeads();
  void OutputGradients();
  void OutputSecondGradients();
  // Expands the calls; the handles are void afterwards.
  tir_status Expand(const char *passes = "gradient,eliminate-dead");

  // Operands that the gradient is taken for, as numbers of inputs.
  const std::vector<size_t> &variables() const { return variables_; }
  size_t n_heads() const { return heads_.size(); }
  size_t n_seconds() const { return seconds_.size(); }

 private:
  tir_value FloatInput(const std::string &name, tir_value like);
  bool Call(const std::vector<tir_value> &heads,
            const std::vector<tir_value> &head_grads,
            const std::vector<tir_value> &wrt, std::vector<uint32_t> *out);
  void OutputIds(const std::vector<uint32_t> &ids, const char *prefix);

  std::unique_ptr<GraphBuilder> builder_;
  bool scalar_heads_ = false;
  std::string message_;
  std::vector<tir_value> in_, out_;
  std::vector<size_t> variables_;
  std::vector<tir_value> heads_, head_grads_, seconds_;
  std::vector<uint32_t> gradients_, second_gradients_;
};

// Inputs of a graph as it stands, in order: given ones first, random ones
// (heads) after.
std::vector<tir_ir_type> InputTypes(const tir_ir_graph *graph);
void AddRandomInputs(const tir_ir_graph *graph, std::vector<Data> *inputs);

// Evaluates in the reference; empty after a failure, which is reported
// unless `out_error` is given.
std::vector<Data> RunReference(const tir_ir_graph *graph,
                               const std::vector<Data> &inputs,
                               tir_error *out_error = nullptr);

struct RunOptions {
  const char *pipeline = "full";
  int poison = 0x00;             // bytes of arena and outputs before the run
  bool no_reuse = false;         // every value its own memory
  double grain = 0;              // least work of a unit; small: all are cut
  size_t *n_in_place = nullptr;  // values that overwrite a dead operand
};
// Compiles a copy of the graph and runs it. As above for failures.
std::vector<Data> RunCompiled(const tir_ir_graph *graph,
                              const std::vector<Data> &inputs,
                              const RunOptions &options,
                              tir_error *out_error = nullptr);

std::string Text(const tir_ir_graph *graph);

// Calls `test(case, row, dtype)` for every row and every dtype of an op.
template <typename Test>
void ForEachCase(const OpInfo &info, Test test) {
  for (size_t row = 0; row < info.cases.size(); row++)
    for (int d = TIR_DTYPE_F32; d <= TIR_DTYPE_BOOL; d++) {
      const tir_dtype dtype = static_cast<tir_dtype>(d);
      const OpCase &c = info.cases[row];
      if (!(info.dtypes & Bit(dtype))) continue;
      if ((c.flags & kFloatOnly) && !tir_ir_dtype_is_float(dtype)) continue;
      if ((c.flags & kIntOnly) && tir_ir_dtype_is_float(dtype)) continue;
      SCOPED_TRACE(c.Label(row, dtype));
      test(c, row, dtype);
      if (testing::Test::HasFatalFailure()) return;
    }
}

// One test per op: TEST_P(Suite, …) with GetParam() an OpInfo index.
class OpTest : public testing::TestWithParam<size_t> {
 protected:
  OpTest() : context_(MakeContext()) {
    custom_ops::RegisterTestOps(context_.get());
  }
  const OpInfo &info() const { return AllOps()[GetParam()]; }
  const tir_op_desc &desc() const { return *tir_ir_op_desc(info().op); }
  tir_context *context() const { return context_.get(); }

 private:
  Owned<tir_context> context_;
};

std::string OpName(const testing::TestParamInfo<size_t> &param);

#define TAPEIR_FOR_ALL_OPS(Suite)   \
  INSTANTIATE_TEST_SUITE_P(, Suite, \
                           testing::Range(size_t{0}, AllOps().size()), OpName)

// --- comparing -------------------------------------------------------------

// Same bits; any NaN equals any NaN.
bool SameBits(const Data &a, const Data &b, int64_t e);
void ExpectSameBits(const std::vector<Data> &a, const std::vector<Data> &b);
// Within the accuracy of the op, given operands for the size of the terms.
void ExpectAccurate(const OpInfo &info, const OpCase &c,
                    const std::vector<Data> &inputs,
                    const std::vector<Data> &expected,
                    const std::vector<Data> &actual);
// |a − b| ≤ absolute + relative·max(|a|, |b|), NaN and infinities alike.
void ExpectNear(const std::vector<Data> &expected,
                const std::vector<Data> &actual, double relative,
                double absolute);

}  // namespace tapeir_test

#endif
