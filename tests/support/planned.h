// A graph from text with its schedule and memory plan, for tests of both.
#ifndef TAPEIR_TESTS_SUPPORT_PLANNED_H
#define TAPEIR_TESTS_SUPPORT_PLANNED_H

#include <algorithm>
#include <string>
#include <vector>

#include "tests/support/text_graph.h"

extern "C" {
#include "passes/pass.h"
#include "passes/plan.h"
}

class Planned {
 public:
  // Takes the graph; runs `passes`, fuse-elementwise if asked for, schedule,
  // plan-memory and the checker.
  Planned(GraphPtr graph, const char *passes = "",
          const tir_plan_options *options = nullptr, bool fuse = false)
      : graph_(std::move(graph)) {
    tir_plan_init(&plan_, graph_->context);
    tir_pass_ctx ctx = {};
    ctx.context = graph_->context;
    ctx.error = &error_;
    ctx.for_execution = true;
    EXPECT_EQ(tir_pass_run(&ctx, passes, nullptr, graph_.get()), TIR_OK)
        << error_.message;
    if (fuse) {
      EXPECT_EQ(tir_pass_fuse_elementwise(graph_.get(), &plan_, &error_),
                TIR_OK)
          << error_.message;
    }
    EXPECT_EQ(tir_pass_schedule(graph_.get(), &plan_, &error_), TIR_OK)
        << error_.message;
    EXPECT_EQ(tir_pass_plan_memory(graph_.get(), options, &plan_, &error_),
              TIR_OK)
        << error_.message;
    EXPECT_EQ(tir_pass_check_plan(graph_.get(), &plan_, &error_), TIR_OK)
        << error_.message;
  }
  Planned(tir_context *context, const std::string &text,
          const char *passes = "", const tir_plan_options *options = nullptr)
      : Planned(ParseGraph(context, text), passes, options) {}
  ~Planned() { tir_plan_free(&plan_); }
  Planned(const Planned &) = delete;
  Planned &operator=(const Planned &) = delete;

  tir_ir_graph *graph() const { return graph_.get(); }
  const tir_plan &plan() const { return plan_; }
  tir_plan *mutable_plan() { return &plan_; }

  // Value by its name in the text; 0 if there is none.
  uint32_t Value(const std::string &name) const {
    for (uint32_t v = 1; v <= tir_ir_n_values(graph_.get()); v++)
      if (name == tir_ir_value_name(graph_.get(), {v})) return v;
    ADD_FAILURE() << "no value " << name;
    return 0;
  }
  const tir_place &Place(const std::string &name) const {
    return plan_.places[Value(name)];
  }
  tir_place *MutablePlace(const std::string &name) {
    return &plan_.places[Value(name)];
  }
  // Position of the node that makes a value; −1 if it is not executed.
  int Position(const std::string &name) const {
    const uint32_t node = graph_->values.data[Value(name)].node;
    for (size_t i = 0; i < plan_.order.count; i++)
      if (plan_.order.data[i] == node) return static_cast<int>(i);
    return -1;
  }
  // Names of the executed values in order, "a b c".
  std::string Order() const {
    std::string text;
    for (size_t i = 0; i < plan_.order.count; i++) {
      const tir_ir_value v = tir_ir_out(graph_.get(), {plan_.order.data[i]}, 0);
      text += (i ? " " : "") + std::string(tir_ir_value_name(graph_.get(), v));
    }
    return text;
  }
  // Regions by the names of their values, "a b | c d".
  std::string Regions() const {
    std::string text;
    for (size_t i = 0; i < plan_.regions.count; i++) {
      const tir_plan_region &r = plan_.regions.data[i];
      text += i ? " |" : "";
      for (uint32_t k = 0; k < r.n_members; k++) {
        const tir_ir_node node = {plan_.members.data[r.first + k]};
        const tir_ir_value v = tir_ir_out(graph_.get(), node, 0);
        text += (text.empty() ? "" : " ") +
                std::string(tir_ir_value_name(graph_.get(), v));
      }
    }
    return text;
  }
  double Ratio() const {
    return plan_.lower_bound_bytes
               ? static_cast<double>(plan_.arena_bytes) /
                     static_cast<double>(plan_.lower_bound_bytes)
               : 1.0;
  }
  tir_status Check(tir_error *error) const {
    return tir_pass_check_plan(graph_.get(), &plan_, error);
  }

 private:
  GraphPtr graph_;
  tir_plan plan_ = {};
  tir_error error_ = {};
};

#endif
