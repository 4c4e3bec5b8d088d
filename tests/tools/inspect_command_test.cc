// The verbs that look: diff, explain, bench; and what the command says about
// itself.
#include "tests/tools/command.h"

// --- diff ------------------------------------------------------------------

TEST_F(Command, DiffOfEqualFilesIsSilent) {
  Tapeir("convert m.tirt --output m.tir");
  Tapeir("diff m.tirt m.tir");
  EXPECT_EQ(status, 0) << err;
  EXPECT_EQ(out, "");
  Tapeir("diff --json m.tirt m.tir");
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(Has("\"equal\": true"));
}

TEST_F(Command, DiffShowsWhereADifferenceBegins) {
  std::string text = kCommandText;
  text.replace(text.find("tanh"), 4, "sigmoid");
  text.replace(text.find("2, -1]"), 6, "2, -3]");
  Write("n.tirt", text);
  Tapeir("diff m.tirt n.tirt");
  EXPECT_EQ(status, 1);
  EXPECT_EQ(err, "");
  EXPECT_EQ(out,
            "- graph loss: %1 = tanh %0 : f32[batch=2, 1]\n"
            "- graph loss: and 1 more nodes that follow\n"
            "+ graph loss: %1 = sigmoid %0 : f32[batch=2, 1]\n"
            "+ graph loss: and 1 more nodes that follow\n"
            "! parameter w: 1 of 3 values differ, by 2 at most\n");
  Tapeir("diff --graph loss --json m.tirt n.tirt");
  EXPECT_EQ(status, 1);
  EXPECT_TRUE(Has("\"equal\": false")) << out;
  EXPECT_FALSE(Has("parameter w")) << out;
}

// Neither numbering nor the order of independent nodes is a difference.
TEST_F(Command, DiffKnowsNoOrder) {
  Write("a.tirt", R"(graph @g(%x: f32[2]) {
  %0 = exp %x : f32[2]
  %1 = tanh %x : f32[2]
  %2 = sub %0, %1 : f32[2]
  return %2 "y"
}
)");
  Write("b.tirt", R"(graph @g(%x: f32[2]) {
  %0 = tanh %x : f32[2]
  %1 = exp %x : f32[2]
  %2 = sub %1, %0 : f32[2]
  return %2 "y"
}
)");
  Tapeir("diff a.tirt b.tirt");
  EXPECT_EQ(status, 0) << out;
  Write("c.tirt", R"(graph @g(%x: f32[2]) {
  %0 = tanh %x : f32[2]
  %1 = exp %x : f32[2]
  %2 = sub %0, %1 : f32[2]
  return %2 "y"
}
)");
  Tapeir("diff a.tirt c.tirt");
  EXPECT_EQ(status, 1) << out;
}

TEST_F(Command, DiffOfPortsParametersAndMetadata) {
  Write("a.tirt", R"(metadata "k" "1"
param "only" f32[1] {kind = trainable} [1]
graph @g(%x: f32[2], %z: f32[2]) {
  %0 = exp %x : f32[2]
  %1 = exp %z : f32[2]
  return %0 "y", %1 "w"
}
graph @gone(%x: f32[2]) {
  return %x "y"
}
)");
  Write("b.tirt", R"(metadata "k" "2"
graph @g(%x: f32[2], %z: f32[2]) {
  %0 = exp %x : f32[2]
  %1 = exp %z : f32[2]
  return %1 "y", %0 "w"
}
)");
  Tapeir("diff a.tirt b.tirt");
  EXPECT_EQ(status, 1);
  EXPECT_TRUE(Has("! graph g: output y is another value\n")) << out;
  EXPECT_TRUE(Has("- graph gone: only in the first\n")) << out;
  EXPECT_TRUE(Has("- parameter only: only in the first\n")) << out;
  EXPECT_TRUE(Has("- metadata k: 1\n+ metadata k: 2\n")) << out;
}

// Outputs without a name look alike.
TEST_F(Command, DiffCountsPorts) {
  const auto write = [this](const char *name, const char *outputs) {
    Write(name, std::string("graph @g(%x: f32[2]) {\n  %0 = exp %x : f32[2]\n"
                            "  return ") +
                    outputs + "\n}\n");
  };
  write("a.tirt", "%0");
  write("b.tirt", "%0, %0");
  Tapeir("diff a.tirt b.tirt");
  EXPECT_EQ(status, 1);
  EXPECT_EQ(out, "! graph g: 1 outputs in the first, 2 in the second\n");
  Tapeir("diff b.tirt a.tirt");
  EXPECT_EQ(status, 1);
  EXPECT_EQ(out, "! graph g: 2 outputs in the first, 1 in the second\n");
}

// 1 and 65504 are 0x3c00 and 0x7bff; the difference is one of numbers.
TEST_F(Command, DiffReadsHalves) {
  const auto write = [this](const char *name, const char *dtype,
                            const char *values) {
    Write(name, std::string("param \"h\" ") + dtype +
                    "[3] {kind = trainable} [" + values + "]\n");
  };
  write("a.tirt", "f16", "1, -2, 65504");
  write("b.tirt", "f16", "1, 2.5, 65504");
  Tapeir("diff a.tirt b.tirt");
  EXPECT_EQ(status, 1);
  EXPECT_EQ(out, "! parameter h: 1 of 3 values differ, by 4.5 at most\n");
  write("a.tirt", "bf16", "1, -2, 256");
  write("b.tirt", "bf16", "1, 2.5, 258");
  Tapeir("diff a.tirt b.tirt");
  EXPECT_EQ(out, "! parameter h: 2 of 3 values differ, by 4.5 at most\n");
}

// Cut at any byte of a character, a name stays UTF-8, which JSON needs.
TEST_F(Command, LongNamesAreCutBetweenCharacters) {
  for (int pad = 0; pad < 4; pad++) {
    std::string name(pad, 'a');
    for (int i = 0; i < 200; i++) name += "\U0001F600";
    const auto graph = [&name](const char *op) {
      return "graph @\"" + name + "\"(%x: f32[2]) {\n  %0 = " + op +
             " %x : f32[2] \"" + name + "\"\n  return %0 \"y\"\n}\n";
    };
    Write("a.tirt", graph("exp"));
    Write("b.tirt", graph("tanh"));
    Tapeir("diff --json a.tirt b.tirt");
    EXPECT_EQ(status, 1) << err;
    EXPECT_TRUE(Has("\"in\": \"first\"")) << pad << out;
    EXPECT_TRUE(Has("\"in\": \"second\"")) << pad << out;
    Tapeir("bench --runs 1 --force --trace t.json a.tirt");
    EXPECT_EQ(status, 0) << err;
    EXPECT_NE(Read("t.json").find("\"ph\": \"X\""), std::string::npos) << pad;
    const std::string cut = out.substr(0, out.find(": median"));
    EXPECT_EQ((cut.size() - static_cast<size_t>(pad)) % 4, 0u) << cut;
    EXPECT_GT(cut.size(), 240u);
  }
}

TEST_F(Command, DiffTroubleIsTwo) {
  Tapeir("diff m.tirt missing.tirt");
  EXPECT_EQ(status, 2);
  EXPECT_EQ(err, "error: cannot open missing.tirt\n");
  Tapeir("diff --graph nobody m.tirt m.tirt");
  EXPECT_EQ(status, 2);
}

// --- explain ---------------------------------------------------------------

// exp is read by its own gradient: of 2 × 8 floats, 64 bytes.
TEST_F(Command, ExplainTellsPeakAndWhatIsKept) {
  Write("e.tirt", R"(graph @g(%x: f32[2, 8], %w: f32[8, 3]) {
  %hidden = exp %x : f32[2, 8]
  %0 = matmul %hidden, %w : f32[2, 3]
  return %0 "y"
}
)");
  Tapeir("explain e.tirt");
  ASSERT_EQ(status, 0) << err;
  EXPECT_EQ(out.find("g, differentiated\narena "), 0u) << out;
  EXPECT_TRUE(Has("exp hidden: f32[2, 8]\n              read by matmul"))
      << out;
  EXPECT_TRUE(Has("for the gradient of exp hidden")) << out;
  Tapeir("explain --json e.tirt");
  ASSERT_EQ(status, 0) << err;
  EXPECT_TRUE(Has("\"gradient_of\": \"exp hidden\"")) << out;
  EXPECT_TRUE(Has("\"knows_backward\": true")) << out;
}

// The peak it adds up is the bound the planner reports.
TEST_F(Command, ExplainAddsUpToTheLowerBound) {
  Tapeir(
      "explain --json m.tirt | tr -d ' \\n' | sed "
      "'s/.*\"lower_bound\":\\([0-9]*\\).*\"bytes\":\\([0-9]*\\),\"live\""
      ".*/\\1 \\2/'");
  std::istringstream numbers(out);
  long bound = -1, peak = -2;
  numbers >> bound >> peak;
  EXPECT_GT(bound, 0) << out;
  EXPECT_EQ(bound, peak);
}

// --- bench -----------------------------------------------------------------

TEST_F(Command, BenchTimesRunsAndSteps) {
  Tapeir("bench --runs 3 m.tirt");
  ASSERT_EQ(status, 0) << err;
  EXPECT_EQ(out.find("loss: median "), 0u) << out;
  EXPECT_TRUE(Has(" of 3 runs, 2 steps\n")) << out;
  EXPECT_TRUE(Has("matmul           %0")) << out;
  EXPECT_TRUE(Has("fused(tanh, reduce_sum) %2")) << out;
  Tapeir("bench --runs 3 --json --trace t.json m.tirt");
  ASSERT_EQ(status, 0) << err;
  EXPECT_TRUE(Has("\"n_steps\": 2")) << out;
  EXPECT_NE(Read("t.json").find("\"ph\": \"X\""), std::string::npos);
  Tapeir("bench --runs 3 --trace t.json m.tirt");
  EXPECT_EQ(status, 1);
  EXPECT_EQ(err, "error: t.json exists (--force overwrites)\n");
}

// No memory for the second input: the first is given back once.
TEST_F(Command, BenchOfInputsThatAreTooLarge) {
  Write("large.tirt",
        R"(graph @g(%x: f32[4], %y: f32[1000000000000000000]) {
  %0 = exp %x : f32[4]
  return %0 "y"
}
)");
  // The address sanitizer warns of what it cannot give; its errors are told
  // by the check of Run.
  Run("export ASAN_OPTIONS=$ASAN_OPTIONS:allocator_may_return_null=1; "
      "bench='" TAPEIR_BINARY_DIR
      "/tools/tapeir bench'; "
      "$bench --runs 1 large.tirt 2>err.txt; status=$?; "
      "grep -v 'WARNING: AddressSanitizer' err.txt >&2; exit $status");
  EXPECT_EQ(status, 1);
  EXPECT_EQ(err,
            "error: inputs: out of memory: 4000000000000000000 bytes asked\n");
}

// --- about itself ----------------------------------------------------------

TEST_F(Command, ManPageAndCompletionAreFresh) {
  Tapeir("help --man");
  EXPECT_EQ(out, Slurp(TAPEIR_SOURCE_DIR "/docs/tapeir.1"))
      << "./dev docs writes it";
  Tapeir("help --completion");
  EXPECT_EQ(out, Slurp(TAPEIR_SOURCE_DIR "/tools/tapeir.bash"))
      << "./dev docs writes it";
}

TEST_F(Command, EveryVerbHasHelpWithAnExample) {
  Tapeir("--help");
  ASSERT_EQ(status, 0);
  std::istringstream lines(out.substr(out.find("\n\n") + 2));
  int n_verbs = 0;
  for (std::string line; std::getline(lines, line) && !line.empty();) {
    const std::string verb = line.substr(2, line.find(' ', 2) - 2);
    Tapeir(verb + " --help");
    EXPECT_EQ(status, 0) << verb;
    EXPECT_TRUE(Has("example: tapeir " + verb)) << out;
    EXPECT_TRUE(Has("  --help ")) << out;
    n_verbs++;
  }
  EXPECT_GT(n_verbs, 10);
}

TEST_F(Command, CompletionCompletes) {
  const auto complete = [this](const std::string &words, int at) {
    Run("bash -c '. " TAPEIR_SOURCE_DIR "/tools/tapeir.bash; COMP_WORDS=(" +
        words + "); COMP_CWORD=" + std::to_string(at) +
        "; _tapeir; echo \"${COMPREPLY[*]}\"'");
    EXPECT_EQ(err, "");
    return out;
  };
  EXPECT_EQ(complete("tapeir ex", 1), "explain\n");
  EXPECT_EQ(complete("tapeir dump --pip", 2), "--pipeline\n");
  EXPECT_EQ(complete("tapeir dump --pipeline f", 3), "full\n");
  EXPECT_EQ(complete("tapeir info m.", 2), "m.tirt\n");
  EXPECT_EQ(complete("tapeir run --input x=x.n", 3), "x.npy\n");
  EXPECT_EQ(complete("tapeir info --out", 2), "\n");
}

TEST_F(Command, ClosedOutputIsAFailure) {
  Run("(" TAPEIR_BINARY_DIR "/tools/tapeir ops --json; echo $? >&2) | true");
  EXPECT_EQ(err.substr(err.size() - 2), "1\n") << err;
  EXPECT_NE(err.find("error: cannot write"), std::string::npos) << err;
  Tapeir("ops > /dev/full");
  EXPECT_EQ(status, 1);
}

// A pseudo-terminal gets colour, unless NO_COLOR is set.
TEST_F(Command, ColourOnlyOnATerminal) {
  const std::string bench = "TERM=xterm script -qec '" TAPEIR_BINARY_DIR
                            "/tools/tapeir bench --runs 1 m.tirt' /dev/null";
  Run(bench);
  EXPECT_TRUE(Has("\033[1m")) << out;
  Run("NO_COLOR=1 " + bench);
  EXPECT_FALSE(Has("\033[")) << out;
  Tapeir("bench --runs 1 m.tirt");
  EXPECT_FALSE(Has("\033["));
}

TEST_F(Command, ControlCharactersInNamesAreEscaped) {
  Write("evil.tirt",
        "graph @\"a\\x1b\u009b[31mb\"(%x: f32[2]) {\n  return %x\n}\n");
  for (const char *verb :
       {"info", "explain", "check", "bench --runs 1", "dump", "dot"}) {
    Tapeir(std::string(verb) + " evil.tirt");
    EXPECT_EQ(out.find('\033'), std::string::npos) << verb;
    EXPECT_EQ(err.find('\033'), std::string::npos) << verb;
    EXPECT_EQ(out.find("\u009b"), std::string::npos) << verb;
    EXPECT_NE((out + err).find("[31mb"), std::string::npos) << verb << err;
  }
}
