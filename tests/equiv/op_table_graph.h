// Random graphs from the op table: any op, any operands and attributes that
// its infer accepts. A new op takes part without being named here.
#ifndef TAPEIR_TESTS_EQUIV_OP_TABLE_GRAPH_H
#define TAPEIR_TESTS_EQUIV_OP_TABLE_GRAPH_H

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "tests/support/internal.h"
#include "tests/support/random.h"

extern "C" {
#include "ir/attr.h"
}

class OpTableGraph {
 public:
  OpTableGraph(tir_context *context, uint64_t seed, int n_ops) : random_(seed) {
    EXPECT_EQ(tir_ir_graph_create(context, "main", &g_, nullptr), TIR_OK);
    // Few dtypes and shapes per graph, so that operands fit each other.
    for (int i = 0; i < 2; i++) dtypes_.push_back(kDtypes[Below(6)]);
    for (int i = 0; i < 3; i++) shapes_.push_back(RandomShape());
    const size_t n_inputs = 2 + Below(4), n_params = Below(4);
    for (size_t i = 0; i < n_inputs; i++)
      AddDeclared(TIR_OP_INPUT, "x" + std::to_string(i), nullptr);
    const tir_attrs_param attrs = {TIR_PARAM_TRAINABLE};
    for (size_t i = 0; i < n_params; i++)
      params_.push_back(
          AddDeclared(TIR_OP_PARAM, "p" + std::to_string(i), &attrs));
    for (int i = 0; i < 3; i++) AddConstant();
    for (int i = 0; i < n_ops; i++) Below(12) ? AddOp() : AddConstant();
    AddAssigns();
    AddOutputs();
  }

  // The graph now belongs to the caller.
  tir_ir_graph *Take() { return g_; }
  const std::set<std::string> &ops() const { return ops_; }

 private:
  static constexpr tir_dtype kDtypes[] = {TIR_DTYPE_F32, TIR_DTYPE_F32,
                                          TIR_DTYPE_F32, TIR_DTYPE_F64,
                                          TIR_DTYPE_I64, TIR_DTYPE_I32};

  uint64_t Below(uint64_t n) { return random_.Below(n); }

  std::vector<int64_t> RandomShape() {
    std::vector<int64_t> dims(Below(4));
    for (int64_t &dim : dims)
      dim = Below(24) == 0 ? 0 : 1 + static_cast<int64_t>(Below(4));
    return dims;
  }

  tir_ir_type RandomType() {
    tir_ir_type type = {};
    const uint64_t pick = Below(16);
    type.dtype = pick == 0   ? TIR_DTYPE_BOOL
                 : pick == 1 ? TIR_DTYPE_I64
                 : pick == 2 ? TIR_DTYPE_F16
                             : dtypes_[Below(dtypes_.size())];
    std::vector<int64_t> dims =
        Below(3) == 0 ? RandomShape() : shapes_[Below(shapes_.size())];
    // Parts of a shape broadcast to it.
    if (Below(3) == 0 && !dims.empty())
      dims.erase(dims.begin(), dims.begin() + 1);
    if (Below(4) == 0 && !dims.empty()) dims[Below(dims.size())] = 1;
    type.rank = static_cast<int>(dims.size());
    std::copy(dims.begin(), dims.end(), type.dims);
    return type;
  }

  uint32_t AddDeclared(tir_op op, const std::string &name, const void *attrs) {
    const tir_ir_type type = RandomType();
    tir_ir_node node;
    EXPECT_EQ(tir_ir_append_checked(g_, op, nullptr, 0, attrs, &type, 1, &node,
                                    nullptr),
              TIR_OK);
    const tir_ir_value value = tir_ir_out(g_, node, 0);
    EXPECT_EQ(
        tir_ir_set_value_name(g_, value, name.data(), name.size(), nullptr),
        TIR_OK);
    values_.push_back(value.id);
    return value.id;
  }

  void AddConstant() {
    static const double kNumbers[] = {0,   -0.0, 1,        -1,  2,
                                      0.5, 3,    INFINITY, NAN, 1};
    const tir_ir_type type = RandomType();
    tir_attrs_constant attrs = {};
    const auto number = [&] { return kNumbers[Below(10)]; };
    if (Below(3)) {
      tir_ir_store_f64(type.dtype, &attrs.bits, number());
    } else {
      tir_tensor *tensor = nullptr;
      ASSERT_EQ(tir_tensor_create(g_->context, type.dtype, type.dims, type.rank,
                                  &tensor, nullptr),
                TIR_OK);
      for (int64_t i = 0; i < tensor->numel; i++)
        tir_ir_store_f64(
            type.dtype,
            static_cast<char *>(tensor->data) +
                static_cast<size_t>(i) * tir_dtype_size(type.dtype),
            number());
      uint32_t index = 0;
      EXPECT_EQ(tir_ir_add_tensor(g_, tensor, &index, nullptr), TIR_OK);
      tir_tensor_release(tensor);
      attrs.tensor = static_cast<int64_t>(index) + 1;
    }
    tir_ir_node node;
    EXPECT_EQ(tir_ir_append_checked(g_, TIR_OP_CONSTANT, nullptr, 0, &attrs,
                                    &type, 1, &node, nullptr),
              TIR_OK);
    values_.push_back(tir_ir_out(g_, node, 0).id);
  }

  uint32_t Pick() {
    const size_t n = values_.size();
    const size_t window = Below(3) == 0 ? n : std::min<size_t>(n, 8);
    return values_[n - 1 - Below(window)];
  }

  // An operand that often has the type, or the dtype, of one picked before.
  uint32_t PickLike(uint32_t like) {
    uint32_t v = Pick();
    const bool same_type = Below(2);
    for (int i = 0; i < 8; i++) {
      if (same_type ? tir_ir_same_type(g_, {v}, {like})
                    : tir_ir_dtype_of(g_, {v}) == tir_ir_dtype_of(g_, {like}))
        break;
      v = Pick();
    }
    return v;
  }

  void RandomInts(tir_ir_ints *ints, uint32_t operand) {
    tir_ir_type type;
    tir_ir_type_of(g_, {operand}, &type);
    const uint64_t kind = Below(4);
    if (kind == 0) return;
    if (kind == 1) {  // a permutation
      ints->n = type.rank;
      for (int i = 0; i < type.rank; i++) ints->v[i] = i;
      for (int i = type.rank - 1; i > 0; i--)
        std::swap(ints->v[i], ints->v[Below(static_cast<uint64_t>(i) + 1)]);
      return;
    }
    if (kind == 2) {  // a shape
      std::vector<int64_t> dims = shapes_[Below(shapes_.size())];
      if (Below(3) == 0) dims = {-1};
      if (Below(3) == 0) dims.assign(type.dims, type.dims + type.rank);
      ints->n = static_cast<int64_t>(dims.size());
      std::copy(dims.begin(), dims.end(), ints->v);
      return;
    }
    ints->n = static_cast<int64_t>(Below(3));
    for (int64_t i = 0; i < ints->n; i++)
      ints->v[i] = static_cast<int64_t>(Below(4)) - (Below(6) == 0);
  }

  void RandomAttrs(const tir_op_desc *desc, uint32_t operand, char *attrs) {
    tir_ir_ints first = {};
    for (size_t i = 0; i < desc->n_attrs; i++) {
      const tir_ir_attr *a = &desc->attrs[i];
      char *field = attrs + a->offset;
      int64_t n = a->default_i64;
      const bool keep = !a->required && Below(3) == 0;
      if (a->kind == TIR_ATTR_I64 && !keep)
        n = static_cast<int64_t>(Below(5)) - 1;
      if (a->kind == TIR_ATTR_BOOL && !keep) n = static_cast<int64_t>(Below(2));
      if (a->kind == TIR_ATTR_DTYPE) n = kDtypes[Below(6)];
      if (a->kind == TIR_ATTR_INTS) {
        tir_ir_ints ints = {};
        // Lists of one op often go together: starts, stops, steps.
        RandomInts(&ints, operand);
        if (first.n && Below(4)) {
          ints = first;
          for (int64_t k = 0; k < ints.n; k++)
            ints.v[k] += static_cast<int64_t>(Below(3));
        }
        if (!first.n) first = ints;
        memcpy(field, &ints, sizeof ints);
      } else if (a->kind == TIR_ATTR_F64) {
        memcpy(field, &a->default_f64, sizeof(double));
      } else {
        memcpy(field, &n, sizeof n);
      }
    }
  }

  static bool IsChosen(tir_op op) {
    return op != TIR_OP_INPUT && op != TIR_OP_PARAM && op != TIR_OP_CONSTANT &&
           op != TIR_OP_GRADIENT && op != TIR_OP_ASSIGN &&
           !tir_ir_has_bodies(tir_ir_op_desc(op));
  }

  void AddOp() {
    for (int attempt = 0; attempt < 60; attempt++) {
      const tir_op op = static_cast<tir_op>(1 + Below(TIR_N_OPS - 1));
      // Stay with one op for a while: picky ones need luck.
      for (int i = 0; IsChosen(op) && i < 30; i++)
        if (TryOp(op)) return;
    }
  }

  // One of custom_ops::RegisterTestOps.
  tir_attrs_custom ProductAttrs(tir_op op) {
    tir_attrs_custom attrs = {};
    strcpy(attrs.op.text,
           op == TIR_OP_CUSTOM_PURE ? "test.pure" : "test.effect");
    attrs.version = 1;
    attrs.floats = {1, {static_cast<double>(Below(3)) - 0.5}};
    return attrs;
  }

  bool TryOp(tir_op op) {
    const tir_op_desc *desc = tir_ir_op_desc(op);
    const unsigned most =
        std::min<unsigned>(desc->max_inputs, desc->min_inputs + 8u);
    const unsigned n_in = static_cast<unsigned>(
        desc->min_inputs + Below(std::min(most - desc->min_inputs + 1, 4u)));
    std::vector<uint32_t> in;
    for (unsigned i = 0; i < n_in; i++)
      in.push_back(i == 0 || Below(4) == 0 ? Pick() : PickLike(in[Below(i)]));
    uint64_t attrs[64] = {};
    EXPECT_LE(desc->attrs_size, sizeof attrs);
    RandomAttrs(desc, in.empty() ? Pick() : in[0],
                reinterpret_cast<char *>(attrs));
    const bool custom = desc->count_outputs != nullptr;
    const unsigned n_out = custom ? 1 : desc->n_outputs;
    if (custom) {
      const tir_attrs_custom product = ProductAttrs(op);
      memcpy(attrs, &product, sizeof product);
    }
    tir_ir_node node;
    if (tir_ir_append_checked(g_, op, in.data(), in.size(), attrs, nullptr,
                              n_out, &node, nullptr) != TIR_OK)
      return false;
    for (unsigned i = 0; i < n_out; i++) {
      const tir_ir_value out = tir_ir_out(g_, node, i);
      tir_ir_type type;
      tir_ir_type_of(g_, out, &type);
      // Big values would only make the test slow.
      if (tir_ir_type_numel(&type) <= 4096) values_.push_back(out.id);
    }
    ops_.insert(desc->name);
    return true;
  }

  void AddAssigns() {
    for (const uint32_t param : params_) {
      if (Below(4) == 0) continue;
      std::vector<uint32_t> fits;
      for (const uint32_t v : values_)
        if (tir_ir_same_type(g_, {v}, {param})) fits.push_back(v);
      const uint32_t in[] = {param, fits[Below(fits.size())]};
      tir_ir_node node;
      EXPECT_EQ(tir_ir_append_checked(g_, TIR_OP_ASSIGN, in, 2, nullptr,
                                      nullptr, 1, &node, nullptr),
                TIR_OK);
      if (Below(2)) values_.push_back(tir_ir_out(g_, node, 0).id);
    }
    if (Below(2)) AddOp();
  }

  void AddOutputs() {
    const uint64_t n = 1 + Below(4);
    for (uint64_t i = 0; i < n; i++)
      EXPECT_EQ(tir_ir_add_output(g_, {Pick()},
                                  ("y" + std::to_string(i)).c_str(), nullptr),
                TIR_OK);
  }

  TestRandom random_;
  tir_ir_graph *g_ = nullptr;
  std::vector<tir_dtype> dtypes_;
  std::vector<std::vector<int64_t>> shapes_;
  std::vector<uint32_t> values_, params_;
  std::set<std::string> ops_;
};

#endif
