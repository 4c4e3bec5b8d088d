// tapeir train: data in every format, the same bits after an interruption, and
// files that are never half written.
#include <cstring>

#include "tests/tools/command.h"

namespace {

// y = x·w by gradient descent on the squared error.
constexpr char kStep[] = R"(
param "w" f32[2, 1] {kind = trainable} [0, 0]
graph @train_step(
    %x: f32[batch=2, 2],
    %y: f32[batch=2, 1],
    %lr: f32[],
    %w: param f32[2, 1] "w") {
  %0 = matmul %x, %w : f32[batch=2, 1]
  %1 = sub %0, %y : f32[batch=2, 1]
  %2 = square %1 : f32[batch=2, 1]
  %3 = reduce_mean %2 {axes = [0, 1]} : f32[]
  %4 = matmul %x, %1 {transpose_a = true} : f32[2, 1]
  %5 = sgd %w, %4, %lr : f32[2, 1]
  %6 = assign %w, %5 : f32[2, 1] "w"
  return %3 "loss"
}
)";

class Train : public Command {
 protected:
  void SetUp() override {
    Command::SetUp();
    Write("t.tirt", kStep);
    for (int i = 0; i < 10; i++) {
      const float a = static_cast<float>(i % 5) / 5;
      const float b = static_cast<float>((i * 7) % 10) / 10;
      x_.insert(x_.end(), {a, b});
      y_.push_back(2 * a - b);
    }
    Npy<float>("tx", TIR_DTYPE_F32, {10, 2}, x_);
    Npy<float>("ty", TIR_DTYPE_F32, {10, 1}, y_);
  }
  void Run(const std::string &file, const std::string &more) {
    Tapeir("train " + file + " --data x=tx.npy --data y=ty.npy --lr 0.2 " +
           more);
  }
  std::vector<float> Weights(const std::string &file) {
    tir_context *c;
    tir_module *m;
    tir_tensor *w;
    std::vector<float> weights;
    EXPECT_EQ(tir_context_create(nullptr, &c, nullptr), TIR_OK);
    EXPECT_EQ(
        tir_module_load(c, (dir + "/" + file).c_str(), nullptr, &m, nullptr),
        TIR_OK);
    EXPECT_EQ(tir_module_get_param(m, "w", &w, nullptr), TIR_OK);
    const float *data = static_cast<const float *>(tir_tensor_data(w));
    weights.assign(data, data + 2);
    tir_tensor_release(w);
    tir_module_destroy(m);
    tir_context_destroy(c);
    return weights;
  }

  std::vector<float> x_, y_;
};

}  // namespace

TEST_F(Train, FindsTheWeights) {
  Run("t.tirt", "--epochs 60 --save-as o.tir --plot loss.svg");
  ASSERT_EQ(status, 0) << err;
  EXPECT_TRUE(Has("epoch 1 loss ")) << out;
  EXPECT_TRUE(Has("epoch 60 loss ")) << out;
  EXPECT_EQ(err, "") << "no bar where there is no terminal";
  const std::vector<float> w = Weights("o.tir");
  EXPECT_NEAR(w[0], 2, 1e-2);
  EXPECT_NEAR(w[1], -1, 1e-2);
  const std::string plot = Read("loss.svg");
  EXPECT_EQ(plot.find("<svg "), 0u);
  EXPECT_EQ(plot.substr(plot.size() - 7), "</svg>\n");
  EXPECT_EQ(plot.find("nan"), std::string::npos);
  EXPECT_EQ(plot.find("href"), std::string::npos);
}

// Stopped at every step in turn and continued: the same file, bit for bit.
TEST_F(Train, InterruptedAnywhereGivesTheSameBits) {
  Run("t.tirt", "--epochs 2 --seed 7 --save-as whole.tir");
  ASSERT_EQ(status, 0) << err;
  for (int at = 1; at < 10; at++) {
    const std::string steps = std::to_string(at);
    Run("t.tirt", "--steps " + steps +
                      " --epochs 2 --seed 7 --force "
                      "--save-as part.tir");
    ASSERT_EQ(status, 0) << err;
    Run("part.tir", "--epochs 2 --force --save-as part.tir");
    ASSERT_EQ(status, 0) << err;
    EXPECT_EQ(Read("part.tir"), Read("whole.tir")) << at;
  }
}

// Noise drawn from the module's random state goes on where it was, too.
TEST_F(Train, InterruptedNoiseGoesOn) {
  std::string text = kStep;
  const auto insert = [&text](const char *before, const std::string &lines) {
    text.insert(text.find(before), lines);
  };
  insert("graph @", "param \"rng\" i64[2] {kind = state} [7, 0]\n");
  insert(") {", ",\n    %rng: state i64[2] \"rng\"");
  insert(
      "  %0 = matmul",
      "  %10 = constant {value = 3} : i64[]\n"
      "  %11 = random_uniform %rng, %10, %x {dtype = f32} : f32[batch=2, 2]\n"
      "  %12 = mul %x, %11 : f32[batch=2, 2]\n"
      "  %13 = constant {data = [0, 1]} : i64[2]\n"
      "  %14 = add %rng, %13 : i64[2]\n"
      "  %15 = assign %rng, %14 : i64[2] \"rng\"\n");
  text.replace(text.find("matmul %x"), 9, "matmul %12");
  Write("noisy.tirt", text);
  Run("noisy.tirt", "--epochs 2 --save-as whole.tir");
  ASSERT_EQ(status, 0) << err;
  Run("noisy.tirt", "--steps 3 --epochs 2 --save-as part.tir");
  ASSERT_EQ(status, 0) << err;
  Run("part.tir", "--epochs 2 --force --save-as part.tir");
  ASSERT_EQ(status, 0) << err;
  EXPECT_EQ(Read("part.tir"), Read("whole.tir"));
  Run("t.tirt", "--epochs 2 --save-as plain.tir");
  EXPECT_NE(Weights("plain.tir"), Weights("whole.tir"));
}

TEST_F(Train, CheckpointsGoOnWithTheSameBits) {
  Run("t.tirt",
      "--epochs 2 --checkpoint 3 --checkpoint-as c-%d.tir "
      "--save-as whole.tir");
  ASSERT_EQ(status, 0) << err;
  EXPECT_EQ(Read("c-10.tir"), "") << "the end is --save-as";
  for (const char *checkpoint : {"c-3.tir", "c-6.tir", "c-9.tir"}) {
    Run(checkpoint, "--epochs 2 --save-as again.tir --force");
    ASSERT_EQ(status, 0) << err;
    EXPECT_EQ(Read("again.tir"), Read("whole.tir")) << checkpoint;
  }
  Run("t.tirt",
      "--epochs 2 --checkpoint 3 --checkpoint-as c-%d.tir "
      "--save-as other.tir");
  EXPECT_EQ(status, 1);
  EXPECT_EQ(err, "error: c-3.tir exists (--force overwrites)\n");
}

TEST_F(Train, SeedDecidesTheOrder) {
  Run("t.tirt", "--seed 1 --save-as a.tir");
  Run("t.tirt", "--seed 1 --save-as b.tir");
  Run("t.tirt", "--seed 2 --save-as c.tir");
  EXPECT_EQ(Read("a.tir"), Read("b.tir"));
  EXPECT_NE(Weights("a.tir"), Weights("c.tir"));
}

TEST_F(Train, AnotherOrderIsRefusedUnlessRestarted) {
  Run("t.tirt", "--steps 2 --save-as a.tir");
  ASSERT_EQ(status, 0) << err;
  EXPECT_TRUE(Has(" over 2 of 5 steps\n")) << out;
  Run("a.tir", "--seed 3 --save-as b.tir");
  EXPECT_EQ(status, 1);
  EXPECT_NE(err.find("training stopped in another order"), std::string::npos)
      << err;
  Run("a.tir", "--steps 2 --save-as b.tir");
  EXPECT_EQ(status, 1);
  EXPECT_NE(err.find("has made 2 steps already, of 2"), std::string::npos)
      << err;
  Run("a.tir", "--seed 3 --restart --save-as b.tir");
  EXPECT_EQ(status, 0) << err;
}

TEST_F(Train, BatchOfAnotherSize) {
  Run("t.tirt", "--batch 5 --json --save-as a.tir");
  ASSERT_EQ(status, 0) << err;
  EXPECT_TRUE(Has("\"steps\": 2")) << out;
  Run("t.tirt", "--batch 11 --save-as b.tir");
  EXPECT_EQ(status, 1);
  EXPECT_EQ(err, "error: 10 rows are less than a batch of 11\n");
}

// The same rows as csv and as idx, plain and compressed.
TEST_F(Train, EveryFormatGivesTheSameBits) {
  std::string csv = "a,b,y\n";
  std::string idx("\0\0\x0d\x02\0\0\0\x0a\0\0\0\x02", 12);
  for (size_t i = 0; i < 10; i++) {
    char line[64];
    snprintf(line, sizeof line, "%.9g,%.9g,%.9g\r\n", x_[2 * i], x_[2 * i + 1],
             y_[i]);
    csv += line;
  }
  for (const float value : x_) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    for (int shift = 24; shift >= 0; shift -= 8)
      idx += static_cast<char>(bits >> shift);
  }
  Write("d.csv", csv);
  Write("d-idx2-float", idx);
  Command::Run("gzip -k d-idx2-float");
  Run("t.tirt", "--save-as npy.tir");
  ASSERT_EQ(status, 0) << err;
  for (const char *x : {"d.csv:1-2", "d-idx2-float", "d-idx2-float.gz"}) {
    Tapeir(std::string("train t.tirt --data y=d.csv:3 --set lr=0.2 --force "
                       "--save-as a.tir --data x=") +
           x);
    ASSERT_EQ(status, 0) << err;
    EXPECT_EQ(Read("a.tir"), Read("npy.tir")) << x;
  }
}

TEST_F(Train, DataThatDoNotFitAreRefused) {
  const auto with = [this](const std::string &x) {
    Tapeir("train t.tirt --data y=ty.npy --lr 0.2 --save-as a.tir --data x=" +
           x);
    EXPECT_EQ(status, 1) << x;
    EXPECT_EQ(Read("a.tir"), "");
    return err;
  };
  Write("wide.csv", "1,2,3\n");
  EXPECT_EQ(with("wide.csv"),
            "error: wide.csv:1: 3 fields, a row of input x has 2\n");
  Write("text.csv", "1,2\n3,four\n");
  EXPECT_EQ(with("text.csv"), "error: text.csv:2: a field is no number\n");
  Write("short.csv", "1,2\n3,4\n");
  EXPECT_EQ(with("short.csv"),
            "error: ty.npy has 10 rows, the data before it 2\n");
  Write("junk", "not idx");
  EXPECT_EQ(with("junk"), "error: junk: no .npy, .csv or idx file\n");
  Write("cut", std::string("\0\0\x08\x02\0\0\0\x0a\0\0\0\x02"
                           "abc",
                           15));
  EXPECT_EQ(with("cut"), "error: cut: the file is cut or damaged\n");
  Write("deep",
        std::string("\0\0\x08\x02\x7f\xff\xff\xff\x7f\xff\xff\xff", 12));
  EXPECT_NE(with("deep").find("a row has 2147483647 elements"),
            std::string::npos);
  EXPECT_EQ(with("ty.npy"),
            "error: ty.npy: a row has 1 elements, input x is "
            "f32[batch=2, 2]\n");
  Tapeir("train t.tirt --data y=ty.npy --lr 0.2 --save-as a.tir");
  EXPECT_EQ(err, "error: input x: give --data or --set\n");
  Run("t.tirt", "--set momentum=1 --save-as a.tir");
  EXPECT_EQ(err, "error: the graph has no input for momentum=1\n");
}

TEST_F(Train, ALossThatIsNoNumberStopsIt) {
  Tapeir(
      "train t.tirt --data x=tx.npy --data y=ty.npy --lr 1e30 --epochs 9 "
      "--save-as a.tir");
  EXPECT_EQ(status, 1);
  EXPECT_EQ(err.find("error: the loss is "), 0u) << err;
  EXPECT_NE(err.find(": nothing was saved\n"), std::string::npos) << err;
  EXPECT_EQ(Read("a.tir"), "");
  // What was written before is named.
  Tapeir(
      "train t.tirt --data x=tx.npy --data y=ty.npy --lr 1e30 --epochs 9 "
      "--checkpoint 1 --checkpoint-as c-%d.tir --save-as a.tir");
  EXPECT_EQ(status, 1);
  EXPECT_NE(err.find(": c-1.tir was saved at step 1\n"), std::string::npos)
      << err;
  EXPECT_GT(Read("c-1.tir").size(), 0u);
  EXPECT_EQ(Read("a.tir"), "");
}

// A signal ends training behind a step, with a file to go on from.
TEST_F(Train, AnInterruptSaves) {
  Command::Run("timeout --preserve-status -k 20 -s INT 3 " TAPEIR_BINARY_DIR
               "/tools/tapeir train t.tirt --data x=tx.npy --data y=ty.npy "
               "--lr 0.0001 --epochs 100000000 --save-as a.tir >/dev/null");
  EXPECT_EQ(status, 1);
  EXPECT_NE(err.find("error: interrupted at step "), std::string::npos) << err;
  EXPECT_GT(Read("a.tir").size(), 0u);
}

TEST_F(Train, ProgressOnATerminalOnly) {
  Command::Run("TERM=xterm script -qec '" TAPEIR_BINARY_DIR
               "/tools/tapeir train t.tirt --data x=tx.npy --data y=ty.npy "
               "--lr 0.1 --save-as a.tir' /dev/null");
  EXPECT_TRUE(Has("epoch 1/1 ######")) << out;
}

// Of whatever format, and in whichever order the files come.
TEST_F(Train, DataWithoutRowsAreRefused) {
  Npy<float>("x0", TIR_DTYPE_F32, {0, 2}, {});
  Npy<float>("y0", TIR_DTYPE_F32, {0, 1}, {});
  Write("x0.csv", "");
  Write("head.csv", "a,b\n");
  Write("x0-idx", std::string("\0\0\x0d\x02\0\0\0\0\0\0\0\x02", 12));
  for (const char *x : {"x0.npy", "x0.csv", "head.csv", "x0-idx"}) {
    Tapeir(std::string("train t.tirt --data y=ty.npy --lr 0.2 --save-as a.tir "
                       "--data x=") +
           x);
    EXPECT_EQ(status, 1) << x;
    EXPECT_EQ(err, std::string("error: ") + x + " has no rows\n");
  }
  Tapeir(
      "train t.tirt --data x=tx.npy --data y=y0.npy --lr 0.2 --save-as a.tir");
  EXPECT_EQ(err, "error: y0.npy has no rows\n");
  Tapeir(
      "train t.tirt --data x=x0.npy --data y=y0.npy --lr 0.2 --save-as a.tir");
  EXPECT_EQ(err, "error: x0.npy has no rows\n");
  EXPECT_EQ(Read("a.tir"), "");
}

// A batch of none decides the batch as any other: what follows must agree.
TEST_F(Train, BatchesOfNoneAndSomeDoNotMix) {
  Write("none.tirt", R"(graph @train_step(%x: f32[0, 2], %y: f32[2, 1]) {
  %0 = reduce_sum %x : f32[]
  %1 = reduce_sum %y : f32[]
  %2 = add %0, %1 : f32[]
  return %2 "loss"
}
)");
  Tapeir("train none.tirt --data x=tx.npy --data y=ty.npy --save-as a.tir");
  EXPECT_EQ(status, 1);
  EXPECT_EQ(err, "error: input y is captured for batches of 2\n");
}

// The loss is the one element there is.
TEST_F(Train, EveryDtypeOfAnNpyIsReadAsItsNumber) {
  Write("one.tirt", R"(graph @train_step(%x: f64[1, 1]) {
  %0 = reduce_sum %x : f64[]
  return %0 "loss"
}
)");
  const auto loss = [this](tir_dtype dtype, auto value) {
    Npy<decltype(value)>("v", dtype, {1, 1}, {value});
    Tapeir("train one.tirt --data x=v.npy --force --save-as a.tir");
    return out + err;
  };
  const auto f16 = [&loss](uint16_t bits) { return loss(TIR_DTYPE_F16, bits); };
  const auto bf16 = [&loss](uint16_t bits) {
    return loss(TIR_DTYPE_BF16, bits);
  };
  EXPECT_EQ(f16(0x3c00), "epoch 1 loss 1\n");
  EXPECT_EQ(f16(0xc100), "epoch 1 loss -2.5\n");
  EXPECT_EQ(f16(0x7bff), "epoch 1 loss 65504\n");
  EXPECT_EQ(f16(0x0400), "epoch 1 loss 6.10352e-05\n") << "the least normal";
  EXPECT_EQ(f16(0x03ff), "epoch 1 loss 6.09756e-05\n") << "subnormal";
  EXPECT_EQ(f16(0x8001), "epoch 1 loss -5.96046e-08\n") << "subnormal";
  EXPECT_EQ(f16(0x7c00),
            "error: the loss is inf at step 1: nothing was saved\n");
  EXPECT_EQ(f16(0xfc00),
            "error: the loss is -inf at step 1: nothing was saved\n");
  EXPECT_NE(f16(0x7e00).find("nan at step 1"), std::string::npos);
  EXPECT_EQ(loss(TIR_DTYPE_I8, int8_t{-3}), "epoch 1 loss -3\n");
  EXPECT_EQ(loss(TIR_DTYPE_U8, uint8_t{253}), "epoch 1 loss 253\n");
  EXPECT_EQ(loss(TIR_DTYPE_I16, int16_t{-300}), "epoch 1 loss -300\n");
  EXPECT_EQ(loss(TIR_DTYPE_I32, int32_t{-70000}), "epoch 1 loss -70000\n");
  EXPECT_EQ(loss(TIR_DTYPE_I64, int64_t{-70000}), "epoch 1 loss -70000\n");
  EXPECT_EQ(loss(TIR_DTYPE_F32, -0.5f), "epoch 1 loss -0.5\n");
  EXPECT_EQ(bf16(0xbf80), "epoch 1 loss -1\n");
  EXPECT_EQ(bf16(0x4049), "epoch 1 loss 3.14062\n");
  EXPECT_EQ(bf16(0x0001), "epoch 1 loss 9.18355e-41\n") << "subnormal";
  EXPECT_NE(bf16(0x7f80).find("inf at step 1"), std::string::npos);
  EXPECT_NE(bf16(0x7fc0).find("nan at step 1"), std::string::npos);
}

// The longest name that fits is meant.
TEST_F(Train, NamesMayHoldAnEqualsSign) {
  Write("two.tirt", R"(graph @train_step(%a: f32[1, 1], %9: f32[1, 1] "a=b") {
  %0 = constant {value = 10} : f32[]
  %1 = reduce_sum %a : f32[]
  %2 = reduce_sum %9 : f32[]
  %3 = mul %1, %0 : f32[]
  %4 = add %3, %2 : f32[]
  return %4 "loss"
}
)");
  Npy<float>("one", TIR_DTYPE_F32, {1, 1}, {1});
  Npy<float>("two", TIR_DTYPE_F32, {1, 1}, {2});
  for (const char *data : {"--data a=b=two.npy --data a=one.npy",
                           "--data a=one.npy --data a=b=two.npy"}) {
    Tapeir(std::string("train two.tirt --force --save-as a.tir ") + data);
    EXPECT_EQ(status, 0) << err;
    EXPECT_EQ(out, "epoch 1 loss 12\n") << data;
  }
  Tapeir("train two.tirt --force --save-as a.tir --data a=b=two.npy");
  EXPECT_EQ(err, "error: input a: give --data or --set\n");
}

// The loss is the sum of what was read in one batch.
TEST_F(Train, TheFirstLineOfACsvIsNotLost) {
  Write("sum.tirt", R"(graph @train_step(%x: f32[batch=2, 2]) {
  %0 = reduce_sum %x : f32[]
  return %0 "loss"
}
)");
  const auto read = [this](const std::string &text, const char *columns = "") {
    Write("d.csv", text);
    Tapeir(std::string("train sum.tirt --force --save-as a.tir --data "
                       "x=d.csv") +
           columns);
    return out + err;
  };
  const std::string mark = "\xef\xbb\xbf";
  EXPECT_EQ(read("1,2\n3,4\n"), "epoch 1 loss 10\n");
  EXPECT_EQ(read(mark + "1,2\n3,4\n"), "epoch 1 loss 10\n");
  EXPECT_EQ(read(mark + "a,b\n1,2\n3,5\n"), "epoch 1 loss 11\n");
  EXPECT_EQ(read("1,\n1,2\n3,4\n"), "error: d.csv:1: a field is empty\n");
  EXPECT_EQ(read("1, ,3\n1,2,3\n1,2,3\n", ":2-3"),
            "error: d.csv:2-3:1: a field is empty\n");
  EXPECT_EQ(read("cat,,3\ncat,1,2\ndog,3,4\n", ":2-3"),
            "error: d.csv:2-3:1: a field is empty\n");
  EXPECT_EQ(read("1,2\n3,\n"), "error: d.csv:2: a field is empty\n");
  // Headings, with a column that has none.
  EXPECT_EQ(read(",a\n1,2\n3,4\n"), "epoch 1 loss 10\n");
  EXPECT_EQ(read(",,a\n1,2,x\n3,4,x\n", ":1-2"), "epoch 1 loss 10\n");
}
