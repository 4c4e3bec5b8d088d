// The scenarios of the allocation-failure loop, on the public API.
#include <array>
#include <cmath>

#include "tapeir/tapeir.h"
#include "tests/fault/alloc_failure.h"
#include "tests/support/compiled.h"
#include "tests/support/tir_file.h"

namespace {

struct DestroyTape {
  void operator()(tir_tape *tape) const { tir_tape_destroy(tape); }
};
using OwnedTape = std::unique_ptr<tir_tape, DestroyTape>;

constexpr int64_t kBatch = 4, kIn = 3, kHidden = 5;

// --- what several scenarios share ------------------------------------------

tir_status AddWeights(tir_context *context, tir_module *module,
                      tir_error *error) {
  const struct {
    const char *name;
    std::vector<int64_t> dims;
    tir_param_kind kind;
  } params[] = {{"w1", {kIn, kHidden}, TIR_PARAM_TRAINABLE},
                {"w2", {kHidden, 2}, TIR_PARAM_TRAINABLE},
                {"v1", {kIn, kHidden}, TIR_PARAM_STATE},
                {"v2", {kHidden, 2}, TIR_PARAM_STATE}};
  for (const auto &param : params) {
    if (tir_module_find_param(module, param.name) >= 0) continue;
    std::vector<float> data(static_cast<size_t>(param.dims[0] * param.dims[1]));
    for (size_t i = 0; i < data.size(); i++)
      data[i] = param.kind == TIR_PARAM_STATE
                    ? 0.f
                    : std::sin(static_cast<float>(i) + 1) / 2;
    tir_tensor *tensor = nullptr;
    TIR_TRY(tir_tensor_from_data(context, TIR_DTYPE_F32, param.dims.data(), 2,
                                 data.data(), &tensor, error));
    const tir_status status =
        tir_module_add_param(module, param.name, param.kind, tensor, error);
    tir_tensor_release(tensor);
    TIR_TRY(status);
  }
  return TIR_OK;
}

std::vector<float> Inputs() {
  std::vector<float> x(kBatch * kIn);
  for (size_t i = 0; i < x.size(); i++) x[i] = std::cos(static_cast<float>(i));
  return x;
}
const int64_t kLabels[kBatch] = {0, 1, 1, 0};

tir_value Loss(tir_tape *t, tir_value x, tir_value labels, tir_value w1,
               tir_value w2) {
  const tir_value h = tir_tanh(t, tir_matmul(t, x, w1));
  return tir_cross_entropy(t, tir_matmul(t, h, w2), labels);
}

tir_status CaptureLoss(tir_tape *t, tir_module *module, tir_error *error) {
  tir_capture_begin(t, module, "loss");
  const int64_t x_dims[] = {kBatch, kIn}, label_dims[] = {kBatch};
  const char *const symbols[] = {"batch", nullptr};
  const tir_value x =
      tir_input_symbolic(t, "x", TIR_DTYPE_F32, x_dims, symbols, 2);
  const tir_value labels =
      tir_input_symbolic(t, "labels", TIR_DTYPE_I64, label_dims, symbols, 1);
  tir_output(t, "loss",
             Loss(t, x, labels, tir_param(t, module, "w1"),
                  tir_param(t, module, "w2")));
  return tir_capture_end(t, nullptr, error);
}

tir_status CaptureStep(tir_tape *t, tir_module *module, tir_error *error) {
  tir_capture_begin(t, module, "step");
  const int64_t x_dims[] = {kBatch, kIn}, label_dims[] = {kBatch};
  const tir_value x = tir_input(t, "x", TIR_DTYPE_F32, x_dims, 2);
  const tir_value labels = tir_input(t, "labels", TIR_DTYPE_I64, label_dims, 1);
  const tir_value w[] = {tir_param(t, module, "w1"),
                         tir_param(t, module, "w2")};
  const tir_value v[] = {tir_param(t, module, "v1"),
                         tir_param(t, module, "v2")};
  for (const tir_value &variable : w)
    tir_attach_grad(t, variable, TIR_GRAD_WRITE);
  tir_record_begin(t, true);
  const tir_value loss = Loss(t, x, labels, w[0], w[1]);
  tir_mode_end(t);
  tir_backward(t, loss);
  tir_momentum(t, w, v, 2, tir_scalar(t, TIR_DTYPE_F32, .1),
               tir_scalar(t, TIR_DTYPE_F32, .9), false);
  tir_output(t, "loss", loss);
  return tir_capture_end(t, nullptr, error);
}

// A module with weights and, when asked, its two graphs.
class WithModule : public FaultScenario {
 public:
  explicit WithModule(bool graphs) : graphs_(graphs) {}
  void SetUp(tir_context *context) override {
    context_ = context;
    tir_error error = {};
    module_ = MakeModule(context);
    ASSERT_EQ(AddWeights(context, module_.get(), &error), TIR_OK);
    tir_tape *tape = nullptr;
    ASSERT_EQ(tir_tape_create(context, nullptr, &tape, &error), TIR_OK);
    tape_.reset(tape);
    if (!graphs_) return;
    ASSERT_EQ(CaptureLoss(tape, module_.get(), &error), TIR_OK)
        << error.message;
    ASSERT_EQ(CaptureStep(tape, module_.get(), &error), TIR_OK)
        << error.message;
  }

 protected:
  // Loss of the reference evaluator.
  float ReferenceLoss() {
    const int64_t x_dims[] = {kBatch, kIn}, label_dims[] = {kBatch};
    tir_tensor *in[2] = {}, *out = nullptr;
    tir_error error = {};
    EXPECT_EQ(tir_tensor_from_data(context_, TIR_DTYPE_F32, x_dims, 2,
                                   Inputs().data(), &in[0], &error),
              TIR_OK);
    EXPECT_EQ(tir_tensor_from_data(context_, TIR_DTYPE_I64, label_dims, 1,
                                   kLabels, &in[1], &error),
              TIR_OK);
    EXPECT_EQ(tir_reference_run(tir_module_graph(module_.get(), "loss"),
                                module_.get(), in, 2, &out, 1, &error),
              TIR_OK)
        << error.message;
    const float loss =
        out ? *static_cast<const float *>(tir_tensor_data(out)) : NAN;
    tir_tensor_release(in[0]);
    tir_tensor_release(in[1]);
    tir_tensor_release(out);
    return loss;
  }

  const bool graphs_;
  tir_context *context_ = nullptr;
  Owned<tir_module> module_;
  OwnedTape tape_;
};

// --- scenarios -------------------------------------------------------------

class Context : public FaultScenario {
 public:
  void SetUp(tir_context *context) override {
    // Contexts that allocate as the one under test does.
    options_.allocator = context->allocator;
  }
  tir_status Attempt(tir_error *error) override {
    tir_context *context = nullptr;
    TIR_TRY(tir_context_create(&options_, &context, error));
    const Owned<tir_context> owned(context);
    tir_tape *tape = nullptr;
    TIR_TRY(tir_tape_create(context, nullptr, &tape, error));
    tir_tape_destroy(tape);
    return TIR_OK;
  }
  void Verify() override {}

 private:
  tir_context_options options_ = {};
};

class Tensors : public FaultScenario {
 public:
  void SetUp(tir_context *context) override { context_ = context; }
  tir_status Attempt(tir_error *error) override {
    const int64_t dims[] = {3, 2};
    const std::string path = dir_.File("t.npy");
    tir_tensor *tensor = nullptr;
    TIR_TRY(tir_tensor_from_data(context_, TIR_DTYPE_F32, dims, 2, data_,
                                 &tensor, error));
    const Owned<tir_tensor> first(tensor);
    TIR_TRY(tir_tensor_wrap(context_, TIR_DTYPE_F32, dims, 2, data_, nullptr,
                            nullptr, &tensor, error));
    const Owned<tir_tensor> second(tensor);
    TIR_TRY(tir_npy_save(second.get(), path.c_str(), error));
    TIR_TRY(tir_npy_load(context_, path.c_str(), &tensor, error));
    loaded_.reset(tensor);
    return TIR_OK;
  }
  void Verify() override {
    EXPECT_EQ(memcmp(tir_tensor_data(loaded_.get()), data_, sizeof data_), 0);
  }

 private:
  const TempDir dir_;
  tir_context *context_ = nullptr;
  float data_[6] = {1, 2, 3, 4, 5, 6};
  Owned<tir_tensor> loaded_;
};

class Modules : public WithModule {
 public:
  Modules() : WithModule(false) {}
  tir_status Attempt(tir_error *error) override {
    tir_module *made = nullptr;
    TIR_TRY(tir_module_create(context_, &made, error));
    const Owned<tir_module> owned(made);
    TIR_TRY(AddWeights(context_, made, error));
    // The same on a module that lives on after a failure.
    for (int i = 0; i < 20; i++)
      TIR_TRY(tir_module_set_metadata(
          module_.get(), ("key " + std::to_string(i)).c_str(), "value", error));
    tir_tensor *tensor = nullptr;
    TIR_TRY(tir_module_get_param(made, "w1", &tensor, error));
    const tir_status status =
        tir_module_set_param(module_.get(), "w1", tensor, error);
    tir_tensor_release(tensor);
    return status;
  }
  void Verify() override {
    EXPECT_EQ(tir_module_n_metadata(module_.get()), 20u);
    EXPECT_EQ(tir_module_n_params(module_.get()), 4u);
  }
};

class Capture : public WithModule {
 public:
  Capture() : WithModule(false) {}
  tir_status Attempt(tir_error *error) override {
    if (!tir_module_graph(module_.get(), "loss"))
      TIR_TRY(CaptureLoss(tape_.get(), module_.get(), error));
    return CaptureStep(tape_.get(), module_.get(), error);
  }
  void Verify() override {
    EXPECT_EQ(tir_module_n_graphs(module_.get()), 2u);
    EXPECT_TRUE(std::isfinite(ReferenceLoss()));
    EXPECT_EQ(tir_tape_status(tape_.get()), TIR_OK);
  }
};

// A graph made from one of the module's, by `make`.
class Derived : public WithModule {
 public:
  Derived() : WithModule(true) {}
  void Verify() override {
    ASSERT_NE(graph_, nullptr);
    EXPECT_GT(tir_graph_n_nodes(graph_.get()), 2u);
  }

 protected:
  const tir_graph *loss() { return tir_module_graph(module_.get(), "loss"); }
  Owned<tir_graph> graph_;
};

class Differentiate : public Derived {
  tir_status Attempt(tir_error *error) override {
    tir_graph *graph = nullptr;
    TIR_TRY(tir_graph_differentiate(loss(), nullptr, 0, true, &graph, error));
    graph_.reset(graph);
    return TIR_OK;
  }
};

class Optimize : public Derived {
  tir_status Attempt(tir_error *error) override {
    const tir_graph *step = tir_module_graph(module_.get(), "step");
    tir_graph *graph = nullptr;
    TIR_TRY(tir_graph_optimize(step, "full", &graph, error));
    graph_.reset(graph);
    return TIR_OK;
  }
};

class CompileAndRun : public WithModule {
 public:
  CompileAndRun() : WithModule(true) {}
  tir_status Attempt(tir_error *error) override {
    tir_program *program = nullptr;
    tir_instance *instance = nullptr;
    TIR_TRY(tir_compile(context_, tir_module_graph(module_.get(), "loss"),
                        nullptr, &program, error));
    const Owned<tir_program> owned(program);
    TIR_TRY(tir_instance_create(program, module_.get(), &instance, error));
    const Owned<tir_instance> run(instance);
    const std::vector<float> x = Inputs();
    TIR_TRY(
        tir_instance_bind_input(instance, 0, x.data(), x.size() * 4, error));
    TIR_TRY(
        tir_instance_bind_input(instance, 1, kLabels, sizeof kLabels, error));
    TIR_TRY(tir_run(instance, nullptr, error));
    loss_ = *static_cast<const float *>(tir_instance_output(instance, 0));
    return TIR_OK;
  }
  void Verify() override { EXPECT_NEAR(loss_, ReferenceLoss(), 1e-5); }

 private:
  float loss_ = 0;
};

class Reference : public WithModule {
 public:
  Reference() : WithModule(true) {}
  void SetUp(tir_context *context) override {
    WithModule::SetUp(context);
    tir_error error = {};
    const int64_t x_dims[] = {kBatch, kIn}, label_dims[] = {kBatch};
    tir_tensor *tensor = nullptr;
    ASSERT_EQ(tir_tensor_from_data(context, TIR_DTYPE_F32, x_dims, 2,
                                   Inputs().data(), &tensor, &error),
              TIR_OK);
    in_[0].reset(tensor);
    ASSERT_EQ(tir_tensor_from_data(context, TIR_DTYPE_I64, label_dims, 1,
                                   kLabels, &tensor, &error),
              TIR_OK);
    in_[1].reset(tensor);
  }
  tir_status Attempt(tir_error *error) override {
    tir_tensor *const in[] = {in_[0].get(), in_[1].get()};
    tir_tensor *out = nullptr;
    const tir_status status =
        tir_reference_run(tir_module_graph(module_.get(), "loss"),
                          module_.get(), in, 2, &out, 1, error);
    EXPECT_EQ(status == TIR_OK, out != nullptr);
    out_.reset(out);
    return status;
  }
  void Verify() override {
    EXPECT_EQ(*static_cast<const float *>(tir_tensor_data(out_.get())),
              ReferenceLoss());
  }

 private:
  Owned<tir_tensor> in_[2], out_;
};

// One training step on a live tape, over the module's own storage.
class LiveStep : public WithModule {
 public:
  LiveStep() : WithModule(true) {}
  void SetUp(tir_context *context) override {
    WithModule::SetUp(context);
    first_ = ReferenceLoss();
    for (const char *name : {"w1", "w2"})
      tir_attach_grad(tape_.get(), tir_param(tape_.get(), module_.get(), name),
                      TIR_GRAD_WRITE);
    ASSERT_EQ(tir_tape_status(tape_.get()), TIR_OK);
  }
  tir_status Attempt(tir_error *error) override {
    tir_tape *t = tape_.get();
    const std::vector<float> x = Inputs();
    const int64_t x_dims[] = {kBatch, kIn}, label_dims[] = {kBatch};
    tir_step_begin(t);
    const tir_value w[] = {tir_param(t, module_.get(), "w1"),
                           tir_param(t, module_.get(), "w2")};
    tir_record_begin(t, true);
    tir_value loss =
        Loss(t, tir_value_from_data(t, TIR_DTYPE_F32, x_dims, 2, x.data()),
             tir_value_from_data(t, TIR_DTYPE_I64, label_dims, 1, kLabels),
             w[0], w[1]);
    tir_mode_end(t);
    tir_backward(t, loss);
    tir_sgd(t, w, 2, tir_scalar(t, TIR_DTYPE_F32, .5), false);
    const tir_status ended = tir_step_end(t, &loss, 1, error);
    if (ended == TIR_OK) loss_ = static_cast<float>(tir_read_scalar(t, loss));
    tir_value_release(t, loss);
    // An error that stands is taken, so that the tape can go on.
    tir_error standing = {};
    const tir_status status = tir_tape_check(t, &standing);
    if (ended != TIR_OK || status == TIR_OK) return ended;
    *error = standing;
    return status;
  }
  void Verify() override {
    EXPECT_FALSE(tir_is_recording(tape_.get()));
    // A failed step had no effect, or (when only reading failed) all of it.
    const float now = ReferenceLoss();
    EXPECT_LT(now, first_);
    EXPECT_LE(loss_, first_ + 1e-5f);
    EXPECT_GT(loss_, now);
  }

 private:
  float first_ = 0, loss_ = 0;
};

// A call on the gradients of many variables. When memory ends anywhere in it,
// no variable, no state and no gradient has changed, and it can be made again.
class OnGradients : public FaultScenario {
 public:
  void SetUp(tir_context *context) override {
    tir_tape *t = nullptr;
    ASSERT_EQ(tir_tape_create(context, nullptr, &t, nullptr), TIR_OK);
    tape_.reset(t);
    const int64_t count = 0;
    for (size_t i = 0; i < kVariables; i++) {
      w_[i] = Vector({1, 2});
      m_[i] = Vector({0, 0});
      v_[i] = Vector({0, 0});
      tir_attach_grad(t, w_[i], TIR_GRAD_WRITE);
      tir_set_grad(t, w_[i], Vector({.5f, -.5f}));
    }
    count_ = tir_value_from_data(t, TIR_DTYPE_I64, nullptr, 0, &count);
    for (double x : {.25, .5, 0.})
      scalars_.push_back(tir_scalar(t, TIR_DTYPE_F32, x));
    ASSERT_EQ(tir_tape_status(t), TIR_OK);
  }
  tir_status Attempt(tir_error *error) override {
    if (n_attempts_++) ExpectAll({1, 2}, {0, 0}, {.5f, -.5f}, 0);
    Call(tape_.get());
    return tir_tape_check(tape_.get(), error);
  }

 protected:
  static constexpr size_t kVariables = 40;
  using Pair = std::array<float, 2>;

  virtual void Call(tir_tape *t) = 0;
  void ExpectAll(Pair w, Pair m, Pair gradient, double count) {
    tir_tape *t = tape_.get();
    for (size_t i = 0; i < kVariables; i++) {
      EXPECT_EQ(Read(w_[i]), w) << i;
      EXPECT_EQ(Read(m_[i]), m) << i;
      EXPECT_EQ(Read(tir_grad_of(t, w_[i])), gradient) << i;
    }
    EXPECT_EQ(tir_read_scalar(t, count_), count);
  }

  tir_value w_[kVariables], m_[kVariables], v_[kVariables], count_;
  std::vector<tir_value> scalars_;  // 1/4, 1/2, 0

 private:
  tir_value Vector(Pair x) {
    const int64_t dims[] = {2};
    return tir_value_from_data(tape_.get(), TIR_DTYPE_F32, dims, 1, x.data());
  }
  Pair Read(tir_value value) {
    Pair pair = {NAN, NAN};
    tir_error error = {};
    EXPECT_EQ(
        tir_read_into(tape_.get(), value, pair.data(), sizeof pair, &error),
        TIR_OK)
        << error.message;
    return pair;
  }

  OwnedTape tape_;
  int n_attempts_ = 0;
};

class LiveUpdate : public OnGradients {
  void Call(tir_tape *t) override {
    const tir_value half = scalars_[1];
    tir_adam(t, w_, m_, v_, kVariables,
             {scalars_[0], half, half, scalars_[2], count_}, false);
  }
  // m = g/2, v = g²/2; corrected they are g and g², so w moves by lr.
  void Verify() override { ExpectAll({.75f, 2.25f}, {.25f, -.25f}, {0, 0}, 1); }
};

class LiveAccumulate : public OnGradients {
  void Call(tir_tape *t) override {
    tir_accumulate_grads(t, w_, m_, kVariables, count_, 2);
  }
  void Verify() override { ExpectAll({1, 2}, {.5f, -.5f}, {.25f, -.25f}, 1); }
};

class LiveClip : public OnGradients {
  void Call(tir_tape *t) override {
    tir_clip_grads_by_value(t, w_, kVariables, scalars_[0]);
  }
  void Verify() override { ExpectAll({1, 2}, {0, 0}, {.25f, -.25f}, 0); }
};

// Values on a live tape: scopes, control flow, reading, text.
class LiveValues : public WithModule {
 public:
  LiveValues() : WithModule(false) {}
  tir_status Attempt(tir_error *error) override {
    tir_tape *t = tape_.get();
    const float data[] = {1, 2, 3};
    const int64_t dims[] = {3};
    tir_scope_begin(t);
    tir_value x = tir_value_from_data(t, TIR_DTYPE_F32, dims, 1, data);
    tir_attach_grad(t, x, TIR_GRAD_ADD);
    tir_record_begin(t, true);
    tir_value y = x;
    int n = 0;
    while (tir_read_scalar(t, tir_norm(t, y, nullptr, 0, false)) < 100) {
      y = tir_mul_scalar(t, y, 2);
      n++;
    }
    tir_mode_end(t);
    tir_backward(t, y);
    tir_tensor *gradient = nullptr;
    const tir_status read = tir_read(t, tir_grad_of(t, x), &gradient, error);
    if (read == TIR_OK)
      slope_ =
          *static_cast<const float *>(tir_tensor_data(gradient)) / (1 << n);
    tir_tensor_release(gradient);
    char text[64];
    tir_format_value(t, x, text, sizeof text);
    tir_scope_end(t);
    tir_error standing = {};
    const tir_status status = tir_tape_check(t, &standing);
    if (read != TIR_OK || status == TIR_OK) return read;
    *error = standing;
    return status;
  }
  void Verify() override { EXPECT_EQ(slope_, 1.f); }

 private:
  float slope_ = 0;
};

class Save : public WithModule {
 public:
  Save() : WithModule(true) {}
  void SetUp(tir_context *context) override {
    WithModule::SetUp(context);
    WriteFile(path_, "old");
  }
  tir_status Attempt(tir_error *error) override {
    const tir_status status =
        tir_module_save(module_.get(), path_.c_str(), error);
    if (status != TIR_OK) {
      EXPECT_EQ(ReadFile(path_), "old");
    }
    EXPECT_EQ(dir_.List().size(), 1u);
    return status;
  }
  void Verify() override {
    tir_module *loaded = nullptr;
    tir_error error = {};
    ASSERT_EQ(
        tir_module_load(context_, path_.c_str(), nullptr, &loaded, &error),
        TIR_OK)
        << error.message;
    ExpectSameModule(module_.get(), loaded);
    tir_module_destroy(loaded);
  }

 private:
  const TempDir dir_;
  const std::string path_ = dir_.File("m.tir");
};

class Load : public WithModule {
 public:
  explicit Load(bool map) : WithModule(true), map_(map) {}
  void SetUp(tir_context *context) override {
    WithModule::SetUp(context);
    WriteFile(path_, SaveBytes(module_.get()));
  }
  tir_status Attempt(tir_error *error) override {
    tir_load_options options = {};
    options.map = map_;
    tir_module *loaded = nullptr;
    const tir_status status =
        tir_module_load(context_, path_.c_str(), &options, &loaded, error);
    EXPECT_EQ(status == TIR_OK, loaded != nullptr);
    loaded_.reset(loaded);
    return status;
  }
  void Verify() override { ExpectSameModule(module_.get(), loaded_.get()); }

 private:
  const bool map_;
  const TempDir dir_;
  const std::string path_ = dir_.File("m.tir");
  Owned<tir_module> loaded_;
};

class Text : public WithModule {
 public:
  Text() : WithModule(true) {}
  tir_status Attempt(tir_error *error) override {
    char *text = nullptr;
    TIR_TRY(tir_module_to_text(module_.get(), &text, error));
    tir_module *parsed = nullptr;
    const tir_status status =
        tir_module_from_text(context_, text, strlen(text), &parsed, error);
    EXPECT_EQ(status == TIR_OK, parsed != nullptr);
    tir_text_free(context_, text);
    parsed_.reset(parsed);
    return status;
  }
  void Verify() override {
    EXPECT_EQ(tir_module_n_graphs(parsed_.get()), 2u);
    EXPECT_EQ(tir_module_n_params(parsed_.get()), 4u);
  }

 private:
  Owned<tir_module> parsed_;
};

// What training makes beside graphs.
class TrainingObjects : public FaultScenario {
 public:
  void SetUp(tir_context *context) override {
    const int64_t dims[] = {3, 2};
    tir_tensor *tensor = nullptr;
    context_ = context;
    ASSERT_EQ(
        tir_tensor_create(context, TIR_DTYPE_F32, dims, 2, &tensor, nullptr),
        TIR_OK);
    tensor_.reset(tensor);
  }
  tir_status Attempt(tir_error *error) override {
    tir_batches_options options = {};
    options.n_rows = 9;
    options.batch = 2;
    tir_batches *batches = nullptr;
    TIR_TRY(tir_batches_create(context_, &options, &batches, error));
    n_ = tir_batches_next(batches, nullptr);
    tir_batches_destroy(batches);
    return tir_init_orthogonal(tensor_.get(), 1, 1, 1, error);
  }
  void Verify() override {
    EXPECT_EQ(n_, 2);
    const float *q = static_cast<const float *>(tir_tensor_data(tensor_.get()));
    EXPECT_NEAR(q[0] * q[1] + q[2] * q[3] + q[4] * q[5], 0, 1e-6);
    EXPECT_NEAR(q[0] * q[0] + q[2] * q[2] + q[4] * q[4], 1, 1e-6);
  }

 private:
  tir_context *context_ = nullptr;
  Owned<tir_tensor> tensor_;
  int64_t n_ = 0;
};

template <typename Scenario>
std::unique_ptr<FaultScenario> Make() {
  return std::unique_ptr<FaultScenario>(new Scenario());
}
template <bool map>
std::unique_ptr<FaultScenario> MakeLoad() {
  return std::unique_ptr<FaultScenario>(new Load(map));
}

}  // namespace

const std::vector<FaultScenarioEntry> &FaultScenarios() {
  static const std::vector<FaultScenarioEntry> entries = {
      {"Context", Make<Context>},
      {"Tensors", Make<Tensors>},
      {"Modules", Make<Modules>},
      {"Capture", Make<Capture>},
      {"Differentiate", Make<Differentiate>},
      {"Optimize", Make<Optimize>},
      {"CompileAndRun", Make<CompileAndRun>},
      {"Reference", Make<Reference>},
      {"LiveStep", Make<LiveStep>},
      {"LiveUpdate", Make<LiveUpdate>},
      {"LiveAccumulate", Make<LiveAccumulate>},
      {"LiveClip", Make<LiveClip>},
      {"TrainingObjects", Make<TrainingObjects>},
      {"LiveValues", Make<LiveValues>},
      {"Save", Make<Save>},
      {"Load", MakeLoad<false>},
      {"LoadMap", MakeLoad<true>},
      {"Text", Make<Text>},
      {"LiveLoops", MakeLiveLoops, 5},
      {"SavedLoops", MakeSavedLoops, 9},
  };
  return entries;
}
