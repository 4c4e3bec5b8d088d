// Gradient rules as graphs: every op has one or says why not, a rule reads
// just the data its descriptor declares, gives gradients of the operands'
// types, can be differentiated again, and follows a symbolic dim.
#include <algorithm>
#include <map>

#include "tests/ops/op_calls.h"

extern "C" {
#include "ir/attr.h"
#include "ir/text.h"
#include "passes/gradient.h"
}
#include "tapeir/tapeir.h"

namespace {

TEST(GradientRules, EveryOpHasGradientOrReason) {
  for (int op = 1; op < TIR_N_OPS; op++) {
    const tir_op_desc *desc = tir_ir_op_desc(static_cast<tir_op>(op));
    EXPECT_NE(desc->vjp != nullptr, desc->no_gradient != nullptr) << desc->name;
    if (desc->no_gradient) {
      EXPECT_GT(strlen(desc->no_gradient), 10u) << desc->name;
    }
  }
}

TEST(Descriptors, AreComplete) {
  for (int op = 1; op < TIR_N_OPS; op++) {
    const tir_op_desc *desc = tir_ir_op_desc(static_cast<tir_op>(op));
    SCOPED_TRACE(desc->name);
    const std::string summary = desc->summary;
    EXPECT_TRUE(isupper(static_cast<unsigned char>(summary[0])));
    EXPECT_EQ(summary.back(), '.');
    EXPECT_EQ(summary.find('\n'), std::string::npos);
    ASSERT_NE(desc->operands, nullptr);
    ASSERT_NE(desc->family, nullptr);
    ASSERT_NE(desc->infer, nullptr);
    EXPECT_LE(desc->min_inputs, desc->max_inputs);
    EXPECT_LE(desc->n_outputs, TIR_MAX_OUTPUTS);
    // As many names as operands; the last of a variadic op repeats.
    const std::string names = desc->operands;
    const auto n_names =
        names.empty() ? 0 : std::count(names.begin(), names.end(), ',') + 1;
    if (desc->max_inputs == 255) {
      EXPECT_EQ(names.substr(names.size() - 3), "...");
    } else {
      EXPECT_EQ(n_names, desc->max_inputs);
    }
    EXPECT_EQ(desc->attrs_size % 8, 0);
    EXPECT_EQ(desc->n_attrs == 0, desc->attrs_size == 0);
    for (int a = 0; a < desc->n_attrs; a++) {
      const tir_ir_attr &attr = desc->attrs[a];
      EXPECT_LE(attr.offset + tir_ir_attr_size(&attr), desc->attrs_size)
          << attr.name;
      EXPECT_EQ(attr.offset % 8, 0u) << attr.name;
    }
  }
}

bool IsFloat(const CallType &type) { return tir_ir_dtype_is_float(type.dtype); }

// One application of a rule: an op on inputs, its output gradients on inputs.
class Rule {
 public:
  explicit Rule(const OpCall &call) : call_(call), desc_(call.desc()) {
    for (const CallType &type : call.in) in_.push_back(graph_.Input(type));
    out_.push_back(tir_ir_record(graph_.tape(), call.op, in_.data(), in_.size(),
                                 call.attrs.data()));
    for (uint32_t i = 1; i < desc_->n_outputs; i++)
      out_.push_back(tir_ir_result(graph_.tape(), out_[0], i));
    Ok();
  }

  bool OutIsFloat(size_t i) const {
    return tir_ir_dtype_is_float(TypeOf(out_[i]).dtype);
  }
  // Runs the rule for operand `want` with gradients for the outputs in
  // `out_mask`; false if it gave none (an exact zero).
  bool Run(size_t want, unsigned out_mask) {
    std::vector<tir_value> out_grad(out_.size()), in_grad(in_.size());
    std::vector<char> wants(in_.size());
    for (size_t i = 0; i < out_.size(); i++) {
      if (!(out_mask >> i & 1)) continue;
      const tir_ir_type type = TypeOf(out_[i]);
      out_grad[i] = tir_ir_record_declared(graph_.tape(), TIR_OP_INPUT, nullptr,
                                           &type, nullptr);
    }
    wants[want] = 1;
    first_node_ = tir_ir_n_nodes(graph_.ir()) + 1;
    tir_ir_vjp q = {};
    q.tape = graph_.tape();
    q.attrs = call_.attrs.data();
    q.in = in_.data();
    q.n_in = in_.size();
    q.out = out_.data();
    q.n_out = out_.size();
    q.out_grad = out_grad.data();
    q.wants = reinterpret_cast<const bool *>(wants.data());
    q.in_grad = in_grad.data();
    desc_->vjp(&q);
    Ok();
    for (size_t i = 0; i < in_.size(); i++)
      if (i != want) {
        EXPECT_EQ(in_grad[i].owner, nullptr)
            << desc_->name << " gave operand " << i << " a gradient";
      }
    gradient_ = in_grad[want];
    return gradient_.owner != nullptr;
  }
  // The gradient must have the operand's type, symbols included.
  void CheckType(size_t want) {
    const tir_ir_type a = TypeOf(gradient_), b = TypeOf(in_[want]);
    char a_text[TIR_TYPE_TEXT_MAX], b_text[TIR_TYPE_TEXT_MAX];
    EXPECT_TRUE(tir_ir_type_equal(&a, &b))
        << desc_->name << ": operand " << want << " is "
        << tir_ir_type_text(&b, b_text) << ", its gradient "
        << tir_ir_type_text(&a, a_text);
  }
  // Which operands and outputs the nodes of the rule read, as needs says it.
  tir_ir_needs Touched() const {
    std::map<uint32_t, uint16_t> in_bits, out_bits;
    for (size_t i = 0; i < in_.size(); i++)
      in_bits[Id(in_[i])] = static_cast<uint16_t>(1u << i);
    for (size_t i = 0; i < out_.size(); i++)
      out_bits[Id(out_[i])] = static_cast<uint16_t>(1u << i);
    tir_ir_needs touched = {};
    const auto touch = [&](uint32_t id) {
      if (in_bits.count(id)) touched.in |= in_bits[id];
      if (out_bits.count(id)) touched.out |= out_bits[id];
    };
    const tir_ir_graph *ir = graph_.ir();
    for (uint32_t id = first_node_; id <= tir_ir_n_nodes(ir); id++) {
      const tir_ir_node node = {id};
      for (uint32_t i = 0; i < tir_ir_n_in(ir, node); i++)
        if (!tir_ir_op_shape_only(tir_ir_desc(ir, node), i))
          touch(tir_ir_in(ir, node, i).id);
    }
    if (gradient_.owner) touch(Id(gradient_));
    return touched;
  }

 private:
  tir_ir_type TypeOf(tir_value v) const {
    tir_ir_type type;
    tir_ir_value_type(graph_.tape(), v, &type);
    return type;
  }
  uint32_t Id(tir_value v) const { return tir_ir_peek(graph_.tape(), v).id; }
  void Ok() {
    tir_error error = {};
    EXPECT_EQ(tir_tape_check(graph_.tape(), &error), TIR_OK)
        << desc_->name << ": " << error.message;
  }

  CallGraph graph_;
  OpCall call_;
  const tir_op_desc *desc_;
  std::vector<tir_value> in_, out_;
  tir_value gradient_ = {};
  uint32_t first_node_ = 0;
};

bool HasRule(const OpCall &call) { return call.desc()->vjp != nullptr; }

bool Wanted(const OpCall &call, size_t i) {
  return IsFloat(call.in[i]) && !tir_ir_op_shape_only(call.desc(), i);
}

TEST(GradientRules, ReadWhatTheDescriptorDeclares) {
  for (const OpCall &call : ValidCalls(4)) {
    if (!HasRule(call)) continue;
    for (size_t want = 0; want < call.in.size(); want++) {
      if (!Wanted(call, want)) continue;
      tir_ir_needs touched = {};
      for (unsigned mask = 1; mask < 1u << call.n_out(); mask++) {
        Rule rule(call);
        if (!rule.OutIsFloat(0)) continue;  // no gradient ever arrives
        rule.Run(want, mask);
        const tir_ir_needs now = rule.Touched();
        touched.in |= now.in;
        touched.out |= now.out;
      }
      tir_ir_needs needs = tir_ir_op_needs(call.desc(), want);
      // What a custom op's own rule reads is not known: all is kept.
      if (call.desc()->count_outputs) {
        EXPECT_EQ(touched.in & ~needs.in, 0);
        EXPECT_EQ(needs.in & needs.out, UINT16_MAX);
        continue;
      }
      // Of an optional operand that is not there nothing is read.
      needs.in &= static_cast<uint16_t>((1u << call.in.size()) - 1);
      EXPECT_EQ(touched.in, needs.in) << call.desc()->name << " " << want;
      EXPECT_EQ(touched.out, needs.out) << call.desc()->name << " " << want;
    }
  }
}

TEST(GradientRules, GiveTheOperandsType) {
  for (int64_t n : {4, 1, 0})
    for (const OpCall &call : ValidCalls(n)) {
      if (!HasRule(call)) continue;
      const bool is_extreme =
          call.op == TIR_OP_REDUCE_MAX || call.op == TIR_OP_REDUCE_MIN ||
          call.op == TIR_OP_ARGMAX || call.op == TIR_OP_ARGMIN;
      if (n == 0 && is_extreme) continue;
      for (size_t want = 0; want < call.in.size(); want++)
        for (unsigned mask = 1; mask < 1u << call.n_out(); mask++) {
          if (!Wanted(call, want)) continue;
          Rule rule(call);
          if (rule.OutIsFloat(0) && rule.Run(want, mask)) rule.CheckType(want);
        }
    }
}

// The same with the symbol on some operands only: what broadcasting or joining
// carried over must not stay on the gradient.
TEST(GradientRules, GiveTheOperandsSymbols) {
  for (const OpCall &whole : ValidCalls(4)) {
    if (!HasRule(whole)) continue;
    for (unsigned keep = 0; keep < 1u << whole.in.size(); keep++) {
      OpCall call = whole;
      for (size_t i = 0; i < call.in.size(); i++)
        for (CallDim &dim : call.in[i].dims)
          if (!(keep >> i & 1)) dim.symbol = false;
      for (size_t want = 0; want < call.in.size(); want++) {
        if (!Wanted(call, want)) continue;
        Rule rule(call);
        if (rule.OutIsFloat(0) && rule.Run(want, 1)) rule.CheckType(want);
      }
    }
  }
}

// --- through the gradient pass ----------------------------------------------

// Records the op on inputs, then `orders` nested gradients of its first
// output with respect to all float operands, and expands them.
class Differentiated {
 public:
  Differentiated(const OpCall &call, int orders) {
    tir_tape *t = graph_.tape();
    for (size_t i = 0; i < call.in.size(); i++) {
      in_.push_back(graph_.Input(call.in[i]));
      if (!Wanted(call, i)) continue;
      wrt_.push_back(in_[i]);
      const tir_ir_value v = tir_ir_peek(t, in_[i]);
      tir_ir_value_at(graph_.ir(), v)->flags |= TIR_VALUE_NEEDS_GRAD;
    }
    tir_record_begin(t, true);
    tir_value head =
        tir_ir_record(t, call.op, in_.data(), in_.size(), call.attrs.data());
    for (int order = 0; order < orders; order++) head = Gradient(head);
    tir_mode_end(t);
    EXPECT_EQ(tir_tape_check(t, &error_), TIR_OK) << error_.message;
    EXPECT_EQ(
        tir_ir_add_output(graph_.ir(), tir_ir_peek(t, head), "g", &error_),
        TIR_OK);
    EXPECT_EQ(tir_pass_expand_gradients(graph_.ir(), nullptr, &error_), TIR_OK)
        << call.desc()->name << ": " << error_.message;
    EXPECT_EQ(tir_ir_verify(graph_.ir(), &error_), TIR_OK)
        << call.desc()->name << ": " << error_.message;
  }

  void InferAgain(int64_t n) {
    if (!tir_base_strings_find(&graph_.ir()->strings, "n", 1)) return;
    bool any = false;
    for (size_t i = 0; i < graph_.ir()->inputs.count; i++) {
      tir_ir_type type;
      tir_ir_type_of(graph_.ir(), graph_.ir()->inputs.data[i], &type);
      for (int a = 0; a < type.rank; a++) any = any || type.symbols[a];
    }
    if (any) {
      EXPECT_EQ(tir_ir_set_symbol(graph_.ir(), "n", n, &error_), TIR_OK)
          << error_.message;
    }
    EXPECT_EQ(tir_ir_infer_graph(graph_.ir(), &error_), TIR_OK)
        << error_.message;
  }

  std::string Text() const {
    tir_ir_text text;
    tir_ir_text_init(&text, graph_.context());
    tir_ir_print_graph(graph_.ir(), nullptr, nullptr, &text);
    const std::string result(text.bytes.data, text.bytes.count);
    tir_ir_text_free(&text);
    return result;
  }

 private:
  tir_value Gradient(tir_value head) {
    tir_tape *t = graph_.tape();
    std::vector<tir_value> operands = {head, tir_ones_like(t, head)};
    operands.insert(operands.end(), wrt_.begin(), wrt_.end());
    // The node is made by hand: tir_ir_record knows fixed output counts only.
    std::vector<uint32_t> ids;
    for (tir_value v : operands) ids.push_back(tir_ir_peek(t, v).id);
    const tir_attrs_gradient attrs = {1, 1};
    tir_ir_node node;
    EXPECT_EQ(tir_ir_append_checked(graph_.ir(), TIR_OP_GRADIENT, ids.data(),
                                    ids.size(), &attrs, nullptr, wrt_.size(),
                                    &node, &error_),
              TIR_OK)
        << error_.message;
    tir_ir_node_at(graph_.ir(), node)->flags |= TIR_NODE_HISTORY;
    std::vector<tir_value> sums;
    for (uint32_t i = 0; i < wrt_.size(); i++) {
      const tir_ir_value out = tir_ir_out(graph_.ir(), node, i);
      tir_ir_value_at(graph_.ir(), out)->flags |= TIR_VALUE_NEEDS_GRAD;
      sums.push_back(tir_sum(t, tir_ir_handle(t, out), nullptr, 0, false));
    }
    tir_value total = sums[0];
    for (size_t i = 1; i < sums.size(); i++) total = tir_add(t, total, sums[i]);
    return total;
  }

  CallGraph graph_;
  std::vector<tir_value> in_, wrt_;
  tir_error error_ = {};
};

bool Differentiable(const OpCall &call) {
  if (!HasRule(call) || call.in.empty()) return false;
  // A static graph assigns to parameters only; the operands here are inputs.
  if (call.op == TIR_OP_ASSIGN) return false;
  CallGraph graph;
  if (!graph.Infer(call).empty()) return false;
  if (!tir_ir_dtype_is_float(graph.out()[0].dtype)) return false;
  for (size_t i = 0; i < call.in.size(); i++)
    if (Wanted(call, i)) return true;
  return false;
}

TEST(GradientRules, CanBeDifferentiatedAgain) {
  for (const OpCall &call : ValidCalls(4))
    if (Differentiable(call)) {
      Differentiated first(call, 1), second(call, 2), third(call, 3);
      EXPECT_FALSE(third.Text().empty());
    }
}

// Captured at one size and inferred again at another, a gradient is the graph
// captured there.
TEST(GradientRules, FollowASymbolicDim) {
  int n_followed = 0;
  for (int order : {1, 2})
    for (int64_t from : {4, 1})
      for (int64_t to : {7, 1, 4}) {
        const std::vector<OpCall> calls = ValidCalls(from);
        const std::vector<OpCall> there = ValidCalls(to);
        for (size_t i = 0; i < calls.size(); i++) {
          if (!Differentiable(calls[i])) continue;
          Differentiated moved(calls[i], order);
          moved.InferAgain(to);
          EXPECT_EQ(moved.Text(), Differentiated(there[i], order).Text())
              << calls[i].desc()->name << " from " << from << " to " << to;
          n_followed++;
        }
      }
  EXPECT_GT(n_followed, 400);
}

}  // namespace
