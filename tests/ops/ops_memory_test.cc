// What is in memory before a run, where values are put, and how a step is cut,
// changes no bit.

#include "tests/ops/harness.h"

namespace tapeir_test {
namespace {

// The op between copies of its operands and of its results, so that operands
// die in the arena and results are born there.
class Surrounded {
 public:
  Surrounded(tir_context *context, const OpCase &c, tir_dtype dtype)
      : builder_(context) {
    tir_tape *tape = builder_.tape();
    std::vector<tir_value> in;
    for (size_t i = 0; i < c.in.size(); i++)
      in.push_back(Copy(builder_.Input(("in" + std::to_string(i)).c_str(),
                                       DtypeOf(c.in[i], dtype),
                                       DimsOf(c.in[i], kBatch))));
    const Words words = c.attrs ? c.attrs(dtype) : Words();
    const tir_value first =
        tir_ir_record(tape, c.op, in.data(), in.size(),
                      words.empty() ? nullptr : words.data());
    const uint32_t n_out =
        std::max<uint32_t>(tir_ir_op_desc(c.op)->n_outputs, 1);
    for (uint32_t i = 0; i < n_out; i++)
      builder_.Output(("out" + std::to_string(i)).c_str(),
                      Copy(i == 0 ? first : tir_ir_result(tape, first, i)));
    tir_error error = {};
    EXPECT_EQ(tir_tape_check(tape, &error), TIR_OK) << error.message;
  }
  tir_ir_graph *ir() { return builder_.ir(); }

 private:
  // transpose is no view, so this writes a new value. (Axes in their order.)
  tir_value Copy(tir_value x) {
    const int rank = tir_value_rank(builder_.tape(), x);
    int perm[TIR_MAX_RANK] = {0, 1, 2, 3, 4, 5, 6, 7};
    return tir_transpose(builder_.tape(), x, perm, rank);
  }
  GraphBuilder builder_;
};

class OpMemory : public OpTest {};

TEST_P(OpMemory, EveryByteIsWritten) {
  ForEachCase(info(), [&](const OpCase &c, size_t, tir_dtype dtype) {
    CaseGraph graph(context(), c, dtype);
    graph.OutputAll();
    const std::vector<Data> inputs = MakeInputs(c, dtype);
    RunOptions zeros, ones;
    ones.poison = 0xFF;
    ExpectSameBits(RunCompiled(graph.ir(), inputs, zeros),
                   RunCompiled(graph.ir(), inputs, ones));
    Surrounded arena(context(), c, dtype);
    zeros.pipeline = ones.pipeline = "none";
    ExpectSameBits(RunCompiled(arena.ir(), inputs, zeros),
                   RunCompiled(arena.ir(), inputs, ones));
  });
}

TEST_P(OpMemory, RunningInPlaceChangesNoBit) {
  size_t n_in_place = 0;
  ForEachCase(info(), [&](const OpCase &c, size_t, tir_dtype dtype) {
    Surrounded graph(context(), c, dtype);
    const std::vector<Data> inputs = MakeInputs(c, dtype);
    RunOptions reused, apart;
    reused.pipeline = apart.pipeline = "none";
    reused.poison = apart.poison = 0xFF;
    reused.n_in_place = &n_in_place;
    apart.no_reuse = true;
    ExpectSameBits(RunCompiled(graph.ir(), inputs, apart),
                   RunCompiled(graph.ir(), inputs, reused));
  });
  if (desc().traits & TIR_TRAIT_IN_PLACE) {
    EXPECT_GT(n_in_place, 0u) << "no row ran in place";
  }
}

// Steps cut into units of a few elements, for three threads.
TEST_P(OpMemory, CuttingAStepChangesNoBit) {
  tir_context_options three = {};
  three.n_threads = 3;
  tir_context *raw = nullptr;
  ASSERT_EQ(tir_context_create(&three, &raw, nullptr), TIR_OK);
  const Owned<tir_context> other(raw);
  ForEachCase(info(), [&](const OpCase &c, size_t, tir_dtype dtype) {
    CaseGraph graph(other.get(), c, dtype);
    graph.OutputAll();
    const std::vector<Data> inputs = MakeInputs(c, dtype);
    RunOptions whole, cut;
    whole.pipeline = cut.pipeline = "none";
    cut.poison = 0xFF;
    cut.grain = 8;
    ExpectSameBits(RunCompiled(graph.ir(), inputs, whole),
                   RunCompiled(graph.ir(), inputs, cut));
  });
}

TAPEIR_FOR_ALL_OPS(OpMemory);

}  // namespace
}  // namespace tapeir_test
