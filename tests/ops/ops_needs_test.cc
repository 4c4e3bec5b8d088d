// `needs` of a descriptor says which operands and results the gradient reads:
// exactly those that the rule's nodes touch.

#include <set>

#include "tests/ops/harness.h"

namespace tapeir_test {
namespace {

// Calls the rule of the case's op for one operand only and finds out which
// values of the forward node its result depends on.
tir_ir_needs Touched(CaseGraph *graph, const OpCase &c, size_t operand,
                     tir_dtype dtype) {
  tir_ir_graph *ir = graph->ir();
  tir_tape *tape = graph->builder().tape();
  const tir_op_desc *desc = tir_ir_op_desc(c.op);
  std::vector<tir_value> out_grad;
  for (tir_value v : graph->out()) {
    tir_ir_type type;
    tir_ir_type_of(ir, {graph->Id(v)}, &type);
    tir_value g = {};
    if (tir_ir_dtype_is_float(type.dtype))
      g = tir_ir_record_declared(tape, TIR_OP_INPUT, nullptr, &type, nullptr);
    out_grad.push_back(g);
  }
  const uint32_t n_before = tir_ir_n_nodes(ir);
  const Words words = c.attrs ? c.attrs(dtype) : Words();
  std::vector<char> wants(c.in.size());
  wants[operand] = true;
  std::vector<tir_value> in_grad(c.in.size());
  tir_ir_vjp q = {};
  q.tape = tape;
  q.attrs = words.data();
  q.in = graph->in().data();
  q.n_in = graph->in().size();
  q.out = graph->out().data();
  q.n_out = graph->out().size();
  q.out_grad = out_grad.data();
  q.wants = reinterpret_cast<const bool *>(wants.data());
  q.in_grad = in_grad.data();
  desc->vjp(&q);
  tir_error error = {};
  EXPECT_EQ(tir_tape_check(tape, &error), TIR_OK) << error.message;

  tir_ir_needs touched = {};
  std::set<uint32_t> reached = {graph->Id(in_grad[operand])};
  const auto touch = [&](uint32_t value) {
    reached.insert(value);
    for (size_t i = 0; i < q.n_in; i++)
      if (graph->Id(q.in[i]) == value)
        touched.in |= static_cast<uint16_t>(1 << std::min<size_t>(i, 15));
    for (size_t i = 0; i < q.n_out; i++)
      if (graph->Id(q.out[i]) == value)
        touched.out |= static_cast<uint16_t>(1 << i);
  };
  for (uint32_t id = tir_ir_n_nodes(ir); id > n_before; id--) {
    const tir_ir_node n = {id};
    bool is_reached = false;
    for (uint32_t i = 0; i < tir_ir_n_out(ir, n); i++)
      is_reached |= reached.count(tir_ir_out(ir, n, i).id) != 0;
    if (!is_reached) continue;
    for (uint32_t i = 0; i < tir_ir_n_in(ir, n); i++)
      if (!tir_ir_op_shape_only(tir_ir_desc(ir, n), i))
        touch(tir_ir_in(ir, n, i).id);
  }
  return touched;
}

class OpNeeds : public OpTest {};

TEST_P(OpNeeds, AreWhatTheRuleTouches) {
  if (!desc().vjp) return;
  std::vector<tir_ir_needs> all(16);
  std::set<size_t> variables;
  for (const OpCase &c : info().cases) {
    SCOPED_TRACE(
        c.Label(static_cast<size_t>(&c - info().cases.data()), TIR_DTYPE_F64));
    const tir_dtype dtype =
        info().dtypes & Bit(TIR_DTYPE_F64) ? TIR_DTYPE_F64 : TIR_DTYPE_I64;
    if ((c.flags & kIntOnly) && dtype == TIR_DTYPE_F64) continue;
    CaseGraph probe(context(), c, dtype);
    for (size_t i : probe.variables()) {
      CaseGraph graph(context(), c, dtype);
      const tir_ir_needs touched = Touched(&graph, c, i, dtype);
      const tir_ir_needs declared = tir_ir_op_needs(&desc(), i);
      EXPECT_EQ(touched.in & ~declared.in, 0) << "operand " << i;
      EXPECT_EQ(touched.out & ~declared.out, 0) << "operand " << i;
      all[i].in |= touched.in;
      all[i].out |= touched.out;
      variables.insert(i);
    }
  }
  // What a custom op's own rule reads is not known: all is kept for it.
  if (desc().count_outputs) return;
  // Nothing is declared that no row reads.
  for (size_t i : variables) {
    const tir_ir_needs declared = tir_ir_op_needs(&desc(), i);
    EXPECT_EQ(all[i].in, declared.in) << "operand " << i;
    EXPECT_EQ(all[i].out, declared.out) << "operand " << i;
  }
}

TAPEIR_FOR_ALL_OPS(OpNeeds);

}  // namespace
}  // namespace tapeir_test
