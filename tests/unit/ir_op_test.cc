// The op table: every descriptor is complete and consistent.
#include <set>
#include <string>

#include "tests/support/context_fixture.h"
#include "tests/support/text_graph.h"

extern "C" {
#include "ir/attr.h"
}

namespace {

template <typename Check>
void ForEachOp(Check check) {
  for (int op = 1; op < TIR_N_OPS; op++) {
    const tir_op_desc *desc = tir_ir_op_desc(static_cast<tir_op>(op));
    ASSERT_NE(desc, nullptr);
    SCOPED_TRACE(desc->name);
    check(static_cast<tir_op>(op), desc);
  }
}

TEST(Op, TableHasExactlyTheRoster) {
  EXPECT_EQ(tir_ir_op_desc(TIR_OP_NONE), nullptr);
  EXPECT_EQ(tir_ir_op_desc(TIR_N_OPS), nullptr);
  EXPECT_EQ(tir_ir_op_desc(static_cast<tir_op>(-1)), nullptr);
  EXPECT_STREQ(tir_ir_op_desc(TIR_OP_MATMUL)->name, "matmul");
}

TEST(Op, IsFoundByItsName) {
  ForEachOp([](tir_op op, const tir_op_desc *desc) {
    const std::string name = desc->name;
    EXPECT_EQ(tir_ir_op_find(name.data(), name.size()), op);
    const std::string longer = name + "x";
    EXPECT_EQ(tir_ir_op_find(longer.data(), longer.size()), TIR_OP_NONE);
    EXPECT_NE(tir_ir_op_find(name.data(), name.size() - 1), op);
  });
  EXPECT_EQ(tir_ir_op_find("", 0), TIR_OP_NONE);
  EXPECT_EQ(tir_ir_op_find("no such op", 10), TIR_OP_NONE);
}

TEST(Op, DescriptorIsComplete) {
  ForEachOp([](tir_op, const tir_op_desc *desc) {
    const std::string summary = desc->summary;
    ASSERT_FALSE(summary.empty());
    EXPECT_EQ(summary.back(), '.');
    EXPECT_NE(desc->family, nullptr);
    EXPECT_NE(desc->operands, nullptr);
    EXPECT_NE(desc->infer, nullptr);
    EXPECT_NE(desc->vjp == nullptr, desc->no_gradient == nullptr);
    EXPECT_LE(desc->min_inputs, desc->max_inputs);
    EXPECT_LE(desc->n_outputs, TIR_MAX_OUTPUTS);
    if (desc->max_inputs != 255) {
      EXPECT_LE(desc->max_inputs, TIR_MAX_FIXED_INPUTS);
    }
    EXPECT_TRUE(tir_ir_is_identifier(desc->name, strlen(desc->name)));
  });
}

TEST(Op, OperandNamesAreAsManyAsOperands) {
  ForEachOp([](tir_op, const tir_op_desc *desc) {
    const std::string names = desc->operands;
    size_t n = names.empty() ? 0 : 1;
    for (char c : names) n += c == ',';
    if (desc->max_inputs != 255) {
      EXPECT_EQ(n, desc->max_inputs) << names;
    } else {
      EXPECT_NE(names.find("..."), std::string::npos) << names;
    }
  });
}

TEST(Op, AttributesFitTheirStruct) {
  ForEachOp([](tir_op, const tir_op_desc *desc) {
    EXPECT_EQ(desc->attrs_size % 8, 0u);
    EXPECT_LE(desc->attrs_size, size_t{TIR_MAX_ATTRS_SIZE});
    EXPECT_LE(desc->attrs_size / 8, TIR_N_ZERO_WORDS);
    std::set<std::string> names;
    size_t bytes = 0;
    for (size_t i = 0; i < desc->n_attrs; i++) {
      const tir_ir_attr &attr = desc->attrs[i];
      const size_t size = tir_ir_attr_size(&attr);
      EXPECT_EQ(attr.offset % 8, 0u);
      EXPECT_LE(attr.offset + size, desc->attrs_size);
      EXPECT_TRUE(names.insert(attr.name).second) << attr.name;
      EXPECT_TRUE(tir_ir_is_identifier(attr.name, strlen(attr.name)));
      bytes += size;
    }
    // No field without a schema entry: it would be lost in text and files.
    EXPECT_EQ(bytes, desc->attrs_size);
  });
}

TEST(Op, ShapeOnlyOperandsAreNotNeededByGradients) {
  ForEachOp([](tir_op, const tir_op_desc *desc) {
    if (desc->needs_all) return;
    const size_t n = desc->max_inputs == 255 ? 20 : desc->max_inputs;
    for (size_t i = 0; i < n; i++) {
      const tir_ir_needs needs = tir_ir_op_needs(desc, i);
      if (desc->max_inputs == 255) {
        EXPECT_EQ(needs.in, desc->needs[0].in);
      }
      for (size_t k = 0; k < n && k < 16; k++)
        if (tir_ir_op_shape_only(desc, k)) {
          EXPECT_FALSE(needs.in >> k & 1) << i << " " << k;
        }
    }
  });
}

TEST(Op, VariadicShapeOnlyRepeatsItsLastBit) {
  tir_op_desc desc = {};
  desc.max_inputs = 255;
  desc.shape_only = 1 << 15 | 1 << 2;
  EXPECT_FALSE(tir_ir_op_shape_only(&desc, 0));
  EXPECT_TRUE(tir_ir_op_shape_only(&desc, 2));
  EXPECT_FALSE(tir_ir_op_shape_only(&desc, 14));
  EXPECT_TRUE(tir_ir_op_shape_only(&desc, 15));
  EXPECT_TRUE(tir_ir_op_shape_only(&desc, 1000));
}

TEST(Op, OperandText) {
  tir_op_desc desc = {};
  desc.name = "op";
  desc.operands = "state, x...";
  const tir_ir_type types[3] = {MakeType(TIR_DTYPE_I64, {2}),
                                MakeType(TIR_DTYPE_F32, {4, 3}),
                                MakeType(TIR_DTYPE_BOOL, {})};
  tir_error error = {};
  tir_ir_infer_query q = {};
  q.desc = &desc;
  q.in = types;
  q.n_in = 3;
  q.error = &error;
  char text[TIR_OPERAND_TEXT_MAX];
  EXPECT_STREQ(tir_ir_operand_text(&q, 0, text), "state i64[2]");
  EXPECT_STREQ(tir_ir_operand_text(&q, 1, text), "x[1] f32[4, 3]");
  EXPECT_STREQ(tir_ir_operand_text(&q, 2, text), "x[2] bool[]");
  EXPECT_EQ(tir_ir_fail(&q, TIR_ERR_SHAPE, "is %d", 7), TIR_ERR_SHAPE);
  EXPECT_STREQ(error.message, "op: is 7");
  EXPECT_EQ(error.status, TIR_ERR_SHAPE);
  q.error = nullptr;
  EXPECT_EQ(tir_ir_fail(&q, TIR_ERR_SHAPE, "is %d", 7), TIR_ERR_SHAPE);
}

}  // namespace
