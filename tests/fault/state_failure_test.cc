// Allocations that fail around the new version of a parameter whose old one is
// still read, so that the run could not write over it.
#include "tapeir/tapeir.h"
#include "tests/fault/alloc_failure.h"
#include "tests/support/compiled.h"
#include "tests/support/graph_builder.h"

namespace {

struct DestroyTape {
  void operator()(tir_tape *tape) const { tir_tape_destroy(tape); }
};

using Floats = std::vector<float>;

class KeptVersion : public FaultScenario {
 public:
  void SetUp(tir_context *context) override {
    module_ = MakeModule(context);
    AddParam(module_.get(), context, "w", {2}, {1, 2});
    tir_tape *t = nullptr;
    ASSERT_EQ(tir_tape_create(context, nullptr, &t, nullptr), TIR_OK);
    tape_.reset(t);
    w_ = tir_param(t, module_.get(), "w");
    tir_attach_grad(t, w_, TIR_GRAD_WRITE);
    tir_record_begin(t, true);
    y_ = tir_square(t, w_);
    tir_mode_end(t);
    EXPECT_EQ(Read(y_), (Floats{1, 4}));
    next_ = Vector({3, 5});
  }
  // All of it happens or nothing.
  tir_status Attempt(tir_error *error) override {
    tir_tape *t = tape_.get();
    if (n_attempts_++) {
      EXPECT_EQ(GetParam(module_.get(), "w"), (Floats{1, 2}));
    }
    tir_assign(t, w_, next_);
    tir_error standing = {};
    const tir_status ended = tir_tape_flush(t, error);
    const tir_status status = tir_tape_check(t, &standing);
    if (ended != TIR_OK || status == TIR_OK) return ended;
    *error = standing;
    return status;
  }
  void Verify() override {
    tir_tape *t = tape_.get();
    EXPECT_EQ(GetParam(module_.get(), "w"), (Floats{3, 5}));
    EXPECT_EQ(Read(w_), (Floats{3, 5}));
    tir_backward(t, y_);
    EXPECT_EQ(Read(tir_grad_of(t, w_)), (Floats{2, 4}));
    tir_assign(t, w_, Vector({7, 8}));
    tir_error error = {};
    EXPECT_EQ(tir_tape_flush(t, &error), TIR_OK) << error.message;
    EXPECT_EQ(GetParam(module_.get(), "w"), (Floats{7, 8}));
  }

 private:
  tir_value Vector(const Floats &data) {
    const int64_t n = static_cast<int64_t>(data.size());
    return tir_value_from_data(tape_.get(), TIR_DTYPE_F32, &n, 1, data.data());
  }
  Floats Read(tir_value value) {
    Floats out(2);
    tir_error error = {};
    EXPECT_EQ(tir_read_into(tape_.get(), value, out.data(),
                            out.size() * sizeof(float), &error),
              TIR_OK)
        << error.message;
    return out;
  }

  Owned<tir_module> module_;
  std::unique_ptr<tir_tape, DestroyTape> tape_;
  int n_attempts_ = 0;
  tir_value w_ = {}, y_ = {}, next_ = {};
};

TEST(StateFailure, ANewVersionIsStoredOrNothingRan) {
  const FaultScenarioEntry entry = {
      "KeptVersion",
      [] { return std::unique_ptr<FaultScenario>(new KeptVersion); }};
  for (const bool forever : {false, true})
    EXPECT_GT(FailEach(entry, forever, 1), 10u);
}

}  // namespace
