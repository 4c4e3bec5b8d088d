// How graphs print, and that what was printed reads back.
#include <string>

#include "tests/support/context_fixture.h"
#include "tests/support/text_graph.h"

namespace {

class Print : public testing::Test {
 protected:
  // The text is canonical: it prints as it is, however often.
  void IsCanonical(const std::string &text) {
    const GraphPtr g = ParseGraph(context_, text);
    ASSERT_NE(g, nullptr);
    EXPECT_EQ(PrintGraph(g.get()), text);
    EXPECT_EQ(tir_ir_verify(g.get(), &error_), TIR_OK) << error_.message;
  }
  void PrintsAs(const std::string &text, const std::string &expected) {
    const GraphPtr g = ParseGraph(context_, text);
    ASSERT_NE(g, nullptr);
    EXPECT_EQ(PrintGraph(g.get()), expected);
    IsCanonical(expected);
  }

  FailingAllocator allocator_;
  TestContext context_{&allocator_};
  tir_error error_ = {};
};

TEST_F(Print, TheExampleOfTheDesign) {
  IsCanonical(
      "graph @loss(%x: f32[batch=4, 3], %w: param f32[3, 1] \"w\") {\n"
      "  %0 = matmul %x, %w : f32[batch=4, 1]\n"
      "  %1 = reduce_sum %0 {axes = [0, 1]} : f32[]\n"
      "  return %1\n"
      "}\n");
}

TEST_F(Print, EmptyGraph) { IsCanonical("graph @main() {\n  return\n}\n"); }

TEST_F(Print, GraphNames) {
  IsCanonical("graph @\"a \\\"b\\\"\"() {\n  return\n}\n");
  IsCanonical("graph @\"\"() {\n  return\n}\n");
}

TEST_F(Print, Ports) {
  IsCanonical(
      "graph @g(\n"
      "    %x: f32[batch=4, \"a dim\"=3, 0],\n"
      "    %0: i64[] \"not an identifier\",\n"
      "    %1: bool[2],\n"
      "    %w: param f32[3] \"w\",\n"
      "    %steps: state i64[] \"steps\",\n"
      "    %2: param f16[1, 2, 3, 4, 5, 6, 7, 8] \"block 1/weight\",\n"
      "    %3: param f32[] \"x\") {\n"
      "  return %x\n"
      "}\n");
}

TEST_F(Print, HeaderBreaksAfterEightyColumns) {
  const std::string name(80 - strlen("graph @g(%: f32[2], %y: f32[2]) {"), 'n');
  const std::string line = "graph @g(%" + name + ": f32[2], %y: f32[2]) {\n";
  ASSERT_EQ(line.size(), 81u);
  IsCanonical(line + "  return\n}\n");
  PrintsAs("graph @g(%n" + name + ": f32[2], %y: f32[2]) { return }",
           "graph @g(\n    %n" + name +
               ": f32[2],\n    %y: f32[2]) {\n  return\n}\n");
}

TEST_F(Print, NamesOfValues) {
  // A name taken already, and one that is no identifier, follow the type.
  IsCanonical(
      "graph @g(%x: f32[2]) {\n"
      "  %y = neg %x : f32[2]\n"
      "  %0 = neg %y : f32[2] \"y\"\n"
      "  %1 = neg %0 : f32[2] \"x\"\n"
      "  %2 = neg %1 : f32[2] \"a b\"\n"
      "  %3 = neg %2 : f32[2]\n"
      "  %layer1.out = neg %3 : f32[2]\n"
      "  return %layer1.out \"out\", %3, %x \"x again\"\n"
      "}\n");
}

TEST_F(Print, NumbersAreCanonical) {
  PrintsAs(
      "graph @g(%7: f32[2]) { %3 = neg %7 : f32[2]\n"
      "%12 = neg %3 : f32[2] return %12 }",
      "graph @g(%0: f32[2]) {\n"
      "  %1 = neg %0 : f32[2]\n"
      "  %2 = neg %1 : f32[2]\n"
      "  return %2\n"
      "}\n");
}

TEST_F(Print, TheStringIsTheNameWhateverTheLabel) {
  PrintsAs("graph @g(%foo: f32[2] \"bar\") { return %foo }",
           "graph @g(%bar: f32[2]) {\n  return %bar\n}\n");
}

TEST_F(Print, SeveralOutputs) {
  IsCanonical(
      "graph @g(%x: f32[4, 3], %t: i64[4]) {\n"
      "  %loss, %0 = cross_entropy %x, %t : f32[4], f32[4, 3] \"a b\"\n"
      "  return %loss, %0\n"
      "}\n");
}

TEST_F(Print, Attributes) {
  IsCanonical(
      "graph @g(%x: f32[4, 3]) {\n"
      "  %0 = reduce_sum %x : f32[]\n"
      "  %1 = reduce_sum %x {axes = [-1], keep_dims = true} : f32[4, 1]\n"
      "  %2 = cast %x {dtype = i64} : i64[4, 3]\n"
      "  %3 = slice %x {starts = [0], stops = [9223372036854775807]} : "
      "f32[4, 3]\n"
      "  return %0, %1, %2, %3\n"
      "}\n");
  PrintsAs(
      "graph @g(%x: f32[4, 3]) { %0 = reduce_sum %x "
      "{keep_dims = false, axes = []} : f32[] return %0 }",
      "graph @g(%x: f32[4, 3]) {\n"
      "  %0 = reduce_sum %x : f32[]\n"
      "  return %0\n"
      "}\n");
}

TEST_F(Print, Constants) {
  IsCanonical(
      "graph @g() {\n"
      "  %0 = constant {value = -0.0} : f32[4, 1]\n"
      "  %1 = constant {value = 1} : f32[]\n"
      "  %2 = constant {value = 0x7fc00001} : f32[2]\n"
      "  %3 = constant {value = inf} : f64[2]\n"
      "  %4 = constant {value = -7} : i8[2]\n"
      "  %5 = constant {value = true} : bool[2]\n"
      "  %6 = constant {value = 0.1} : bf16[2]\n"
      "  %7 = constant {data = [1, -0.0, 0x7f800001, -inf]} : f32[2, 2]\n"
      "  %8 = constant {data = []} : f32[0, 3]\n"
      "  %9 = constant {data = [true, false]} : bool[2]\n"
      "  %10 = constant {data = [9223372036854775807]} : i64[]\n"
      "  %11 = constant {value = 1} : f32[1000000, 1000000]\n"
      "  return %0\n"
      "}\n");
}

TEST_F(Print, BigConstantsGoToDataSections) {
  std::string list, hex;
  for (int i = 0; i < 64; i++) list += (i ? ", " : "") + std::to_string(i);
  for (int i = 0; i < 65; i++) {
    if (i % 32 == 0) hex += "\n  ";
    hex += "0123456789abcdef"[i / 16];
    hex += "0123456789abcdef"[i % 16];
  }
  const std::string text =
      "graph @g() {\n"
      "  %0 = constant {data = [" +
      list +
      "]} : u8[64]\n"
      "  %1 = constant {data = \"g.c0\"} : u8[65]\n"
      "  %2 = constant {data = \"g.c1\"} : u8[5, 13]\n"
      "  return %0, %1, %2\n"
      "}\n"
      "data \"g.c0\" u8[65] hex" +
      hex +
      "\n"
      "data \"g.c1\" u8[5, 13] hex" +
      hex + "\n";
  IsCanonical(text);
}

TEST_F(Print, DataMayStandFirstAndBeShared) {
  std::string hex;
  for (int i = 0; i < 65; i++) hex += "01";
  const std::string head = "data \"d\" u8[65] hex " + hex + "\n";
  const std::string body =
      "graph @g() { %0 = constant {data = \"d\"} : u8[65] "
      "%1 = constant {data = \"d\"} : u8[65] return %0, %1 }\n";
  EXPECT_EQ(PrintGraph(ParseGraph(context_, head + body).get()),
            PrintGraph(ParseGraph(context_, body + head).get()));
}

TEST_F(Print, DimNamesMayBeLeftOutOfResults) {
  PrintsAs("graph @g(%x: f32[batch=4]) { %0 = neg %x : f32[4] return %0 }",
           "graph @g(%x: f32[batch=4]) {\n"
           "  %0 = neg %x : f32[batch=4]\n"
           "  return %0\n"
           "}\n");
}

TEST_F(Print, CommentsAndLayoutDoNotMatter) {
  PrintsAs(
      "# header\r\n\tgraph@g(%x:f32[2],%y:f32[2]){# open\n"
      "%0=add %x,%y:f32[2]# sum\nreturn %0\"out\"}# end",
      "graph @g(%x: f32[2], %y: f32[2]) {\n"
      "  %0 = add %x, %y : f32[2]\n"
      "  return %0 \"out\"\n"
      "}\n");
}

TEST_F(Print, AnnotationsFollowTheLine) {
  const GraphPtr g = ParseGraph(
      context_,
      "graph @g(%x: f32[2]) { %0 = neg %x : f32[2] %1 = neg %0 : f32[2]"
      " return %1 }");
  tir_ir_node_at(g.get(), {3})->site = "model.c:41";
  tir_ir_text text;
  tir_ir_text_init(&text, context_);
  tir_ir_print_graph(
      g.get(),
      [](void *user, const tir_ir_graph *graph, tir_ir_node n,
         tir_ir_text *out) {
        EXPECT_EQ(user, nullptr);
        const char *site = tir_ir_node_at(graph, n)->site;
        if (site) tir_ir_text_add(out, "  # %s", site);
      },
      nullptr, &text);
  EXPECT_STREQ(text.bytes.data,
               "graph @g(%x: f32[2]) {\n"
               "  %0 = neg %x : f32[2]\n"
               "  %1 = neg %0 : f32[2]  # model.c:41\n"
               "  return %1\n"
               "}\n");
  tir_ir_text_free(&text);
}

TEST_F(Print, InTheMiddleOfAPass) {
  const GraphPtr g = ParseGraph(
      context_,
      "graph @g(%x: f32[2]) { %a = neg %x : f32[2] %b = neg %a : f32[2]"
      " return %b, %a }");
  ASSERT_EQ(tir_ir_replace_uses(g.get(), {2}, {1}, &error_), TIR_OK);
  tir_ir_remove(g.get(), {2});
  EXPECT_EQ(PrintGraph(g.get()),
            "graph @g(%x: f32[2]) {\n"
            "  %b = neg %x : f32[2]\n"
            "  return %b, %x\n"
            "}\n");
}

TEST_F(Print, NamesThatNeedEscaping) {
  const GraphPtr g = ParseGraph(
      context_, "graph @g(%x: f32[2]) { %0 = neg %x : f32[2] return %0 }");
  const std::string name = "%n\x1b[31m\"\\\n\xc2\x9b";
  ASSERT_EQ(
      tir_ir_set_value_name(g.get(), {2}, name.data(), name.size(), &error_),
      TIR_OK);
  const std::string text = PrintGraph(g.get());
  for (char c : text) EXPECT_TRUE(c == '\n' || (c >= 0x20 && c < 0x7f));
  const GraphPtr again = ParseGraph(context_, text);
  ASSERT_NE(again, nullptr);
  EXPECT_EQ(tir_ir_value_name(again.get(), {2}), name);
  EXPECT_EQ(PrintGraph(again.get()), text);
}

TEST_F(Print, ParsedGraphsAreHistory) {
  const GraphPtr g =
      ParseGraph(context_,
                 "graph @g(%x: f32[2], %i: i64[2], %w: param f32[2] \"w\") {\n"
                 "  %0 = neg %x : f32[2]\n"
                 "  %1 = stop_gradient %0 : f32[2]\n"
                 "  %2 = neg %1 : f32[2]\n"
                 "  %3 = cut %0 : f32[2]\n"
                 "  %4 = neg %3 : f32[2]\n"
                 "  %5 = neg %i : i64[2]\n"
                 "  %6 = mul %w, %2 : f32[2]\n"
                 "  return %6\n}");
  ASSERT_NE(g, nullptr);
  const bool history[] = {false, false, false, true,  false,
                          false, false, true,  false, true};
  const bool needs[] = {true,  false, true, true,  false,
                        false, true,  true, false, true};
  for (uint32_t id = 1; id <= 10; id++) {
    EXPECT_EQ((tir_ir_node_at(g.get(), {id})->flags & TIR_NODE_HISTORY) != 0,
              history[id - 1])
        << id;
    EXPECT_EQ(
        (tir_ir_value_at(g.get(), {id})->flags & TIR_VALUE_NEEDS_GRAD) != 0,
        needs[id - 1])
        << id;
  }
}

TEST(PrintMemory, EveryAllocationMayFail) {
  std::string hex;
  for (int i = 0; i < 70; i++) hex += "01";
  const std::string text =
      "metadata \"k\" \"v\"\nparam \"w\" f32[2] {kind = trainable} [1, 2]\n"
      "graph @g(%x: f32[batch=4, 2], %w: param f32[2] \"w\") {\n"
      "  %0 = constant {data = \"d\"} : u8[70]\n"
      "  %1 = constant {data = [1, 2]} : f32[2]\n"
      "  %2 = concat %w, %1, %w, %w, %w, %w, %w, %w, %w, %w, %w, %w "
      "{axis = 0} : f32[24]\n"
      "  %loss = add %x, %w : f32[4, 2]\n"
      "  return %loss \"out\", %0, %2\n}\n"
      "data \"d\" u8[70] hex " +
      hex + "\n";
  ForEachFailingAllocation([&](FailingAllocator &allocator) {
    TestContext context(&allocator);
    if (context.status() != TIR_OK) return context.status();
    tir_module *module = nullptr;
    tir_error error;
    char *printed = nullptr;
    tir_status status = tir_module_from_text(context, text.data(), text.size(),
                                             &module, &error);
    if (status == TIR_OK) status = tir_module_to_text(module, &printed, &error);
    EXPECT_EQ(module == nullptr || printed == nullptr, status != TIR_OK);
    tir_text_free(context, printed);
    tir_module_destroy(module);
    return status;
  });
}

}  // namespace
