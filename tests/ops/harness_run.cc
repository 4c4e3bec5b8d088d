// Running graphs of cases in the reference and compiled, and comparing.

#include <algorithm>
#include <cfloat>
#include <cmath>

#include "tests/ops/harness.h"

namespace tapeir_test {
namespace {

Owned<tir_tensor> TensorOf(tir_context *context, const Data &data) {
  tir_tensor *tensor = nullptr;
  tir_error error = {};
  EXPECT_EQ(
      tir_tensor_from_data(context, data.type.dtype, data.type.dims,
                           data.type.rank, data.bytes.data(), &tensor, &error),
      TIR_OK)
      << error.message;
  return Owned<tir_tensor>(tensor);
}

Data DataOf(const tir_tensor *tensor) {
  tir_ir_type type = {};
  type.dtype = tensor->dtype;
  type.rank = tensor->rank;
  std::copy(tensor->dims, tensor->dims + tensor->rank, type.dims);
  Data data = MakeData(type);
  if (tensor->size_bytes)
    memcpy(data.bytes.data(), tensor->data, tensor->size_bytes);
  return data;
}

}  // namespace

std::vector<Data> RunReference(const tir_ir_graph *graph,
                               const std::vector<Data> &inputs,
                               tir_error *out_error) {
  std::vector<Owned<tir_tensor>> owned;
  std::vector<tir_tensor *> tensors;
  for (const Data &data : inputs) {
    owned.push_back(TensorOf(graph->context, data));
    tensors.push_back(owned.back().get());
  }
  EXPECT_EQ(tensors.size(), graph->inputs.count);
  std::vector<tir_tensor *> outputs(graph->outputs.count + 1);
  tir_error error = {};
  const tir_status status = tir_reference_graph(graph, tensors.data(), nullptr,
                                                outputs.data(), &error);
  if (out_error) *out_error = error;
  if (status != TIR_OK) {
    if (!out_error) ADD_FAILURE() << "reference: " << error.message;
    return {};
  }
  std::vector<Data> results;
  for (size_t i = 0; i < graph->outputs.count; i++) {
    results.push_back(DataOf(outputs[i]));
    tir_tensor_release(outputs[i]);
  }
  return results;
}

namespace {

Owned<tir_program> CompileCopy(const tir_ir_graph *graph,
                               const RunOptions &options) {
  tir_ir_graph *copy = nullptr;
  tir_error error = {};
  EXPECT_EQ(tir_ir_graph_copy(graph, &copy, &error), TIR_OK);
  tir_exec_compile_options compile = {};
  compile.pipeline = options.pipeline;
  compile.no_reuse = options.no_reuse;
  compile.grain = options.grain;
  tir_program *program = nullptr;
  EXPECT_EQ(tir_exec_compile(graph->context, copy, &compile, &program, &error),
            TIR_OK)
      << error.message << "\n"
      << Text(graph);
  return Owned<tir_program>(program);
}

void CountInPlace(const tir_program *program, size_t *out_count) {
  for (size_t v = 0; v < program->plan.n_places; v++)
    *out_count += program->plan.places[v].in_place;
}

// 64-byte aligned memory filled with a byte.
struct Block {
  Block(size_t size, int poison)
      : bytes(std::max<size_t>(64, (size + 63) / 64 * 64)),
        data(aligned_alloc(64, bytes)) {
    memset(data, poison, bytes);
  }
  ~Block() { free(data); }
  Block(const Block &) = delete;
  size_t bytes;
  void *data;
};

}  // namespace

std::vector<Data> RunCompiled(const tir_ir_graph *graph,
                              const std::vector<Data> &inputs,
                              const RunOptions &options, tir_error *out_error) {
  const Owned<tir_program> program = CompileCopy(graph, options);
  if (!program) return {};
  if (options.n_in_place) CountInPlace(program.get(), options.n_in_place);
  tir_memory_report report = {};
  tir_program_memory(program.get(), &report);
  const Block block(report.block_bytes, options.poison);
  tir_instance *raw = nullptr;
  tir_error error = {};
  EXPECT_EQ(tir_instance_create_in(program.get(), nullptr, block.data,
                                   block.bytes, &raw, &error),
            TIR_OK)
      << error.message;
  const Owned<tir_instance> instance(raw);
  if (!instance) return {};
  for (size_t i = 0; i < inputs.size(); i++)
    EXPECT_EQ(
        tir_instance_bind_input(instance.get(), i, inputs[i].bytes.data(),
                                tir_ir_type_bytes(&inputs[i].type), &error),
        TIR_OK)
        << error.message;
  std::vector<Data> results;
  for (size_t i = 0; i < graph->outputs.count; i++) {
    tir_ir_type type;
    tir_ir_type_of(graph, tir_ir_resolve(graph, graph->outputs.data[i].value),
                   &type);
    results.push_back(MakeData(type));
    memset(results[i].bytes.data(), options.poison, results[i].bytes.size());
    EXPECT_EQ(
        tir_instance_bind_output(instance.get(), i, results[i].bytes.data(),
                                 tir_ir_type_bytes(&type), &error),
        TIR_OK)
        << error.message;
  }
  const tir_status status = tir_run(instance.get(), nullptr, &error);
  if (out_error) *out_error = error;
  if (status != TIR_OK) {
    if (!out_error) ADD_FAILURE() << "run: " << error.message;
    return {};
  }
  return results;
}

// --- comparing -------------------------------------------------------------

bool SameBits(const Data &a, const Data &b, int64_t e) {
  const size_t size = tir_dtype_size(a.type.dtype);
  if (memcmp(a.At(e), b.At(e), size) == 0) return true;
  return a.is_float() && std::isnan(a.F64(e)) && std::isnan(b.F64(e));
}

namespace {

bool SameType(const Data &a, const Data &b) {
  return a.type.dtype == b.type.dtype && tir_ir_same_shape(&a.type, &b.type);
}

// Calls `is_good(a, b, e)` on all elements; reports the first bad one.
template <typename Check>
void ExpectAll(const std::vector<Data> &expected,
               const std::vector<Data> &actual, Check is_good) {
  ASSERT_EQ(expected.size(), actual.size());
  for (size_t i = 0; i < expected.size(); i++) {
    ASSERT_TRUE(SameType(expected[i], actual[i])) << "output " << i;
    for (int64_t e = 0; e < expected[i].numel(); e++)
      if (!is_good(i, e)) {
        ADD_FAILURE() << std::setprecision(17) << "output " << i << ", element "
                      << e << ": expected " << expected[i].F64(e) << ", got "
                      << actual[i].F64(e);
        return;
      }
  }
}

// Numbers of the dtype from a to b; both zeros count as one number.
double UlpDistance(const Data &a, const Data &b, int64_t e) {
  const double x = a.F64(e), y = b.F64(e);
  if (x == y || (std::isnan(x) && std::isnan(y))) return 0;
  if (!std::isfinite(x) || !std::isfinite(y)) {
    // Beside the largest number stands infinity.
    const double largest =
        a.type.dtype == TIR_DTYPE_F32 ? double{FLT_MAX} : DBL_MAX;
    const double finite = std::isfinite(x) ? x : y;
    const double other = std::isfinite(x) ? y : x;
    const bool beside = std::isinf(other) && std::fabs(finite) == largest &&
                        std::signbit(finite) == std::signbit(other);
    return beside ? 1 : INFINITY;
  }
  const bool is_f32 = a.type.dtype == TIR_DTYPE_F32;
  const double scale = std::max(std::fabs(x), std::fabs(y));
  const double step = is_f32 ? std::max(std::ldexp(1.0, std::ilogb(scale) - 23),
                                        std::ldexp(1.0, -149))
                             : std::max(std::ldexp(1.0, std::ilogb(scale) - 52),
                                        std::ldexp(1.0, -1074));
  return std::fabs(x - y) / step;
}

double Roundoff(const Data &data) {
  return data.type.dtype == TIR_DTYPE_F32 ? 0x1p-24 : 0x1p-53;
}

bool IsSame(double a, double b) {
  return a == b || (std::isnan(a) && std::isnan(b));
}

// The case's own op on other operands, results as f64.
std::vector<Data> Magnitudes(const OpCase &c, const std::vector<Data> &inputs) {
  const Owned<tir_context> context = MakeContext();
  custom_ops::RegisterTestOps(context.get());
  CaseGraph graph(context.get(), c, TIR_DTYPE_F64);
  graph.OutputAll();
  std::vector<Data> absolute;
  for (size_t i = 0; i < inputs.size(); i++) {
    const bool varies = c.in[i].dtype == TIR_DTYPE_INVALID;
    tir_ir_type type = inputs[i].type;
    if (varies) type.dtype = TIR_DTYPE_F64;
    Data data = MakeData(type);
    for (int64_t e = 0; e < data.numel(); e++)
      data.Set(e, varies ? std::fabs(inputs[i].F64(e)) : inputs[i].F64(e));
    absolute.push_back(data);
  }
  return RunReference(graph.ir(), absolute);
}

// Longest chain of terms that one result is made of.
double CountTerms(const OpCase &c, const std::vector<Data> &inputs,
                  const std::vector<Data> &outputs) {
  const double n_out = std::max(1.0, static_cast<double>(outputs[0].numel()));
  if (c.op == TIR_OP_CUMSUM) return n_out;  // the longest axis at most
  if (c.op == TIR_OP_ADD_N) return static_cast<double>(inputs.size());
  if (c.op == TIR_OP_SCATTER_ADD)
    return 1 + static_cast<double>(inputs[1].numel());
  if (c.op == TIR_OP_MATMUL) {
    const tir_ir_type &a = inputs[0].type;
    const bool flip = c.attrs(TIR_DTYPE_F32)[0] != 0;
    return static_cast<double>(a.dims[a.rank - (flip ? 2 : 1)]);
  }
  return static_cast<double>(inputs[0].numel()) / n_out;
}

void ExpectSum(const OpCase &c, const std::vector<Data> &inputs,
               const std::vector<Data> &expected,
               const std::vector<Data> &actual) {
  if (!expected[0].is_float()) {
    ExpectSameBits(expected, actual);
    return;
  }
  const std::vector<Data> size = Magnitudes(c, inputs);
  ASSERT_EQ(size.size(), expected.size());
  const double ku = CountTerms(c, inputs, expected) * Roundoff(expected[0]);
  // γ_k, and one rounding of the reference itself.
  const double bound = 2 * ku / (1 - ku) + Roundoff(expected[0]);
  ExpectAll(expected, actual, [&](size_t i, int64_t e) {
    const double a = expected[i].F64(e), b = actual[i].F64(e);
    return IsSame(a, b) || std::fabs(a - b) <= bound * size[i].F64(e);
  });
}

// exp of a difference keeps its relative error only as far as the difference
// is exact: it has u·|x − max|, hence the range of the row.
void ExpectSoftmax(const OpCase &c, const std::vector<Data> &inputs,
                   const std::vector<Data> &expected,
                   const std::vector<Data> &actual) {
  double low = 0, high = 0;
  for (int64_t e = 0; e < inputs[0].numel(); e++) {
    const double x = inputs[0].F64(e);
    if (!std::isfinite(x) || c.op == TIR_OP_NORM) continue;
    low = std::min(low, x);
    high = std::max(high, x);
  }
  const double n_terms = static_cast<double>(inputs[0].numel());
  const double u = Roundoff(expected[0]);
  const double bound = 2 * (n_terms + 8) * u;
  ExpectAll(expected, actual, [&](size_t i, int64_t e) {
    const double a = expected[i].F64(e), b = actual[i].F64(e);
    if (IsSame(a, b)) return true;
    const bool is_log = c.op == TIR_OP_LOG_SOFTMAX ||
                        c.op == TIR_OP_LOGSUMEXP ||
                        (c.op == TIR_OP_CROSS_ENTROPY && i == 0);
    // Below the normal numbers there are fewer digits.
    const double least = u == 0x1p-53 ? DBL_MIN : double{FLT_MIN};
    const double range = std::min(high - low, 1000.0);
    const double scale = is_log ? std::max(1.0, std::fabs(a)) + range
                                : std::max(std::fabs(a), least) * (1 + range);
    return std::fabs(a - b) <= bound * scale;
  });
}

double Largest(const Data &data) {
  double largest = 0;
  for (int64_t e = 0; e < data.numel(); e++)
    if (std::isfinite(data.F64(e)))
      largest = std::max(largest, std::fabs(data.F64(e)));
  return largest;
}

// A score is a sum of d products and its rounding moves a weight by so much of
// itself; the result is a mean of n values.
void ExpectAttention(const std::vector<Data> &inputs,
                     const std::vector<Data> &expected,
                     const std::vector<Data> &actual) {
  const tir_ir_type &k = inputs[1].type;
  const double d = static_cast<double>(k.dims[k.rank - 1]);
  const double n = static_cast<double>(k.dims[k.rank - 2]);
  double score = d * Largest(inputs[0]) * Largest(inputs[1]);
  if (inputs.size() > 3 && inputs[3].is_float()) score += Largest(inputs[3]);
  const double bound = 2 * Roundoff(expected[0]) * (n + 8 + (d + 4) * score) *
                       std::max(1.0, Largest(inputs[2]));
  ExpectAll(expected, actual, [&](size_t i, int64_t e) {
    const double a = expected[i].F64(e), b = actual[i].F64(e);
    return IsSame(a, b) || std::fabs(a - b) <= bound;
  });
}

void ExpectOptim(const std::vector<Data> &inputs,
                 const std::vector<Data> &expected,
                 const std::vector<Data> &actual) {
  ExpectAll(expected, actual, [&](size_t i, int64_t e) {
    const double a = expected[i].F64(e), b = actual[i].F64(e);
    // The terms of all these sums are bounded by the operands.
    double scale = 1;
    for (const Data &in : inputs)
      if (in.is_float() && in.numel() == expected[i].numel())
        scale = std::max(scale, std::fabs(in.F64(e)));
    return IsSame(a, b) ||
           std::fabs(a - b) <= 8 * Roundoff(expected[i]) * scale * scale;
  });
}

}  // namespace

void ExpectSameBits(const std::vector<Data> &a, const std::vector<Data> &b) {
  ExpectAll(a, b, [&](size_t i, int64_t e) { return SameBits(a[i], b[i], e); });
}

void ExpectNear(const std::vector<Data> &expected,
                const std::vector<Data> &actual, double relative,
                double absolute) {
  ExpectAll(expected, actual, [&](size_t i, int64_t e) {
    const double a = expected[i].F64(e), b = actual[i].F64(e);
    const double scale = std::max(std::fabs(a), std::fabs(b));
    return IsSame(a, b) || std::fabs(a - b) <= absolute + relative * scale;
  });
}

void ExpectAccurate(const OpInfo &info, const OpCase &c,
                    const std::vector<Data> &inputs,
                    const std::vector<Data> &expected,
                    const std::vector<Data> &actual) {
  ASSERT_EQ(expected.size(), actual.size());
  if (expected.empty()) return;
  switch (info.accuracy) {
    case Accuracy::kExact:
      ExpectSameBits(expected, actual);
      return;
    case Accuracy::kSum:
      ExpectSum(c, inputs, expected, actual);
      return;
    case Accuracy::kSoftmax:
      ExpectSoftmax(c, inputs, expected, actual);
      return;
    case Accuracy::kAttention:
      ExpectAttention(inputs, expected, actual);
      return;
    case Accuracy::kOptim:
      ExpectOptim(inputs, expected, actual);
      return;
    case Accuracy::kUlp:
      break;
  }
  // In f64 the reference is as far from the truth as libm is: one unit more.
  ExpectAll(expected, actual, [&](size_t i, int64_t e) {
    const bool is_f64 = expected[i].type.dtype == TIR_DTYPE_F64;
    return UlpDistance(expected[i], actual[i], e) <= info.ulps + is_f64;
  });
}

}  // namespace tapeir_test
