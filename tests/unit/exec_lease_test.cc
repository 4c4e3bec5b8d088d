// Leases of a module between runs, and one program shared by threads.
#include <thread>

#include "tests/support/compiled.h"
#include "tests/support/graph_builder.h"

namespace {

// Runs until told to go on: a cancel callback that waits holds the lease.
class HeldRun {
 public:
  explicit HeldRun(tir_instance *instance)
      : thread_([this, instance] {
          tir_run_options options = {};
          options.cancel = Wait;
          options.cancel_user = this;
          status_ = tir_run(instance, &options, nullptr);
          done_ = true;
        }) {
    while (!running_ && !done_) std::this_thread::yield();
  }
  ~HeldRun() { Finish(); }
  tir_status Finish() {
    go_on_ = true;
    if (thread_.joinable()) thread_.join();
    return status_;
  }

 private:
  static bool Wait(void *user) {
    auto *self = static_cast<HeldRun *>(user);
    self->running_ = true;
    while (!self->go_on_) std::this_thread::yield();
    return false;
  }

  std::atomic<bool> running_{false}, go_on_{false}, done_{false};
  std::atomic<tir_status> status_{TIR_OK};
  std::thread thread_;
};

class Lease : public testing::Test {
 protected:
  void SetUp() override {
    AddParam(module_.get(), context_.get(), "w", {2}, {1, 2});
    {
      GraphBuilder b(context_.get());
      const tir_value w = b.Param("w", TIR_DTYPE_F32, {2});
      b.Output("y", tir_exp(b.tape(), w));
      const Owned<tir_graph> graph(b.Publish());
      reads_ = Compile(context_.get(), graph.get());
    }
    GraphBuilder b(context_.get());
    const tir_value w = b.Param("w", TIR_DTYPE_F32, {2});
    tir_assign(b.tape(), w, tir_add_scalar(b.tape(), w, 1));
    const Owned<tir_graph> graph(b.Publish());
    writes_ = Compile(context_.get(), graph.get());
  }

  Owned<tir_context> context_ = MakeContext();
  Owned<tir_module> module_ = MakeModule(context_.get());
  Owned<tir_program> reads_, writes_;
  tir_error error_ = {};
};

TEST_F(Lease, ReadersShareWritersDoNot) {
  const auto reader = Instantiate(reads_, module_.get());
  const auto reader2 = Instantiate(reads_, module_.get());
  const auto writer = Instantiate(writes_, module_.get());
  const auto writer2 = Instantiate(writes_, module_.get());
  {
    HeldRun held(reader.get());
    EXPECT_EQ(tir_run(reader2.get(), nullptr, &error_), TIR_OK);
    EXPECT_EQ(tir_run(writer.get(), nullptr, &error_), TIR_ERR_BUSY);
    EXPECT_EQ(held.Finish(), TIR_OK);
  }
  EXPECT_EQ(tir_run(writer.get(), nullptr, &error_), TIR_OK);
  {
    HeldRun held(writer.get());
    EXPECT_EQ(tir_run(reader2.get(), nullptr, &error_), TIR_ERR_BUSY);
    EXPECT_EQ(tir_run(writer2.get(), nullptr, &error_), TIR_ERR_BUSY);
    tir_tensor *tensor = nullptr;
    EXPECT_EQ(tir_module_get_param(module_.get(), "w", &tensor, &error_),
              TIR_ERR_BUSY);
    EXPECT_EQ(held.Finish(), TIR_OK);
  }
  EXPECT_EQ(tir_run(reader.get(), nullptr, &error_), TIR_OK);
  EXPECT_EQ(GetParam(module_.get(), "w"), (std::vector<float>{3, 4}));
}

TEST_F(Lease, EndsWithARunThatFailed) {
  const auto writer = Instantiate(writes_, module_.get());
  tir_run_options options = {};
  options.cancel = [](void *) { return true; };
  EXPECT_EQ(tir_run(writer.get(), &options, &error_), TIR_ERR_CANCELLED);
  EXPECT_EQ(tir_run(writer.get(), nullptr, &error_), TIR_OK);
}

// Two threads write in turns; a refused run has changed nothing.
TEST_F(Lease, EveryRunThatSucceedsCountsOnce) {
  std::atomic<int> n_ok{0}, n_other{0};
  const auto work = [&](tir_instance *instance) {
    for (int i = 0; i < 2000; i++) {
      const tir_status status = tir_run(instance, nullptr, nullptr);
      if (status == TIR_OK)
        n_ok++;
      else if (status != TIR_ERR_BUSY)
        n_other++;
    }
  };
  const auto a = Instantiate(writes_, module_.get());
  const auto b = Instantiate(writes_, module_.get());
  std::thread first(work, a.get()), second(work, b.get());
  first.join();
  second.join();
  EXPECT_EQ(n_other, 0);
  EXPECT_EQ(GetParam(module_.get(), "w")[0], 1.0f + static_cast<float>(n_ok));
}

// One program, two instances, two threads: equal bits.
TEST_F(Lease, ThreadsShareAProgram) {
  GraphBuilder b(context_.get());
  tir_tape *t = b.tape();
  const tir_value x = b.Input("x", TIR_DTYPE_F32, {40, 40});
  const tir_value p = tir_matmul(t, x, tir_tanh(t, x));
  b.Output("y", tir_softmax(t, p, 1));
  const Owned<tir_graph> graph(b.Publish());
  auto program = Compile(context_.get(), graph.get());
  const auto one = Instantiate(program), two = Instantiate(program);
  program.reset();
  std::vector<float> data(1600);
  for (size_t i = 0; i < data.size(); i++)
    data[i] = std::sin(static_cast<float>(i));
  Bind(one, 0, data);
  Bind(two, 0, data);
  RunOk(one);
  const auto expected = Output<float>(one, 0, 1600);
  std::atomic<int> n_wrong{0};
  const auto work = [&](tir_instance *instance) {
    for (int i = 0; i < 200; i++) {
      if (tir_run(instance, nullptr, nullptr) != TIR_OK ||
          memcmp(tir_instance_output(instance, 0), expected.data(),
                 1600 * sizeof(float)) != 0)
        n_wrong++;
    }
  };
  std::thread first(work, one.get()), second(work, two.get());
  first.join();
  second.join();
  EXPECT_EQ(n_wrong, 0);
}

}  // namespace
