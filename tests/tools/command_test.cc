// The `tapeir` command: exit status, stdout and files of every verb.
#include "tests/tools/command.h"

TEST_F(Command, ConvertsBothWays) {
  Tapeir("convert m.tirt --output m.tir");
  ASSERT_EQ(status, 0) << err;
  EXPECT_EQ(out, "");
  Tapeir("convert m.tir --output again.tirt");
  ASSERT_EQ(status, 0) << err;
  Tapeir("convert again.tirt --output third.tirt");
  ASSERT_EQ(status, 0) << err;
  EXPECT_EQ(Slurp(dir + "/again.tirt"), Slurp(dir + "/third.tirt"));
  EXPECT_NE(Slurp(dir + "/again.tirt").find("matmul %x, %w"),
            std::string::npos);
}

TEST_F(Command, ConvertsWeights) {
  Tapeir("convert m.tirt --output w.safetensors");
  ASSERT_EQ(status, 0) << err;
  Tapeir("convert w.safetensors --output again.safetensors");
  ASSERT_EQ(status, 0) << err;
  const std::string weights = Slurp(dir + "/w.safetensors");
  EXPECT_NE(weights.find("\"w\":{\"dtype\":\"F32\""), std::string::npos);
  EXPECT_EQ(Slurp(dir + "/again.safetensors"), weights);
  Tapeir("convert m.tirt --output w.safetensors");
  EXPECT_EQ(status, 1);
  EXPECT_EQ(err, "error: w.safetensors exists (--force overwrites)\n");
  Tapeir("info w.safetensors");
  ASSERT_EQ(status, 0) << err;
  EXPECT_TRUE(Has("w")) << out;
}

TEST_F(Command, NeverOverwritesWithoutForce) {
  Tapeir("convert m.tirt --output m.tir");
  Tapeir("convert m.tirt --output m.tir");
  EXPECT_EQ(status, 1);
  EXPECT_EQ(err, "error: m.tir exists (--force overwrites)\n");
  Tapeir("convert m.tirt --output m.tir --force");
  EXPECT_EQ(status, 0) << err;
}

TEST_F(Command, InfoForPeopleAndPrograms) {
  Tapeir("info m.tirt");
  ASSERT_EQ(status, 0) << err;
  EXPECT_TRUE(Has("graph loss")) << out;
  EXPECT_TRUE(Has("x: f32[batch=2, 3]")) << out;
  EXPECT_TRUE(Has("1 matmul")) << out;
  Tapeir("info --json m.tirt");
  ASSERT_EQ(status, 0) << err;
  EXPECT_TRUE(Has("\"batch\"")) << out;
  EXPECT_TRUE(Has("\"lower_bound\"")) << out;
}

TEST_F(Command, DumpsGradientPlanAndPasses) {
  Tapeir("dump m.tirt");
  ASSERT_EQ(status, 0) << err;
  EXPECT_TRUE(Has("reduce_sum %1")) << out;
  Tapeir("dump --gradient --pipeline full m.tirt");
  ASSERT_EQ(status, 0) << err;
  EXPECT_TRUE(Has("\"w.grad\"")) << out;
  Tapeir("dump --plan m.tirt");
  ASSERT_EQ(status, 0) << err;
  // Place, bytes, first and last step of every value.
  EXPECT_TRUE(Has("# arena 0..8 steps 0..1\n")) << out;
  EXPECT_TRUE(Has("# output 0 at 0..4 steps 1..2 fused\n")) << out;
  Tapeir("dump --gradient --before eliminate-dead m.tirt");
  ASSERT_EQ(status, 0) << err;
  Tapeir("dump --after no-such-pass m.tirt");
  EXPECT_EQ(status, 1);
  EXPECT_EQ(err, "error: pipeline full has no pass no-such-pass\n");
}

TEST_F(Command, Dot) {
  Tapeir("dot m.tirt");
  ASSERT_EQ(status, 0) << err;
  EXPECT_EQ(out.find("digraph \"loss\""), 0u);
  EXPECT_TRUE(Has(" -> "));
}

TEST_F(Command, RunsAtTheSizeGivenAndLikeTheReference) {
  Tapeir("run m.tirt --input x=x.npy --output-dir fast");
  ASSERT_EQ(status, 0) << err;
  Tapeir("run m.tirt --input x=x.npy --output-dir slow --reference");
  ASSERT_EQ(status, 0) << err;
  EXPECT_NE(Slurp(dir + "/fast/manifest.json").find("loss.npy"),
            std::string::npos);
  tir_context *c;
  tir_tensor *a, *b;
  tir_error error;
  ASSERT_EQ(tir_context_create(nullptr, &c, &error), TIR_OK);
  ASSERT_EQ(tir_npy_load(c, (dir + "/fast/loss.npy").c_str(), &a, &error),
            TIR_OK);
  ASSERT_EQ(tir_npy_load(c, (dir + "/slow/loss.npy").c_str(), &b, &error),
            TIR_OK);
  EXPECT_NEAR(*static_cast<const float *>(tir_tensor_data(a)),
              *static_cast<const float *>(tir_tensor_data(b)), 1e-6);
  tir_tensor_release(a);
  tir_tensor_release(b);
  tir_context_destroy(c);
}

TEST_F(Command, GradWritesInputsAndParameters) {
  Tapeir("grad m.tirt --input x=x.npy --output-dir g");
  ASSERT_EQ(status, 0) << err;
  EXPECT_NE(Slurp(dir + "/g/x.grad.npy"), "");
  EXPECT_NE(Slurp(dir + "/g/w.grad.npy"), "");
  EXPECT_EQ(Slurp(dir + "/g/loss.npy"), "");
  Tapeir("grad m.tirt --input x=x.npy --wrt w --output-dir only");
  ASSERT_EQ(status, 0) << err;
  EXPECT_EQ(Slurp(dir + "/only/x.grad.npy"), "");
  EXPECT_EQ(Slurp(dir + "/only/w.grad.npy"), Slurp(dir + "/g/w.grad.npy"));
}

TEST_F(Command, ResultsAreOverwrittenOnlyByForce) {
  Tapeir("run m.tirt --input x=x.npy --output-dir o");
  ASSERT_EQ(status, 0) << err;
  Tapeir("grad m.tirt --input x=x.npy --output-dir o");
  EXPECT_EQ(status, 1);
  EXPECT_EQ(err, "error: o/manifest.json exists (--force overwrites)\n");
  EXPECT_EQ(Read("o/w.grad.npy"), "") << "nothing is written before";
  Tapeir("grad m.tirt --input x=x.npy --output-dir o --force");
  EXPECT_EQ(status, 0) << err;
  EXPECT_NE(Read("o/manifest.json").find("w.grad.npy"), std::string::npos);
}

TEST_F(Command, MissingExtraAndIllTypedInputs) {
  Tapeir("run m.tirt --output-dir o");
  EXPECT_EQ(status, 1);
  EXPECT_EQ(err, "error: input x is missing: it is f32[batch=2, 3]\n");
  Tapeir("run m.tirt --input y=x.npy --output-dir o");
  EXPECT_EQ(err, "error: the graph has no input for y=x.npy\n");
  Tapeir("grad m.tirt --wrt loss --input x=x.npy --output-dir o");
  EXPECT_EQ(status, 1);
}

TEST_F(Command, CheckComparesWithTheReference) {
  Tapeir("check m.tirt");
  EXPECT_EQ(status, 0) << err << out;
  EXPECT_TRUE(Has("ok   loss gradient w.grad")) << out;
  Tapeir("check --json m.tirt");
  EXPECT_EQ(status, 0) << err;
}

TEST_F(Command, CheckComparesGradientsWithDifferences) {
  Tapeir("check --input x=x.npy m.tirt");
  EXPECT_EQ(status, 0) << err << out;
  EXPECT_TRUE(Has("ok   loss slope x: 12 of 12 coordinates, off by at most "))
      << out;
  EXPECT_TRUE(Has("ok   loss slope w: 3 of 3 coordinates")) << out;
  Tapeir("check --samples 2 --json m.tirt");
  EXPECT_EQ(status, 0) << err;
  EXPECT_TRUE(Has("\"check\": \"slope\"")) << out;
  EXPECT_TRUE(Has("\"coordinates\": 2")) << out;
}

// So steep that no difference can follow it: what a wrong gradient looks like.
TEST_F(Command, CheckNamesTheWorstCoordinate) {
  std::ofstream(dir + "/steep.tirt") << R"(
graph @steep(%x: f64[2]) {
  %0 = constant {data = [1, 1000000]} : f64[2]
  %1 = mul %x, %0 : f64[2]
  %2 = tanh %1 : f64[2]
  return %2 "y"
}
)";
  Npy<double>("steep", TIR_DTYPE_F64, {2}, {1e-6, 1e-6});
  Tapeir("check --input x=steep.npy steep.tirt");
  EXPECT_EQ(status, 1);
  EXPECT_EQ(err, "error: 1 check failed\n");
  EXPECT_TRUE(
      Has("FAIL steep slope x: 2 of 2 coordinates, worst at [1]: the "
          "gradient is 419974.34"))
      << out;
  Tapeir("check --json --input x=steep.npy steep.tirt");
  EXPECT_EQ(status, 1);
  EXPECT_TRUE(Has("\"worst\": \"[1]\"")) << out;
  EXPECT_TRUE(Has("\"ok\": false")) << out;
}

// relu at 0: the slopes are 0 and 1, and the gradient is one of them.
TEST_F(Command, CheckAcceptsAnyGradientAtAKink) {
  std::ofstream(dir + "/kink.tirt") << R"(
param "b" f32[2] {kind = trainable} [0, 1]
graph @kink(%b: param f32[2] "b") {
  %0 = relu %b : f32[2]
  return %0 "y"
}
)";
  Tapeir("check kink.tirt");
  EXPECT_EQ(status, 0) << err << out;
  EXPECT_TRUE(Has("ok   kink slope b: 2 of 2 coordinates, 1 at a kink")) << out;
}

TEST_F(Command, CheckSaysWhatItSkips) {
  std::ofstream(dir + "/skip.tirt") << R"(
graph @stopped(%x: f32[2]) {
  %0 = stop_gradient %x : f32[2]
  %1 = mul %0, %x : f32[2]
  return %1 "y"
}
graph @whole(%i: i32[2]) {
  %0 = add %i, %i : i32[2]
  return %0 "y"
}
)";
  Tapeir("check skip.tirt");
  EXPECT_EQ(status, 0) << err << out;
  EXPECT_TRUE(Has("skip stopped slope: stop_gradient hides part of it")) << out;
  EXPECT_TRUE(Has("skip whole gradient: no output is a float")) << out;
  Tapeir("check --graph nobody skip.tirt");
  EXPECT_EQ(status, 1);
  EXPECT_EQ(err, "error: no graph is named nobody\n");
}

TEST_F(Command, DumpStopsAfterSoManyPasses) {
  Tapeir("dump --gradient --stop-after 0 m.tirt");
  ASSERT_EQ(status, 0) << err;
  const std::string before = out;
  Tapeir("dump --gradient --stop-after 99 m.tirt");
  const std::string after = out;
  EXPECT_NE(before, after);
  Tapeir("dump --gradient --pipeline none m.tirt");
  EXPECT_EQ(out, before);
  Tapeir("dump --gradient --pipeline full m.tirt");
  EXPECT_EQ(out, after);
}

TEST_F(Command, OptRunsPasses) {
  Tapeir("opt --passes fold-constants,eliminate-dead m.tirt --output o.tirt");
  EXPECT_EQ(status, 0) << err;
  Tapeir("opt --passes nonsense m.tirt --output p.tirt");
  EXPECT_EQ(status, 1);
  EXPECT_NE(err.find("no pass or pipeline is named"), std::string::npos) << err;
}

TEST_F(Command, OpsInThreeForms) {
  Tapeir("ops");
  ASSERT_EQ(status, 0);
  EXPECT_TRUE(Has("matmul"));
  Tapeir("ops --json");
  EXPECT_EQ(status, 0) << err;
  EXPECT_TRUE(Has("\"name\": \"softmax\""));
  Tapeir("ops --markdown");
  EXPECT_EQ(status, 0) << err;
  EXPECT_TRUE(Has("| `tanh` |"));
}

TEST_F(Command, StandardInput) {
  Run("cat m.tirt | " TAPEIR_BINARY_DIR "/tools/tapeir dump -");
  EXPECT_EQ(status, 0) << err;
  EXPECT_TRUE(Has("matmul"));
}

TEST_F(Command, WrongUsageIsTwo) {
  Tapeir("");
  EXPECT_EQ(status, 2);
  Tapeir("bogus");
  EXPECT_EQ(status, 2);
  Tapeir("info");
  EXPECT_EQ(status, 2);
  Tapeir("info --output x m.tirt");
  EXPECT_EQ(status, 2);
  Tapeir("info --help");
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(Has("example: tapeir info fashion.tir"));
}

TEST_F(Command, BrokenFilesAreOne) {
  std::ofstream(dir + "/bad.tir") << "TAPEIR\r\n and nothing more";
  Tapeir("info bad.tir");
  EXPECT_EQ(status, 1);
  std::ofstream(dir + "/bad.tirt")
      << "graph @g(%x: f32[2]) {\n  return %y\n}\n";
  Tapeir("info bad.tirt");
  EXPECT_EQ(status, 1);
  EXPECT_NE(err.find("bad.tirt:2: "), std::string::npos) << err;
  Tapeir("info missing.tir");
  EXPECT_EQ(status, 1);
}

// An error behind the first graph: what was made before is freed.
TEST_F(Command, InfoOfAGraphThatDoesNotCompile) {
  Write("late.tirt", R"(graph @a(%x: f32[2]) {
  return %x "y"
}
graph @b(%x: f32[1000000000000000000]) {
  %0 = exp %x : f32[1000000000000000000]
  %1 = exp %0 : f32[1000000000000000000]
  %2 = tanh %0 : f32[1000000000000000000]
  return %0 "y", %1 "u", %2 "v"
}
)");
  Tapeir("info --json late.tirt");
  EXPECT_EQ(status, 1);
  EXPECT_EQ(out, "");
  // A build with checks says so one step earlier.
  EXPECT_EQ(err.rfind("error: b: ", 0), 0u) << err;
  EXPECT_NE(err.find(" exceeds the address space\n"), std::string::npos) << err;
}

// Compared as numbers, with room for the rounding of the last place: of so many
// elements some lie where the last bit of f32 decides it.
TEST_F(Command, CheckComparesHalves) {
  Write("half.tirt", R"(graph @g(%x: f32[400000]) {
  %0 = exp %x : f32[400000]
  %1 = cast %0 {dtype = f16} : f16[400000]
  %2 = cast %0 {dtype = bf16} : bf16[400000]
  return %1 "f", %2 "b"
}
)");
  Tapeir("check half.tirt");
  EXPECT_EQ(status, 0) << err << out;
  for (const char *value : {"f", "b"}) {
    const std::string row =
        std::string("ok   g value ") + value + ": differs by ";
    ASSERT_TRUE(Has(row)) << out;
    const double off =
        strtod(out.c_str() + out.find(row) + row.size(), nullptr);
    // Half a thousandth is a unit of f16 between 0.5 and 1. The bits themselves
    // would differ by 1 of 15,000.
    EXPECT_TRUE(off == 0 || off > 2e-4) << off;
  }
}
