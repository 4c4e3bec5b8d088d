// Building and reading graphs.
#include <string>
#include <vector>

#include "tests/support/context_fixture.h"
#include "tests/support/text_graph.h"

namespace {

class Graph : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(tir_ir_graph_create(context_, "g", &g_, &error_), TIR_OK);
  }
  void TearDown() override { tir_ir_graph_destroy(g_); }

  uint32_t Input(const std::vector<int64_t> &dims,
                 tir_dtype dtype = TIR_DTYPE_F32) {
    const tir_ir_type type = MakeType(dtype, dims);
    tir_ir_node n;
    EXPECT_EQ(tir_ir_append_checked(g_, TIR_OP_INPUT, nullptr, 0, nullptr,
                                    &type, 1, &n, &error_),
              TIR_OK)
        << error_.message;
    return tir_ir_out(g_, n, 0).id;
  }
  tir_status Try(tir_op op, const std::vector<uint32_t> &in,
                 const void *attrs = nullptr, size_t n_out = 1) {
    return tir_ir_append_checked(g_, op, in.data(), in.size(), attrs, nullptr,
                                 n_out, &node_, &error_);
  }
  uint32_t Add(tir_op op, const std::vector<uint32_t> &in,
               const void *attrs = nullptr) {
    EXPECT_EQ(Try(op, in, attrs), TIR_OK) << error_.message;
    return tir_ir_out(g_, node_, 0).id;
  }
  tir_ir_type Type(uint32_t value) {
    tir_ir_type type;
    tir_ir_type_of(g_, tir_ir_value{value}, &type);
    return type;
  }
  std::string TypeText(uint32_t value) {
    char buffer[TIR_TYPE_TEXT_MAX];
    const tir_ir_type type = Type(value);
    return tir_ir_type_text(&type, buffer);
  }

  FailingAllocator allocator_;
  TestContext context_{&allocator_};
  tir_ir_graph *g_ = nullptr;
  tir_ir_node node_ = {};
  tir_error error_ = {};
};

TEST_F(Graph, NewOneIsEmpty) {
  EXPECT_EQ(tir_ir_n_nodes(g_), 0u);
  EXPECT_EQ(tir_ir_n_values(g_), 0u);
  EXPECT_EQ(tir_ir_first(g_).id, 0u);
  EXPECT_STREQ(tir_base_strings_text(&g_->strings, g_->name), "g");
  EXPECT_GT(tir_ir_graph_bytes(g_), sizeof *g_);
  tir_ir_graph_destroy(nullptr);
}

TEST_F(Graph, IdsStartAtOneAndNodesKnowTheirOperands) {
  const uint32_t x = Input({4, 3});
  const uint32_t y = Input({3});
  const uint32_t z = Add(TIR_OP_SUB, {x, y});
  EXPECT_EQ(x, 1u);
  EXPECT_EQ(y, 2u);
  EXPECT_EQ(z, 3u);
  EXPECT_EQ(node_.id, 3u);
  EXPECT_EQ(tir_ir_n_in(g_, node_), 2u);
  EXPECT_EQ(tir_ir_in(g_, node_, 0).id, x);
  EXPECT_EQ(tir_ir_in(g_, node_, 1).id, y);
  EXPECT_EQ(tir_ir_producer(g_, tir_ir_value{z}).id, 3u);
  EXPECT_EQ(TypeText(z), "f32[4, 3]");
  EXPECT_STREQ(tir_ir_desc(g_, node_)->name, "sub");
  ASSERT_EQ(g_->inputs.count, 2u);
  EXPECT_EQ(g_->inputs.data[1].id, y);
}

TEST_F(Graph, EqualShapesAreStoredOnce) {
  const uint32_t x = Input({4, 3});
  const size_t before = g_->dims.count;
  uint32_t y = x;
  for (int i = 0; i < 100; i++) y = Add(TIR_OP_ADD, {y, x});
  EXPECT_EQ(Add(TIR_OP_LESS, {y, x}), y + 1);
  EXPECT_EQ(g_->dims.count, before);
  EXPECT_EQ(g_->attrs.count, size_t{TIR_N_ZERO_WORDS});
  // The general way shares too.
  const tir_attrs_reduce attrs = {{}, 1};
  const uint32_t s = Add(TIR_OP_REDUCE_SUM, {x}, &attrs);
  const size_t stored = g_->dims.count;
  Add(TIR_OP_REDUCE_SUM, {s}, &attrs);
  EXPECT_EQ(g_->dims.count, stored);
  EXPECT_EQ(TypeText(s), "f32[1, 1]");
}

TEST_F(Graph, SymbolsMakeShapesDifferent) {
  tir_ir_type type = MakeType(TIR_DTYPE_F32, {4});
  type.symbols[0] = Symbol(g_, "batch");
  tir_ir_node n;
  ASSERT_EQ(tir_ir_append_checked(g_, TIR_OP_INPUT, nullptr, 0, nullptr, &type,
                                  1, &n, &error_),
            TIR_OK);
  const uint32_t x = tir_ir_out(g_, n, 0).id, y = Input({4});
  EXPECT_FALSE(tir_ir_same_type(g_, {x}, {y}));
  // The named dim wins where the sizes agree.
  EXPECT_EQ(Type(Add(TIR_OP_ADD, {y, x})).symbols[0], type.symbols[0]);
  EXPECT_EQ(Type(Add(TIR_OP_ADD, {x, x})).symbols[0], type.symbols[0]);
  EXPECT_TRUE(tir_ir_same_type(g_, {x}, {tir_ir_n_values(g_)}));
}

TEST_F(Graph, ShortCutAndInferAgree) {
  // What append_checked does without asking infer must be what infer says.
  for (int op = 1; op < TIR_N_OPS; op++) {
    const tir_op_desc *desc = tir_ir_op_desc(static_cast<tir_op>(op));
    for (int d = 1; d < TIR_N_DTYPES; d++) {
      tir_dtype out;
      if (!tir_ir_infer_one_type(desc, static_cast<tir_dtype>(d), &out))
        continue;
      const uint32_t x = Input({2, 3}, static_cast<tir_dtype>(d));
      const uint32_t in[2] = {x, x};
      const tir_ir_call call = {
          static_cast<tir_op>(op), in, desc->min_inputs, nullptr, nullptr, 1};
      tir_ir_call_types types;
      ASSERT_EQ(tir_ir_infer_call(g_, &call, &types, &error_), TIR_OK)
          << error_.message;
      EXPECT_EQ(types.out[0].dtype, out) << desc->name;
      EXPECT_TRUE(tir_ir_same_shape(&types.out[0], &types.in[0]));
      tir_ir_call_types_free(g_, &types);
    }
  }
}

TEST_F(Graph, OperandsAndAttributesMayPointIntoTheGraph) {
  const uint32_t x = Input({2, 3});
  const tir_attrs_reduce attrs = {{1, {1}}, 1};
  Add(TIR_OP_REDUCE_SUM, {x}, &attrs);
  const tir_ir_node first = node_;
  for (int i = 0; i < 200; i++) {
    const tir_ir_node_data *data = tir_ir_node_at(g_, first);
    const tir_ir_type type = Type(tir_ir_out(g_, first, 0).id);
    ASSERT_EQ(
        tir_ir_append(g_, TIR_OP_REDUCE_SUM, &g_->operands.data[data->in_first],
                      1, tir_ir_attrs(g_, first), &type, 1, &node_, &error_),
        TIR_OK);
    const auto *copied =
        static_cast<const tir_attrs_reduce *>(tir_ir_attrs(g_, node_));
    ASSERT_EQ(copied->axes.v[0], 1);
    ASSERT_EQ(copied->keep_dims, 1);
    ASSERT_EQ(tir_ir_in(g_, node_, 0).id, x);
  }
}

TEST_F(Graph, WrongCallsAreRefused) {
  const uint32_t x = Input({2, 3}), b = Input({2, 3}, TIR_DTYPE_BOOL);
  const uint32_t n_nodes = tir_ir_n_nodes(g_);
  struct Case {
    tir_op op;
    std::vector<uint32_t> in;
    size_t n_out;
    const char *message;
  };
  const Case cases[] = {
      {TIR_OP_ADD, {x}, 1, "add: wrong number of operands: 1, expected 2"},
      {TIR_OP_TANH, {x, x}, 1, "tanh: wrong number of operands: 2, expected 1"},
      {TIR_OP_CONCAT,
       {},
       1,
       "concat: wrong number of operands: 0, expected at least 1"},
      {TIR_OP_ADD, {x, x}, 2, "add: wrong number of results: 2, expected 1"},
      {TIR_OP_ADD,
       {x, 0},
       1,
       "add: operand 1 is no value of the graph: id 0, expected 1 to 2"},
      {TIR_OP_ADD,
       {99, x},
       1,
       "add: operand 0 is no value of the graph: id 99, expected 1 to 2"},
      {TIR_OP_INPUT, {}, 1, "input: its type must be given"},
      {static_cast<tir_op>(TIR_N_OPS), {x}, 1, nullptr},
      {TIR_OP_NONE, {x}, 1, "no op has number 0"},
      {TIR_OP_TANH,
       {b},
       1,
       "tanh: wrong dtype: x bool[2, 3], expected f32 or f64"},
      {TIR_OP_ADD, {x, b}, 1, "add: dtypes differ: a f32[2, 3], b bool[2, 3]"},
  };
  for (const Case &c : cases) {
    EXPECT_NE(Try(c.op, c.in, nullptr, c.n_out), TIR_OK);
    if (c.message) {
      EXPECT_STREQ(error_.message, c.message);
    }
    EXPECT_EQ(node_.id, 0u);
    EXPECT_EQ(tir_ir_n_nodes(g_), n_nodes);
  }
}

TEST_F(Graph, MessagesShowUserNames) {
  const uint32_t x = Input({4, 3}), y = Input({2, 1});
  ASSERT_EQ(tir_ir_set_value_name(g_, {x}, "x", 1, &error_), TIR_OK);
  EXPECT_EQ(Try(TIR_OP_ADD, {x, y}), TIR_ERR_SHAPE);
  EXPECT_STREQ(error_.message,
               "add: shapes do not broadcast: a \"x\" f32[4, 3], b f32[2, 1]");
}

TEST_F(Graph, DeclaredTypesAreChecked) {
  tir_ir_type type = MakeType(TIR_DTYPE_F32, {-1});
  tir_ir_node n;
  EXPECT_EQ(tir_ir_append_checked(g_, TIR_OP_INPUT, nullptr, 0, nullptr, &type,
                                  1, &n, &error_),
            TIR_ERR_ARGUMENT);
  EXPECT_STREQ(error_.message, "input: dim 0 is -1, expected 0 or more");
  type = MakeType(TIR_DTYPE_F32, {INT64_MAX});
  EXPECT_EQ(tir_ir_append_checked(g_, TIR_OP_INPUT, nullptr, 0, nullptr, &type,
                                  1, &n, &error_),
            TIR_ERR_LIMIT);
}

TEST_F(Graph, InferredTypesMayNotOverflow) {
  const uint32_t a = Input({INT64_C(1) << 31, 1});
  const uint32_t b = Input({1, INT64_C(1) << 31});
  EXPECT_EQ(Try(TIR_OP_ADD, {a, b}), TIR_ERR_LIMIT);
}

TEST_F(Graph, ManyOperands) {
  const uint32_t x = Input({2, 3});
  const std::vector<uint32_t> in(1000, x);
  const tir_attrs_axis attrs = {0};
  const uint32_t y = Add(TIR_OP_CONCAT, in, &attrs);
  EXPECT_EQ(TypeText(y), "f32[2000, 3]");
  EXPECT_EQ(tir_ir_n_in(g_, node_), 1000u);
}

TEST_F(Graph, Names) {
  const tir_ir_value x = {Input({1})};
  EXPECT_STREQ(tir_ir_value_name(g_, x), "");
  ASSERT_EQ(tir_ir_set_value_name(g_, x, "abc", 2, &error_), TIR_OK);
  EXPECT_STREQ(tir_ir_value_name(g_, x), "ab");
  ASSERT_EQ(tir_ir_set_value_name(g_, x, "", 0, &error_), TIR_OK);
  EXPECT_STREQ(tir_ir_value_name(g_, x), "");
  const std::string longest(TIR_MAX_NAME, 'n'), longer = longest + "n";
  EXPECT_EQ(
      tir_ir_set_value_name(g_, x, longest.data(), longest.size(), &error_),
      TIR_OK);
  EXPECT_EQ(tir_ir_set_value_name(g_, x, longer.data(), longer.size(), &error_),
            TIR_ERR_ARGUMENT);
  EXPECT_STREQ(error_.message,
               "name is too long: 1025 bytes, expected at most 1024");
  EXPECT_EQ(tir_ir_set_value_name(g_, x, "a\0b", 3, &error_), TIR_ERR_ARGUMENT);
  EXPECT_EQ(tir_ir_set_value_name(g_, x, "\xff", 1, &error_), TIR_ERR_ARGUMENT);
  EXPECT_EQ(std::string(tir_ir_value_name(g_, x)), longest);
}

TEST_F(Graph, SitesAreKept) {
  const uint32_t x = Input({1});
  {
    const std::string place = "model.c:41";
    tir_ir_node_at(g_, {1})->site = place.c_str();
    ASSERT_TRUE(tir_ir_keep_sites(g_));
  }
  EXPECT_STREQ(tir_ir_node_at(g_, {1})->site, "model.c:41");
  EXPECT_EQ(tir_ir_keep_site(g_, nullptr), nullptr);
  (void)x;
}

TEST_F(Graph, SetTypeLeavesSharedShapesAlone) {
  const uint32_t x = Input({4, 3}), y = Add(TIR_OP_TANH, {x});
  tir_ir_type type = MakeType(TIR_DTYPE_F32, {7, 3});
  type.symbols[0] = Symbol(g_, "batch");
  ASSERT_EQ(tir_ir_set_type(g_, {x}, &type, &error_), TIR_OK);
  EXPECT_EQ(TypeText(x), "f32[7, 3]");
  EXPECT_EQ(Type(x).symbols[0], type.symbols[0]);
  EXPECT_EQ(TypeText(y), "f32[4, 3]");
  const size_t stored = g_->dims.count;
  ASSERT_EQ(tir_ir_set_type(g_, {y}, &type, &error_), TIR_OK);
  EXPECT_EQ(g_->dims.count, stored);  // the operand's
  EXPECT_TRUE(tir_ir_same_type(g_, {x}, {y}));
}

TEST(GraphMemory, EveryAllocationMayFail) {
  ForEachFailingAllocation([](FailingAllocator &allocator) {
    TestContext context(&allocator);
    if (context.status() != TIR_OK) return context.status();
    tir_ir_graph *g = nullptr;
    tir_error error;
    tir_status status = tir_ir_graph_create(context, "g", &g, &error);
    if (status != TIR_OK) return status;
    const tir_ir_type type = MakeType(TIR_DTYPE_F32, {2, 2});
    tir_ir_node n;
    status = tir_ir_append_checked(g, TIR_OP_INPUT, nullptr, 0, nullptr, &type,
                                   1, &n, &error);
    const tir_attrs_axis axis = {0};
    for (uint32_t i = 0; status == TIR_OK && i < 40; i++) {
      const uint32_t in[10] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
      const uint32_t n_nodes = tir_ir_n_nodes(g);
      status = i % 2 ? tir_ir_append_checked(g, TIR_OP_ADD, in, 2, nullptr,
                                             nullptr, 1, &n, &error)
                     : tir_ir_append_checked(g, TIR_OP_CONCAT, in, 10, &axis,
                                             nullptr, 1, &n, &error);
      EXPECT_EQ(tir_ir_n_nodes(g), n_nodes + (status == TIR_OK));
    }
    if (status == TIR_OK)
      status = tir_ir_set_value_name(g, {1}, "x", 1, &error);
    if (status == TIR_OK) status = tir_ir_add_output(g, {1}, "out", &error);
    tir_ir_graph *copy = nullptr;
    if (status == TIR_OK) status = tir_ir_graph_copy(g, &copy, &error);
    tir_ir_graph_destroy(copy);
    tir_ir_graph_destroy(g);
    return status;
  });
}

}  // namespace
