// Scenarios of the allocation-failure loop with scan, cond and while, one of
// which draws random numbers.
#include "tapeir/tapeir.h"
#include "tests/fault/alloc_failure.h"
#include "tests/support/compiled.h"
#include "tests/support/tir_file.h"

namespace {

constexpr int64_t kRows = 3, kWidth = 2;

struct Outside {
  tir_value w, row;
};

// h' = tanh(h·w + row + noise) where the row's sum is positive, else h.
void Body(tir_tape *t, void *user, const tir_value *carry, const tir_value *row,
          tir_value *next, tir_value *y) {
  Outside *outside = static_cast<Outside *>(user);
  outside->row = row[0];
  const tir_value sum = tir_sum(t, row[0], nullptr, 0, false);
  tir_cond(
      t, tir_less(t, tir_scalar(t, TIR_DTYPE_F32, 0), sum),
      [](tir_tape *tape, void *u, const tir_value *h, tir_value *out) {
        const Outside *o = static_cast<Outside *>(u);
        const tir_value noise =
            tir_uniform(tape, TIR_DTYPE_F32, &kWidth, 1, 0, 0.1);
        const tir_value x = tir_add(tape, o->row, noise);
        out[0] = tir_tanh(tape, tir_add(tape, tir_mul(tape, h[0], o->w), x));
      },
      [](tir_tape *, void *, const tir_value *h, tir_value *out) {
        out[0] = h[0];
      },
      user, carry, 1, next, 1);
  y[0] = tir_square(t, next[0]);
}

tir_value Loss(tir_tape *t, tir_value x, tir_value w) {
  Outside outside = {w, {}};
  tir_value h = w, ys, last;
  tir_scan(t, Body, &outside, &h, 1, &x, 1, 1, nullptr, &h, &ys);
  tir_while(
      t,
      [](tir_tape *tape, void *, const tir_value *carry) {
        const tir_value size =
            tir_sum(tape, tir_square(tape, carry[0]), nullptr, 0, false);
        return tir_less(tape, size, tir_scalar(tape, TIR_DTYPE_F32, 4));
      },
      [](tir_tape *tape, void *, const tir_value *carry, tir_value *next) {
        next[0] = tir_add(tape, carry[0], carry[0]);
      },
      nullptr, &h, 1, 5, &last);
  return tir_add(t, tir_sum(t, ys, nullptr, 0, false),
                 tir_sum(t, last, nullptr, 0, false));
}

const float kX[kRows * kWidth] = {.5f, .25f, -1, .5f, 1, .125f};
const float kW[kWidth] = {.75f, .5f};

struct DestroyTape {
  void operator()(tir_tape *tape) const { tir_tape_destroy(tape); }
};

class LiveLoops : public FaultScenario {
 public:
  void SetUp(tir_context *context) override {
    tir_tape *t = nullptr;
    ASSERT_EQ(tir_tape_create(context, nullptr, &t, nullptr), TIR_OK);
    tape_.reset(t);
    const int64_t dims[] = {kWidth};
    w_ = tir_value_from_data(t, TIR_DTYPE_F32, dims, 1, kW);
    tir_attach_grad(t, w_, TIR_GRAD_WRITE);
    ASSERT_EQ(tir_tape_status(t), TIR_OK);
  }
  tir_status Attempt(tir_error *error) override {
    tir_tape *t = tape_.get();
    const int64_t dims[] = {kRows, kWidth};
    tir_scope_begin(t);
    tir_record_begin(t, true);
    const tir_value x = tir_value_from_data(t, TIR_DTYPE_F32, dims, 2, kX);
    const tir_value loss = Loss(t, x, w_);
    tir_mode_end(t);
    tir_backward(t, loss);
    tir_status status = tir_tape_status(t);
    if (status == TIR_OK) loss_ = tir_read_scalar(t, loss);
    if (status == TIR_OK)
      status = tir_read_into(t, tir_grad_of(t, w_), grad_, sizeof grad_, error);
    tir_error standing = {};
    const tir_status kept = tir_tape_check(t, &standing);
    if (kept != TIR_OK) {
      *error = standing;
      status = kept;
    }
    tir_scope_end(t);
    return status;
  }
  void Verify() override {
    EXPECT_EQ(tir_tape_status(tape_.get()), TIR_OK);
    EXPECT_GT(loss_, 0);
    EXPECT_NE(grad_[0], 0);
  }

 private:
  std::unique_ptr<tir_tape, DestroyTape> tape_;
  tir_value w_ = {};
  double loss_ = 0;
  float grad_[kWidth] = {};
};

class SavedLoops : public FaultScenario {
 public:
  void SetUp(tir_context *context) override { context_ = context; }
  tir_status Attempt(tir_error *error) override {
    tir_module *module = nullptr;
    TIR_TRY(tir_module_create(context_, &module, error));
    const Owned<tir_module> made(module);
    TIR_TRY(Capture(module, error));
    const std::string path = dir_.File("m.tir");
    TIR_TRY(tir_module_save(module, path.c_str(), error));
    TIR_TRY(tir_module_load(context_, path.c_str(), nullptr, &module, error));
    const Owned<tir_module> loaded(module);
    char *text = nullptr;
    TIR_TRY(tir_module_to_text(module, &text, error));
    tir_module *parsed = nullptr;
    const tir_status status =
        tir_module_from_text(context_, text, strlen(text), &parsed, error);
    tir_text_free(context_, text);
    TIR_TRY(status);
    const Owned<tir_module> from_text(parsed);
    return Run(parsed, error);
  }
  void Verify() override { EXPECT_GT(loss_, 0); }

 private:
  tir_status Capture(tir_module *module, tir_error *error) {
    tir_tape *t = nullptr;
    TIR_TRY(tir_tape_create(context_, nullptr, &t, error));
    const std::unique_ptr<tir_tape, DestroyTape> owned(t);
    const int64_t dims[] = {kRows, kWidth};
    const char *const symbols[] = {"rows", nullptr};
    tir_capture_begin(t, module, "f");
    const tir_value x =
        tir_input_symbolic(t, "x", TIR_DTYPE_F32, dims, symbols, 2);
    const tir_value w = tir_input(t, "w", TIR_DTYPE_F32, dims + 1, 1);
    tir_attach_grad(t, w, TIR_GRAD_WRITE);
    tir_record_begin(t, true);
    const tir_value loss = Loss(t, x, w);
    tir_mode_end(t);
    tir_backward(t, loss);
    tir_output(t, "loss", loss);
    tir_output(t, "dw", tir_grad_of(t, w));
    return tir_capture_end(t, nullptr, error);
  }
  tir_status Run(tir_module *module, tir_error *error) {
    const tir_graph *graph = tir_module_graph(module, "f");
    const tir_dim_size sizes[] = {{"rows", kRows - 1}};
    tir_compile_options options = {};
    options.dim_sizes = sizes;
    options.n_dim_sizes = 1;
    tir_program *program = nullptr;
    tir_instance *instance = nullptr;
    TIR_TRY(tir_compile(context_, graph, &options, &program, error));
    const Owned<tir_program> owned(program);
    TIR_TRY(tir_instance_create(program, module, &instance, error));
    const Owned<tir_instance> run(instance);
    TIR_TRY(tir_instance_bind_input(instance, 0, kX, (kRows - 1) * kWidth * 4,
                                    error));
    TIR_TRY(tir_instance_bind_input(instance, 1, kW, sizeof kW, error));
    TIR_TRY(tir_run(instance, nullptr, error));
    loss_ = *static_cast<const float *>(tir_instance_output(instance, 0));
    return TIR_OK;
  }

  const TempDir dir_;
  tir_context *context_ = nullptr;
  float loss_ = 0;
};

}  // namespace

std::unique_ptr<FaultScenario> MakeLiveLoops() {
  return std::unique_ptr<FaultScenario>(new LiveLoops());
}
std::unique_ptr<FaultScenario> MakeSavedLoops() {
  return std::unique_ptr<FaultScenario>(new SavedLoops());
}
