// Operands of cases, and graphs of one op with their gradients.

#include "tests/ops/harness.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "tests/support/random.h"

namespace tapeir_test {

const void *Data::At(int64_t e) const {
  return bytes.data() + static_cast<size_t>(e) * tir_dtype_size(type.dtype);
}

void Data::Set(int64_t e, double x) {
  tir_ir_store_f64(
      type.dtype,
      bytes.data() + static_cast<size_t>(e) * tir_dtype_size(type.dtype), x);
}

Data MakeData(const tir_ir_type &type) {
  // A spare byte, so that empty data has an address.
  return {type, std::vector<uint8_t>(tir_ir_type_bytes(&type) + 1)};
}

Data RandomData(const tir_ir_type &type, uint64_t seed) {
  Data data = MakeData(type);
  TestRandom random(seed);
  for (int64_t e = 0; e < data.numel(); e++) data.Set(e, random.Between(-1, 1));
  return data;
}

tir_dtype DtypeOf(const Operand &operand, tir_dtype dtype) {
  return operand.dtype ? operand.dtype : dtype;
}

std::vector<int64_t> DimsOf(const Operand &operand, int64_t batch) {
  std::vector<int64_t> dims = operand.dims;
  for (int64_t &d : dims)
    if (d == B) d = batch;
  return dims;
}

namespace {

double SpecialFloat(tir_dtype dtype, int64_t i) {
  const double inf = std::numeric_limits<double>::infinity();
  const bool is_f32 = dtype != TIR_DTYPE_F64;
  const double largest = is_f32 ? std::numeric_limits<float>::max()
                                : std::numeric_limits<double>::max();
  const double tiny = is_f32 ? std::numeric_limits<float>::denorm_min()
                             : std::numeric_limits<double>::denorm_min();
  const double list[] = {std::numeric_limits<double>::quiet_NaN(),
                         0.0,
                         -0.0,
                         inf,
                         -inf,
                         1,
                         -1,
                         tiny,
                         -3 * tiny,
                         largest,
                         -largest,
                         0.75,
                         -2.5,
                         88.8,
                         -104,
                         710,
                         300.5};
  return list[i];
}

int64_t SpecialInt(tir_dtype dtype, int64_t i) {
  const int bits = static_cast<int>(8 * tir_dtype_size(dtype));
  const bool is_unsigned = dtype == TIR_DTYPE_U8;
  const int64_t largest = is_unsigned  ? 255
                          : bits == 64 ? INT64_MAX
                                       : (int64_t{1} << (bits - 1)) - 1;
  const int64_t smallest = is_unsigned ? 0 : -largest - 1;
  const int64_t list[] = {smallest,
                          largest,
                          0,
                          1,
                          is_unsigned ? 254 : -1,
                          2,
                          smallest + 1,
                          largest - 1,
                          3,
                          7,
                          smallest / 2,
                          largest / 2,
                          5,
                          100,
                          11,
                          13,
                          17};
  return list[i];
}

// The `number` of a special operand shortens its period from 17 to 16, so
// that two of them meet in every pair.
void FillSpecial(const Operand &operand, Data *data) {
  const int64_t period = 17 - static_cast<int64_t>(operand.number);
  for (int64_t e = 0; e < data->numel(); e++) {
    // Not aligned with vectors, so that each value meets each lane.
    const int64_t i = (e + e / period) % period;
    if (data->is_float())
      data->Set(e, SpecialFloat(data->type.dtype, i));
    else
      tir_ir_store_i64(data->type.dtype, const_cast<void *>(data->At(e)),
                       data->type.dtype == TIR_DTYPE_BOOL
                           ? i % 2
                           : SpecialInt(data->type.dtype, i));
  }
}

// All values of a call differ by at least 0.04 (by 1 as integers, as far as
// the dtype goes): each of the first three operands has
// its own remainder.
void FillDistinct(size_t number, TestRandom *random, Data *data) {
  std::vector<int64_t> order(static_cast<size_t>(data->numel()));
  std::iota(order.begin(), order.end(), 0);
  for (size_t i = order.size(); i > 1; i--)
    std::swap(order[i - 1], order[random->Below(i)]);
  const int64_t half = data->numel() / 2;
  for (size_t e = 0; e < order.size(); e++) {
    const int64_t k = 3 * (order[e] - half) + static_cast<int64_t>(number) % 3;
    data->Set(static_cast<int64_t>(e),
              data->is_float() ? 0.04 * static_cast<double>(k) + 0.013
                               : static_cast<double>(k));
  }
}

double RandomNumber(const Operand &operand, TestRandom *random) {
  const double sign = random->Below(2) ? 1 : -1;
  switch (operand.fill) {
    case Fill::kPositive:
      return random->Between(0.3, 2.5);
    case Fill::kAway:
      return sign * random->Between(0.3, 2);
    case Fill::kSmall:
      return static_cast<double>(random->Below(5)) - 2;
    case Fill::kWide:
      return random->Between(-60, 60);
    default:
      return random->Between(-2, 2);
  }
}

// The same kinds of numbers as integers of the dtype.
double RandomInteger(const Operand &operand, tir_dtype dtype,
                     TestRandom *random) {
  if (dtype == TIR_DTYPE_BOOL) return static_cast<double>(random->Below(2));
  const double sign = dtype == TIR_DTYPE_U8 || random->Below(2) ? 1 : -1;
  switch (operand.fill) {
    case Fill::kPositive:
      return 1 + static_cast<double>(random->Below(9));
    case Fill::kAway:
      return sign * (1 + static_cast<double>(random->Below(9)));
    case Fill::kSmall:
      return sign * static_cast<double>(random->Below(3));
    case Fill::kWide:
      return sign * static_cast<double>(random->Below(120));
    default:
      return sign * static_cast<double>(random->Below(40));
  }
}

void FillRandom(const Operand &operand, TestRandom *random, Data *data) {
  for (int64_t e = 0; e < data->numel(); e++)
    data->Set(e, data->is_float()
                     ? RandomNumber(operand, random)
                     : RandomInteger(operand, data->type.dtype, random));
}

Data Make(const Operand &operand, size_t number, tir_dtype dtype, int64_t batch,
          uint64_t seed) {
  tir_ir_type type = {};
  type.dtype = DtypeOf(operand, dtype);
  for (int64_t d : DimsOf(operand, batch)) type.dims[type.rank++] = d;
  Data data = MakeData(type);
  TestRandom random(seed + 1000 * number);
  const int64_t size = static_cast<int64_t>(operand.number);
  switch (operand.fill) {
    case Fill::kSpecial:
      FillSpecial(operand, &data);
      break;
    case Fill::kDistinct:
      FillDistinct(number, &random, &data);
      break;
    case Fill::kIndex:
      for (int64_t e = 0; e < data.numel(); e++)
        data.Set(e, static_cast<double>(
                        random.Below(static_cast<uint64_t>(2 * size))) -
                        operand.number);
      break;
    case Fill::kNumber:
      for (int64_t e = 0; e < data.numel(); e++)
        data.Set(e, type.dtype == TIR_DTYPE_U8 ? std::fabs(operand.number)
                                               : operand.number);
      break;
    case Fill::kState:
      data.Set(0, 12345);
      data.Set(1, 7);
      break;
    default:
      FillRandom(operand, &random, &data);
  }
  return data;
}

}  // namespace

std::vector<Data> MakeInputs(const OpCase &c, tir_dtype dtype, int64_t batch) {
  std::vector<Data> inputs;
  for (size_t i = 0; i < c.in.size(); i++)
    inputs.push_back(Make(c.in[i], i, dtype, batch, 17 * c.op));
  return inputs;
}

// --- graphs ----------------------------------------------------------------

CaseGraph::CaseGraph(tir_context *context, const OpCase &c, tir_dtype dtype,
                     int64_t batch, const std::string &name)
    : builder_(std::make_unique<GraphBuilder>(context, name.c_str())) {
  const tir_op_desc *desc = tir_ir_op_desc(c.op);
  tir_tape *tape = builder_->tape();
  tape->mode.recording = true;
  for (size_t i = 0; i < c.in.size(); i++) {
    std::vector<std::string> symbols;
    for (int64_t d : c.in[i].dims) symbols.push_back(d == B ? "batch" : "");
    const tir_value v = builder_->Input(("in" + std::to_string(i)).c_str(),
                                        DtypeOf(c.in[i], dtype),
                                        DimsOf(c.in[i], batch), symbols);
    in_.push_back(v);
    const tir_ir_value id = tir_ir_peek(tape, v);
    if (tir_ir_op_shape_only(desc, i) ||
        !tir_ir_dtype_is_float(tir_ir_dtype_of(ir(), id)))
      continue;
    variables_.push_back(i);
    tir_ir_value_at(ir(), id)->flags |= TIR_VALUE_NEEDS_GRAD;
  }
  const Words words = c.attrs ? c.attrs(dtype) : Words();
  EXPECT_EQ(words.size() * 8, desc->attrs_size) << desc->name;
  const tir_value first = tir_ir_record(tape, c.op, in_.data(), in_.size(),
                                        words.empty() ? nullptr : words.data());
  tir_error error = {};
  if (tir_tape_check(tape, &error) != TIR_OK) {
    message_ = error.message;
    return;
  }
  out_.push_back(first);
  for (uint32_t i = 1; i < desc->n_outputs; i++)
    out_.push_back(tir_ir_result(tape, first, i));
}

uint32_t CaseGraph::Id(tir_value v) const {
  return tir_ir_peek(builder_->tape(), v).id;
}

void CaseGraph::OutputAll() {
  for (size_t i = 0; i < out_.size(); i++)
    builder_->Output(("out" + std::to_string(i)).c_str(), out_[i]);
}

// An input shaped like a value, symbols included, that may be differentiated.
tir_value CaseGraph::FloatInput(const std::string &name, tir_value like) {
  tir_ir_type type;
  tir_ir_type_of(ir(), {Id(like)}, &type);
  if (scalar_heads_) type.rank = 0;
  const tir_value v = tir_ir_record_declared(builder_->tape(), TIR_OP_INPUT,
                                             nullptr, &type, name.c_str());
  tir_ir_value_at(ir(), {Id(v)})->flags |= TIR_VALUE_NEEDS_GRAD;
  return scalar_heads_ ? tir_broadcast_like(builder_->tape(), v, like) : v;
}

bool CaseGraph::Call(const std::vector<tir_value> &heads,
                     const std::vector<tir_value> &head_grads,
                     const std::vector<tir_value> &wrt,
                     std::vector<uint32_t> *out) {
  std::vector<uint32_t> operands;
  for (const auto *list : {&heads, &head_grads, &wrt})
    for (tir_value v : *list) operands.push_back(Id(v));
  const tir_attrs_gradient attrs = {static_cast<int64_t>(heads.size()), 1};
  tir_ir_node node = {};
  tir_error error = {};
  EXPECT_EQ(tir_ir_append_checked(ir(), TIR_OP_GRADIENT, operands.data(),
                                  operands.size(), &attrs, nullptr, wrt.size(),
                                  &node, &error),
            TIR_OK)
      << error.message;
  if (!node.id) return false;
  for (uint32_t i = 0; i < wrt.size(); i++)
    out->push_back(tir_ir_out(ir(), node, i).id);
  return true;
}

bool CaseGraph::AddGradient() {
  for (tir_value v : out_) {
    const tir_ir_value id = {Id(v)};
    const bool depends =
        tir_ir_value_at(ir(), id)->flags & TIR_VALUE_NEEDS_GRAD;
    if (!depends || !tir_ir_dtype_is_float(tir_ir_dtype_of(ir(), id))) continue;
    const std::string name = "head" + std::to_string(heads_.size());
    heads_.push_back(v);
    head_grads_.push_back(FloatInput(name, v));
  }
  if (heads_.empty() || variables_.empty()) return false;
  std::vector<tir_value> wrt;
  for (size_t i : variables_) wrt.push_back(in_[i]);
  return Call(heads_, head_grads_, wrt, &gradients_);
}

bool CaseGraph::AddSecondGradient() {
  std::vector<tir_value> firsts, wrt;
  for (size_t i = 0; i < gradients_.size(); i++) {
    const tir_value v = tir_ir_handle(builder_->tape(), {gradients_[i]});
    firsts.push_back(v);
    seconds_.push_back(FloatInput("second" + std::to_string(i), v));
  }
  for (size_t i : variables_) wrt.push_back(in_[i]);
  for (tir_value v : head_grads_) wrt.push_back(v);
  return Call(firsts, seconds_, wrt, &second_gradients_);
}

void CaseGraph::OutputIds(const std::vector<uint32_t> &ids,
                          const char *prefix) {
  tir_error error = {};
  for (size_t i = 0; i < ids.size(); i++)
    EXPECT_EQ(tir_ir_add_output(ir(), {ids[i]},
                                (prefix + std::to_string(i)).c_str(), &error),
              TIR_OK)
        << error.message;
}

void CaseGraph::OutputHeads() {
  std::vector<uint32_t> ids;
  for (tir_value v : heads_) ids.push_back(Id(v));
  OutputIds(ids, "value");
}

void CaseGraph::OutputGradients() { OutputIds(gradients_, "grad"); }
void CaseGraph::OutputSecondGradients() {
  OutputIds(second_gradients_, "gradgrad");
}

tir_status CaseGraph::Expand(const char *passes) {
  tir_error error = {};
  tir_pass_ctx ctx = {};
  ctx.context = ir()->context;
  ctx.error = &error;
  const tir_status status = tir_pass_run(&ctx, passes, nullptr, ir());
  EXPECT_EQ(status, TIR_OK) << error.message;
  return status;
}

std::vector<tir_ir_type> InputTypes(const tir_ir_graph *graph) {
  std::vector<tir_ir_type> types(graph->inputs.count);
  for (size_t i = 0; i < types.size(); i++)
    tir_ir_type_of(graph, graph->inputs.data[i], &types[i]);
  return types;
}

void AddRandomInputs(const tir_ir_graph *graph, std::vector<Data> *inputs) {
  const std::vector<tir_ir_type> types = InputTypes(graph);
  for (size_t i = inputs->size(); i < types.size(); i++)
    inputs->push_back(RandomData(types[i], 99 + i));
}

std::string Text(const tir_ir_graph *graph) {
  tir_ir_text text;
  tir_ir_text_init(&text, graph->context);
  tir_ir_print_graph(graph, nullptr, nullptr, &text);
  EXPECT_FALSE(text.out_of_memory);
  const std::string result(text.bytes.data ? text.bytes.data : "");
  tir_ir_text_free(&text);
  return result;
}

std::string OpName(const testing::TestParamInfo<size_t> &param) {
  return tir_ir_op_desc(AllOps()[param.param].op)->name;
}

}  // namespace tapeir_test
