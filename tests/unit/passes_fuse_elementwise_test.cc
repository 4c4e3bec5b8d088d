// Which nodes become one step, and which must not.
#include "tests/support/context_fixture.h"
#include "tests/support/planned.h"

namespace {

class FuseElementwise : public testing::Test {
 protected:
  // Regions by the names of their values: "a b | c d".
  std::string Regions(const std::string &text, const char *passes = "") {
    const Planned p(ParseGraph(context_, text), passes, nullptr, true);
    return p.Regions();
  }
  FailingAllocator allocator_;
  TestContext context_{&allocator_};
};

TEST_F(FuseElementwise, ChainIsOneStep) {
  const Planned p(ParseGraph(context_, R"(
graph @main(%x: f32[1024]) {
  %a = exp %x : f32[1024]
  %b = tanh %a : f32[1024]
  %c = add %b, %x : f32[1024]
  return %c
})"),
                  "", nullptr, true);
  EXPECT_EQ(p.Regions(), "a b c");
  EXPECT_EQ(p.plan().order.count, 1u);
  EXPECT_EQ(p.plan().arena_bytes, 0u);
  EXPECT_EQ(p.plan().lower_bound_bytes, 0u);
  EXPECT_EQ(p.Place("a").kind, TIR_PLACE_NONE);
  EXPECT_EQ(p.Place("c").kind, TIR_PLACE_OUTPUT);
}

TEST_F(FuseElementwise, SeveralResults) {
  const Planned p(ParseGraph(context_, R"(
graph @main(%x: f32[1024], %w: f32[1024, 8]) {
  %a = exp %x : f32[1024]
  %b = tanh %a : f32[1024]
  %c = mul %a, %b : f32[1024]
  %r = reshape %b {dims = [1, 1024]} : f32[1, 1024]
  %m = matmul %r, %w : f32[1, 8]
  return %c, %m
})"),
                  "", nullptr, true);
  EXPECT_EQ(p.Regions(), "a b c");
  EXPECT_EQ(p.Place("a").kind, TIR_PLACE_NONE);
  EXPECT_EQ(p.Place("b").kind, TIR_PLACE_ARENA);
  EXPECT_EQ(p.plan().arena_bytes, 4096u);
}

TEST_F(FuseElementwise, BroadcastOperands) {
  EXPECT_EQ(Regions(R"(
graph @main(%x: f32[16, 8], %b: f32[8], %s: f32[]) {
  %a = add %x, %b : f32[16, 8]
  %c = mul %a, %s : f32[16, 8]
  %d = broadcast_like %b, %x : f32[16, 8]
  %e = add %c, %d : f32[16, 8]
  return %e
})"),
            "a c d e");
}

// Both write the shape of the other's operands: two loops.
TEST_F(FuseElementwise, NotAcrossABroadcastOfWhatItMakes) {
  EXPECT_EQ(Regions(R"(
graph @main(%x: f32[8], %y: f32[16, 8]) {
  %a = exp %x : f32[8]
  %b = tanh %a : f32[8]
  %c = add %y, %b : f32[16, 8]
  %d = neg %c : f32[16, 8]
  return %d
})"),
            "a b | c d");
}

TEST_F(FuseElementwise, ReductionAtTheEnd) {
  EXPECT_EQ(Regions(R"(
graph @main(%x: f32[100000]) {
  %a = tanh %x : f32[100000]
  %s = reduce_sum %a : f32[]
  return %s
})"),
            "a s");
}

// The sum of 100,000 is known when the step is done.
TEST_F(FuseElementwise, LongRowsAreNotUsedInside) {
  EXPECT_EQ(Regions(R"(
graph @main(%x: f32[100000]) {
  %a = tanh %x : f32[100000]
  %s = reduce_max %a : f32[]
  %b = sub %a, %s : f32[100000]
  %c = exp %b : f32[100000]
  return %c
})"),
            "a s | b c");
}

TEST_F(FuseElementwise, WrittenOutSoftmax) {
  const Planned p(ParseGraph(context_, R"(
graph @main(%x: f32[64, 10]) {
  %m = reduce_max %x {axes = [1], keep_dims = true} : f32[64, 1]
  %d = sub %x, %m : f32[64, 10]
  %e = exp %d : f32[64, 10]
  %s = reduce_sum %e {axes = [1]} : f32[64]
  %r = reshape %s {dims = [64, 1]} : f32[64, 1]
  %y = div %e, %r : f32[64, 10]
  return %y
})"),
                  "", nullptr, true);
  EXPECT_EQ(p.Regions(), "m d e s y");
  EXPECT_EQ(p.plan().regions.data[0].row, 10);
  EXPECT_EQ(p.plan().arena_bytes, 0u);
}

TEST_F(FuseElementwise, WrittenOutLayerNorm) {
  EXPECT_EQ(Regions(R"(
graph @main(%x: f32[64, 32], %eps: f32[], %g: f32[32], %b: f32[32]) {
  %m = reduce_mean %x {axes = [1], keep_dims = true} : f32[64, 1]
  %d = sub %x, %m : f32[64, 32]
  %q = square %d : f32[64, 32]
  %v = reduce_mean %q {axes = [-1], keep_dims = true} : f32[64, 1]
  %e = add %v, %eps : f32[64, 1]
  %r = rsqrt %e : f32[64, 1]
  %n = mul %d, %r : f32[64, 32]
  %s = mul %n, %g : f32[64, 32]
  %y = add %s, %b : f32[64, 32]
  return %y
})"),
            "m d q v e r n s y");
}

TEST_F(FuseElementwise, NotOverColumns) {
  EXPECT_EQ(Regions(R"(
graph @main(%x: f32[64, 32]) {
  %a = exp %x : f32[64, 32]
  %m = reduce_sum %a {axes = [0], keep_dims = true} : f32[1, 32]
  %d = sub %a, %m : f32[64, 32]
  return %d
})"),
            "");
}

// One for each row, but used one for each column: 8 rows of 8.
TEST_F(FuseElementwise, NotWhenRowsAreUsedAsColumns) {
  EXPECT_EQ(Regions(R"(
graph @main(%x: f32[8, 8]) {
  %a = exp %x : f32[8, 8]
  %m = reduce_sum %a {axes = [1]} : f32[8]
  %d = sub %x, %m : f32[8, 8]
  %e = tanh %d : f32[8, 8]
  return %e
})"),
            "a m | d e");
}

TEST_F(FuseElementwise, NotAroundAnotherStep) {
  EXPECT_EQ(Regions(R"(
graph @main(%x: f32[8, 8]) {
  %a = exp %x : f32[8, 8]
  %b = tanh %a : f32[8, 8]
  %m = matmul %b, %x : f32[8, 8]
  %c = add %b, %m : f32[8, 8]
  %d = neg %c : f32[8, 8]
  return %d
})"),
            "a b | c d");
}

// %a is needed by the product already: %c cannot take it in, but %b, which is
// read for %c alone, moves down to it.
TEST_F(FuseElementwise, WhatIsReadOnceMovesToItsReader) {
  EXPECT_EQ(Regions(R"(
graph @main(%x: f32[8, 8]) {
  %a = exp %x : f32[8, 8]
  %m = matmul %a, %x : f32[8, 8]
  %b = square %a : f32[8, 8]
  %c = mul %b, %m : f32[8, 8]
  return %c
})"),
            "b c");
}

// Moving %b down would keep three operands alive in place of one value.
TEST_F(FuseElementwise, NotWhenItsOperandsWouldHaveToWait) {
  EXPECT_EQ(Regions(R"(
graph @main(%x: f32[8, 8], %y: f32[8, 8]) {
  %m = matmul %x, %y : f32[8, 8]
  %n = matmul %y, %x : f32[8, 8]
  %b = mul %m, %n : f32[8, 8]
  %p = matmul %x, %x : f32[8, 8]
  %q = matmul %p, %x : f32[8, 8]
  %c = add %b, %q : f32[8, 8]
  return %c
})"),
            "");
}

TEST_F(FuseElementwise, NotWhatCanFail) {
  EXPECT_EQ(Regions(R"(
graph @main(%x: i32[64], %y: i32[64]) {
  %a = neg %x : i32[64]
  %b = div %a, %y : i32[64]
  %c = abs %b : i32[64]
  return %c
})"),
            "");
  EXPECT_EQ(Regions(R"(
graph @main(%x: f32[64], %y: f32[64]) {
  %a = neg %x : f32[64]
  %b = div %a, %y : f32[64]
  %c = abs %b : f32[64]
  return %c
})"),
            "a b c");
}

TEST_F(FuseElementwise, NotEmptyValues) {
  EXPECT_EQ(Regions(R"(
graph @main(%x: f32[0, 4]) {
  %a = exp %x : f32[0, 4]
  %b = neg %a : f32[0, 4]
  %c = reduce_sum %b {axes = [0]} : f32[4]
  return %c
})"),
            "");
}

TEST_F(FuseElementwise, MixedTypes) {
  EXPECT_EQ(Regions(R"(
graph @main(%x: f16[64], %y: f32[64]) {
  %a = cast %x {dtype = f32} : f32[64]
  %b = less %a, %y : bool[64]
  %c = where %b, %a, %y : f32[64]
  %d = cast %c {dtype = bf16} : bf16[64]
  return %d
})"),
            "a b c d");
}

// The new version of %w takes in what is computed for it alone, and stays an
// update in place.
TEST_F(FuseElementwise, UpdatesStayInPlace) {
  const Planned p(ParseGraph(context_, R"(
graph @main(%x: f32[64], %lr: f32[], %w: param f32[64] "w") {
  %g = mul %w, %x : f32[64]
  %h = tanh %g : f32[64]
  %s = mul %h, %lr : f32[64]
  %n = sub %w, %s : f32[64]
  %0 = assign %w, %n : f32[64]
  %l = neg %h : f32[64]
  return %l
})"),
                  "", nullptr, true);
  EXPECT_EQ(p.Regions(), "g h l | s n");
  EXPECT_EQ(p.Place("n").kind, TIR_PLACE_PARAM);
  EXPECT_TRUE(p.Place("n").in_place);
  EXPECT_TRUE(p.plan().copies.count == 0);
}

// %c is made before %x is read for the last time: it gets memory of its own,
// and %d takes over that of %m, which is dead then.
TEST_F(FuseElementwise, InPlaceOnlyWhenAllIsRead) {
  const Planned p(ParseGraph(context_, R"(
graph @main(%x: f32[16, 16]) {
  %m = matmul %x, %x : f32[16, 16]
  %c = exp %m : f32[16, 16]
  %d = mul %c, %m : f32[16, 16]
  %p = matmul %c, %d : f32[16, 16]
  return %p
})"),
                  "", nullptr, true);
  EXPECT_EQ(p.Regions(), "c d");
  EXPECT_FALSE(p.Place("c").in_place);
  EXPECT_TRUE(p.Place("d").in_place);
  EXPECT_EQ(p.plan().arena_bytes, 2048u);
}

TEST_F(FuseElementwise, LongChainsAreCut) {
  std::string text = "graph @main(%x: f32[64]) {\n  %v0 = neg %x : f32[64]\n";
  for (int i = 1; i < 1000; i++)
    text += "  %v" + std::to_string(i) + " = exp %v" + std::to_string(i - 1) +
            " : f32[64]\n";
  text += "  return %v999\n}";
  const Planned p(ParseGraph(context_, text), "", nullptr, true);
  for (size_t i = 0; i < p.plan().regions.count; i++)
    EXPECT_LE(p.plan().regions.data[i].n_members, 64u);
  EXPECT_LE(p.plan().regions.count, 17u);
  EXPECT_GE(p.plan().regions.count, 15u);
}

// --- the checker finds what a region must not do -----------------------------

class CheckRegions : public FuseElementwise {
 protected:
  Planned plan_{ParseGraph(context_, R"(
graph @main(%x: f32[64], %y: f32[64]) {
  %a = exp %x : f32[64]
  %b = mul %a, %y : f32[64]
  %c = tanh %b : f32[64]
  %d = reduce_max %c : f32[]
  return %b, %c, %d
})"),
                "", nullptr, true};
  std::string Message() {
    tir_error error = {};
    EXPECT_EQ(plan_.Check(&error), TIR_ERR_STATE);
    return error.message;
  }
};

TEST_F(CheckRegions, MembersInOrder) {
  ASSERT_EQ(plan_.Regions(), "a b c d");
  uint32_t *members = plan_.mutable_plan()->members.data;
  std::swap(members[0], members[1]);
  EXPECT_EQ(Message(),
            "plan: value 3 of node %3 (exp) is read before it is "
            "computed");
}

TEST_F(CheckRegions, ResultsThatAreNeededHavePlaces) {
  plan_.MutablePlace("c")->kind = TIR_PLACE_NONE;
  EXPECT_EQ(Message(),
            "plan: value 5 of node %5 (tanh) is an output, but does not reach "
            "it");
}

TEST_F(CheckRegions, ResultsDoNotOverlap) {
  *plan_.MutablePlace("c") = plan_.Place("b");
  EXPECT_EQ(Message(),
            "plan: value 5 of node %5 (tanh) overlaps another result");
}

TEST_F(CheckRegions, OperandsThatAreReadLaterAreKept) {
  *plan_.MutablePlace("b") = plan_.Place("y");
  const std::string late = Message();
  EXPECT_EQ(late,
            "plan: value 4 of node %4 (mul) is an output, but does not "
            "reach it");
  *plan_.MutablePlace("a") = plan_.Place("y");
  EXPECT_EQ(Message(),
            "plan: value 3 of node %3 (exp) overwrites an operand that is "
            "still read");
}

TEST_F(CheckRegions, ValuesGoThroughPieceByPiece) {
  plan_.mutable_plan()->regions.data[0].n_elements = 32;
  EXPECT_EQ(Message(),
            "plan: value 3 of node %3 (exp) does not go through its region "
            "piece by piece");
}

}  // namespace
