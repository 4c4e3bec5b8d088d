// No attribute and no operand type gets past inference unchecked: every field
// of every op is set to the usual hostile numbers, every operand to the usual
// wrong types. The answer is an error that begins with the op's name, or
// output types that are within bounds (both checked by CallGraph).
#include <limits.h>

#include <random>

#include "tests/ops/op_calls.h"

namespace {

// How many bad-argument cases an op got at least.
constexpr int kMinCases = 30;

std::vector<int64_t> HostileNumbers(int64_t rank) {
  const double nan = NAN;
  int64_t nan_bits = 0;
  memcpy(&nan_bits, &nan, sizeof nan_bits);
  return {0,
          1,
          -1,
          2,
          3,
          7,
          8,
          9,
          rank,
          rank - 1,
          -rank,
          -rank - 1,
          10,
          11,
          INT_MIN,
          INT_MAX,
          1 << 20,
          INT64_C(1) << 40,
          INT64_MIN,
          INT64_MAX,
          INT64_MIN + 1,
          INT64_MAX - 1,
          nan_bits};
}

std::vector<CallType> HostileTypes(const CallType &good) {
  std::vector<CallType> types;
  for (int dtype = TIR_DTYPE_F32; dtype < TIR_N_DTYPES; dtype++)
    types.push_back({static_cast<tir_dtype>(dtype), good.dims});
  const std::vector<std::vector<CallDim>> shapes = {
      {},
      {0},
      {1},
      {5},
      {0, 0},
      {1, 1, 1, 1, 1, 1, 1, 1},
      {2, 2, 2, 2, 2, 2, 2, 2},
      {3, 0, 2},
      {INT64_C(1) << 40},
      {INT64_C(1) << 30, INT64_C(1) << 20},
      {0, 1, 1, 1, 1, 1, 1, INT64_C(1) << 40},
  };
  for (const auto &shape : shapes) types.push_back({good.dtype, shape});
  for (size_t i = 0; i < good.dims.size(); i++) {
    types.push_back(good);
    types.back().dims[i] = 0;
    types.push_back(good);
    types.back().dims[i] = good.dims[i].size + 1;
    types.push_back(good);
    types.back().dims.erase(types.back().dims.begin() +
                            static_cast<std::ptrdiff_t>(i));
  }
  types.push_back(good);
  types.back().dims.insert(types.back().dims.begin(), 1);
  types.back().dims.resize(std::min<size_t>(types.back().dims.size(), 8),
                           CallDim(1));
  return types;
}

// Words of the attribute struct that a schema entry covers: the length and
// the first entries of a list.
std::vector<size_t> WordsOf(const tir_ir_attr &attr) {
  const size_t first = attr.offset / sizeof(uint64_t);
  if (attr.kind == TIR_ATTR_LABEL) return {first, first + 1, first + 7};
  if (attr.kind != TIR_ATTR_INTS && attr.kind != TIR_ATTR_FLOATS)
    return {first};
  return {first, first + 1, first + 2, first + TIR_MAX_RANK};
}

// Numbers that no op may accept there, whatever it does.
bool MustFail(const tir_ir_attr &attr, bool is_length, int64_t number) {
  switch (attr.kind) {
    case TIR_ATTR_BOOL:
      return number != 0 && number != 1;
    case TIR_ATTR_DTYPE:
      return number <= 0 || number >= TIR_N_DTYPES;
    case TIR_ATTR_LABEL:
      return number != 0;  // none is the bytes of a name
    case TIR_ATTR_INTS:
    case TIR_ATTR_FLOATS:
      return is_length && (number < 0 || number > TIR_MAX_RANK);
    default:
      return strcmp(attr.name, "axis") == 0 &&
             (number < -TIR_MAX_RANK || number >= TIR_MAX_RANK);
  }
}

int64_t RankOf(const OpCall &call) {
  return call.in.empty() ? 1 : static_cast<int64_t>(call.in[0].dims.size());
}

// Each schema entry with each number; counts the cases.
int HostileAttributes(const OpCall &good) {
  int n_cases = 0;
  for (int a = 0; a < good.desc()->n_attrs; a++) {
    const tir_ir_attr &attr = good.desc()->attrs[a];
    for (size_t word : WordsOf(attr))
      for (int64_t number : HostileNumbers(RankOf(good))) {
        OpCall bad = good;
        bad.attrs[word] = static_cast<uint64_t>(number);
        CallGraph graph;
        const std::string message = graph.Infer(bad);
        if (MustFail(attr, word * sizeof(uint64_t) == attr.offset, number)) {
          EXPECT_NE(message, "")
              << good.desc()->name << " " << attr.name << " = " << number;
        }
        n_cases++;
      }
  }
  return n_cases;
}

int HostileOperands(const OpCall &good) {
  int n_cases = 0;
  if (good.is_declared()) return 0;
  for (size_t i = 0; i < good.in.size(); i++) {
    CallGraph graph;
    for (const CallType &type : HostileTypes(good.in[i])) {
      OpCall bad = good;
      bad.in[i] = type;
      graph.Infer(bad);
      n_cases++;
    }
  }
  return n_cases;
}

// Missing, too many, unknown and removed operands must all be refused.
int WrongCounts(const OpCall &good) {
  CallGraph graph;
  std::vector<uint32_t> ids;
  const bool takes_any = good.desc()->max_inputs == 255;
  if (!good.is_declared())
    for (const CallType &type : good.in)
      ids.push_back(tir_ir_peek(graph.tape(), graph.Input(type)).id);
  std::vector<tir_ir_type> declared;
  if (good.is_declared()) declared.push_back(graph.Type(good.in[0]));
  int n_cases = 0;
  const uint32_t extra = tir_ir_peek(graph.tape(), graph.Input(F32({2, 2}))).id;
  for (size_t n = 0; n < ids.size(); n++, n_cases++)
    graph.InferIds(good, {ids.begin(), ids.begin() + static_cast<long>(n)},
                   declared);
  for (size_t n = 1; n <= 8; n++, n_cases++) {
    std::vector<uint32_t> more = ids;
    more.resize(std::max<size_t>(ids.size(), good.desc()->max_inputs) + n,
                extra);
    const std::string message = graph.InferIds(good, more, declared);
    if (!takes_any) {
      EXPECT_NE(message, "") << good.desc()->name;
    }
  }
  for (size_t i = 0; i < ids.size(); i++)
    for (uint32_t bad : {0u, extra + 1, UINT32_MAX}) {
      std::vector<uint32_t> with_bad = ids;
      with_bad[i] = bad;
      EXPECT_NE(graph.InferIds(good, with_bad, declared), "")
          << good.desc()->name << " with operand id " << bad;
      n_cases++;
    }
  return n_cases;
}

// Types that a hostile file may declare.
int HostileDeclarations(const OpCall &good) {
  if (!good.is_declared()) return 0;
  CallGraph graph;
  int n_cases = 0;
  const auto try_type = [&](const tir_ir_type &type, bool must_fail) {
    const std::string message = graph.InferIds(good, {}, {type});
    if (must_fail) {
      EXPECT_NE(message, "") << good.desc()->name;
    }
    n_cases++;
  };
  const tir_ir_type fine = graph.Type(good.in[0]);
  for (int dtype : {0, -1, 11, 12, INT_MIN, INT_MAX}) {
    tir_ir_type type = fine;
    type.dtype = static_cast<tir_dtype>(dtype);
    try_type(type, true);
  }
  for (int dtype = TIR_DTYPE_F32; dtype < TIR_N_DTYPES; dtype++) {
    tir_ir_type type = fine;
    type.dtype = static_cast<tir_dtype>(dtype);
    try_type(type, false);
  }
  for (int rank : {-1, 9, 64, INT_MIN, INT_MAX}) {
    tir_ir_type type = fine;
    type.rank = rank;
    try_type(type, true);
  }
  for (int64_t dim : {INT64_C(-1), INT64_MIN, INT64_MAX, INT64_MAX / 4})
    for (int i = 0; i < fine.rank; i++) {
      tir_ir_type type = fine;
      type.dims[i] = dim;
      try_type(type, true);
    }
  for (int rank = 0; rank <= TIR_MAX_RANK; rank++) {
    tir_ir_type type = fine;
    type.rank = rank;
    for (int i = 0; i < rank; i++) type.dims[i] = INT64_C(1) << 16;
    try_type(type, rank >= 4);
  }
  return n_cases;
}

TEST(OpArguments, EveryOpHasAValidCall) {
  std::vector<int> n_calls(TIR_N_OPS);
  for (const OpCall &call : ValidCalls(4)) {
    CallGraph graph;
    EXPECT_EQ(graph.Infer(call), "");
    n_calls[call.op]++;
  }
  for (int op = 1; op < TIR_N_OPS; op++) {
    const tir_op_desc *desc = tir_ir_op_desc(static_cast<tir_op>(op));
    if (!tir_ir_has_bodies(desc)) {
      EXPECT_GT(n_calls[op], 0) << desc->name;
    }
  }
}

TEST(OpArguments, HostileOnesAreRefusedOrHarmless) {
  std::vector<int> n_cases(TIR_N_OPS);
  for (const OpCall &call : ValidCalls(4))
    n_cases[call.op] += HostileAttributes(call) + HostileOperands(call) +
                        WrongCounts(call) + HostileDeclarations(call);
  for (int op = 1; op < TIR_N_OPS; op++) {
    const tir_op_desc *desc = tir_ir_op_desc(static_cast<tir_op>(op));
    if (!tir_ir_has_bodies(desc)) {
      EXPECT_GE(n_cases[op], kMinCases) << desc->name;
    }
  }
}

// Several fields and operands at once, by a fixed seed.
TEST(OpArguments, MixedHostileOnesAreRefusedOrHarmless) {
  std::mt19937_64 random(20260101);
  const auto pick = [&](const auto &list) -> decltype(auto) {
    return list[random() % list.size()];
  };
  for (const OpCall &good : ValidCalls(4)) {
    CallGraph graph;
    for (int round = 0; round < 60; round++) {
      OpCall bad = good;
      const std::vector<int64_t> numbers = HostileNumbers(RankOf(good));
      for (int k = 0; k < 3 && !bad.attrs.empty(); k++)
        bad.attrs[random() % bad.attrs.size()] =
            static_cast<uint64_t>(pick(numbers));
      if (!bad.in.empty() && !bad.is_declared()) {
        const size_t i = random() % bad.in.size();
        const std::vector<CallType> types = HostileTypes(good.in[i]);
        bad.in[i] = pick(types);
      }
      graph.Infer(bad);
    }
  }
}

TEST(OpArguments, ZeroSizesAreLegal) {
  // Every op whose result does not need an element takes operands of size 0.
  for (OpCall call : ValidCalls(0)) {
    CallGraph graph;
    const std::string message = graph.Infer(call);
    // A maximum or minimum over an axis of size 0 does not exist; -1 of dims
    // [-1] is free but for a product of 0.
    const bool may_fail =
        call.op == TIR_OP_REDUCE_MAX || call.op == TIR_OP_ARGMAX ||
        call.op == TIR_OP_REDUCE_MIN || call.op == TIR_OP_ARGMIN;
    if (!may_fail) {
      EXPECT_EQ(message, "");
    }
  }
}

TEST(OpArguments, OutputsTooLargeAreRefused) {
  const CallDim big = INT64_C(1) << 40;
  CallGraph graph;
  graph.Infer(Call(TIR_OP_ADD, {F32({big, 1}), F32({1, big})}));
  EXPECT_EQ(graph.status(), TIR_ERR_LIMIT);
  graph.Infer(Call(TIR_OP_MATMUL, {F32({big, 1}), F32({1, big})}));
  EXPECT_EQ(graph.status(), TIR_ERR_LIMIT);
  graph.Infer(
      Call(TIR_OP_BROADCAST_TO, {F32({1})}, Dims({INT64_MAX, INT64_MAX})));
  EXPECT_EQ(graph.status(), TIR_ERR_LIMIT);
  graph.Infer(Call(TIR_OP_CONCAT,
                   {Bool({INT64_MAX - 64, 0}), Bool({INT64_MAX - 64, 0})},
                   Axis(0)));
  EXPECT_EQ(graph.status(), TIR_ERR_LIMIT);
  graph.Infer(
      Call(TIR_OP_ARANGE, {}, tir_attrs_arange{TIR_DTYPE_F64, INT64_MAX}));
  EXPECT_EQ(graph.status(), TIR_ERR_LIMIT);
  graph.Infer(Call(TIR_OP_ONE_HOT, {I32({4})},
                   tir_attrs_one_hot{INT64_MAX, TIR_DTYPE_F32}));
  EXPECT_EQ(graph.status(), TIR_ERR_LIMIT);
  graph.Infer(Call(TIR_OP_GATHER, {F32({big, 1}), I32({big})}, Axis(1)));
  EXPECT_EQ(graph.status(), TIR_ERR_LIMIT);
}

// What the entries of a list past its length hold must not matter.
TEST(OpArguments, EntriesPastAListsEndAreNotRead) {
  OpCall call = Call(TIR_OP_TRANSPOSE, {F32({2, 3})}, Perm({1, 0}));
  call.attrs[3] = static_cast<uint64_t>(INT64_MIN);
  CallGraph graph;
  EXPECT_EQ(graph.Infer(call), "");
}

// --- shapes the table of valid calls should infer to ------------------------

std::string OutText(const OpCall &call, size_t i = 0) {
  CallGraph graph;
  const std::string message = graph.Infer(call);
  if (!message.empty()) return message;
  char text[TIR_TYPE_TEXT_MAX];
  return tir_ir_type_text(&graph.out()[i], text);
}

TEST(OpShapes, AreAsDocumented) {
  EXPECT_EQ(OutText(Call(TIR_OP_MATMUL, {F32({2, 1, 5, 3}), F32({4, 3, 2})})),
            "f32[2, 4, 5, 2]");
  EXPECT_EQ(OutText(Call(TIR_OP_MATMUL, {F64({0, 3}), F64({2, 3})},
                         tir_attrs_matmul{0, 1})),
            "f64[0, 2]");
  EXPECT_EQ(
      OutText(Call(TIR_OP_GATHER, {F32({5, 6, 7}), I32({2, 3})}, Axis(1))),
      "f32[5, 2, 3, 7]");
  EXPECT_EQ(OutText(Call(TIR_OP_GATHER, {F32({5}), I32({})}, Axis(0))),
            "f32[]");
  EXPECT_EQ(OutText(Call(TIR_OP_REDUCE_SUM, {I32({5, 6, 7})}, Axes({-1, 0}))),
            "i32[6]");
  EXPECT_EQ(OutText(Call(TIR_OP_REDUCE_SUM, {I32({5, 6})}, Axes({}, 1))),
            "i32[1, 1]");
  EXPECT_EQ(
      OutText(Call(TIR_OP_ARGMAX, {F32({5, 6})}, tir_attrs_argmax{-2, 1})),
      "i64[1, 6]");
  EXPECT_EQ(OutText(Call(TIR_OP_ARGMAX, {F32({0, 6})}, tir_attrs_argmax{1, 0})),
            "i64[0]");
  EXPECT_EQ(OutText(Call(TIR_OP_EXPAND_DIMS, {F32({5, 6})}, Perm({-1, 1}))),
            "f32[5, 1, 6, 1]");
  EXPECT_EQ(OutText(Call(TIR_OP_RESHAPE, {F32({5, 6})}, Dims({3, -1, 2}))),
            "f32[3, 5, 2]");
  EXPECT_EQ(OutText(Call(TIR_OP_RESHAPE, {F32({0, 6})}, Dims({-1, 6}))),
            "f32[0, 6]");
  EXPECT_EQ(OutText(Call(TIR_OP_RESHAPE, {F32({1})}, Dims({}))), "f32[]");
  EXPECT_EQ(OutText(Call(TIR_OP_CROSS_ENTROPY, {F32({5, 6, 7}), I32({5, 6})})),
            "f32[5, 6]");
  EXPECT_EQ(OutText(Call(TIR_OP_CROSS_ENTROPY, {F64({7}), I64({})}), 0),
            "f64[]");
  EXPECT_EQ(OutText(Call(TIR_OP_CROSS_ENTROPY, {F64({7}), I64({})}), 1),
            "f64[7]");
  EXPECT_EQ(OutText(Call(TIR_OP_BROADCAST_TO, {F32({5, 1})}, Dims({2, -1, 6}))),
            "f32[2, 5, 6]");
  EXPECT_EQ(OutText(Call(TIR_OP_BROADCAST_TO, {F32({1})}, Dims({0}))),
            "f32[0]");
}

TEST(OpShapes, OfSlicesAreThoseOfNumPy) {
  struct Case {
    int64_t start, stop, step, size;
  };
  // x[start:stop:step] of a vector of 10.
  const Case cases[] = {
      {0, INT64_MAX, 1, 10}, {0, 10, 1, 10},
      {0, 0, 1, 0},          {3, 7, 1, 4},
      {3, 7, 2, 2},          {3, 8, 2, 3},
      {-3, INT64_MAX, 1, 3}, {0, -3, 1, 7},
      {-100, 100, 1, 10},    {7, 3, 1, 0},
      {10, INT64_MAX, 1, 0}, {100, 200, 1, 0},
      {0, 10, 100, 1},       {0, 10, INT64_MAX, 1},
      {9, 10, 1, 1},         {-1, -1, 1, 0},
      {INT64_MIN, -9, 1, 1}, {INT64_MIN, 1, 1, 1},
      {1, 10, 3, 3},         {INT64_MAX, INT64_MAX, 1, 0},
  };
  for (const Case &c : cases) {
    const OpCall call =
        Call(TIR_OP_SLICE, {F32({10})}, Range({c.start}, {c.stop}, {c.step}));
    EXPECT_EQ(OutText(call), "f32[" + std::to_string(c.size) + "]")
        << c.start << ":" << c.stop << ":" << c.step;
  }
}

TEST(OpShapes, CarrySymbols) {
  const CallDim n(4, true);
  const auto symbols = [](const OpCall &call) {
    CallGraph graph;
    EXPECT_EQ(graph.Infer(call), "");
    std::string text;
    for (int i = 0; i < graph.out()[0].rank; i++)
      text += graph.out()[0].symbols[i] ? 'n' : '-';
    return text;
  };
  EXPECT_EQ(symbols(Call(TIR_OP_RESHAPE, {F32({n, 3, 2})}, Dims({-1, 6}))),
            "n-");
  EXPECT_EQ(symbols(Call(TIR_OP_RESHAPE, {F32({3, n, 2})}, Dims({6, -1}))),
            "-n");
  EXPECT_EQ(symbols(Call(TIR_OP_RESHAPE, {F32({n, 3, 2})}, Dims({-1, 3}))),
            "--")
      << "twice n";
  EXPECT_EQ(symbols(Call(TIR_OP_RESHAPE, {F32({n, n})}, Dims({-1}))), "-")
      << "n squared";
  EXPECT_EQ(symbols(Call(TIR_OP_RESHAPE, {F32({n, 3})}, Dims({4, 3}))), "--")
      << "pinned";
  EXPECT_EQ(
      symbols(Call(TIR_OP_SLICE, {F32({n, n})}, Range({0, 0}, {INT64_MAX, 4}))),
      "n-");
  EXPECT_EQ(symbols(Call(TIR_OP_CONCAT, {F32({n, 3}), F32({4, 3})}, Axis(1))),
            "n-");
  EXPECT_EQ(symbols(Call(TIR_OP_CONCAT, {F32({n, 3}), F32({4, 3})}, Axis(0))),
            "--");
  EXPECT_EQ(symbols(Call(TIR_OP_MATMUL, {F32({n, 3}), F32({3, n})})), "nn");
  EXPECT_EQ(symbols(Call(TIR_OP_TRANSPOSE, {F32({n, 3, 2})}, Perm({2, 0, 1}))),
            "-n-");
  EXPECT_EQ(symbols(Call(TIR_OP_GATHER, {F32({7, 3}), I64({n, 2})}, Axis(0))),
            "n--");
  EXPECT_EQ(symbols(Call(TIR_OP_BROADCAST_TO, {F32({n, 1})}, Dims({2, -1, 3}))),
            "-n-");
  EXPECT_EQ(symbols(Call(TIR_OP_ADD_N, {F32({4}), F32({n})})), "n");
}

}  // namespace
