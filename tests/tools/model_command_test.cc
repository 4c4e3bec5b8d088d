// Values given to a graph by name, and files made from files: heads that are
// not given, sizes that must agree, opt, convert --shape, run --train.
#include <cctype>

#include "tests/tools/command.h"

namespace {

constexpr char kTwoOutputs[] = R"(
param "w" f32[3, 1] {kind = trainable} [1, 2, -1]
graph @loss(%x: f32[batch=2, 3], %w: param f32[3, 1] "w") {
  %0 = matmul %x, %w : f32[batch=2, 1]
  %1 = reduce_sum %0 : f32[]
  return %0 "act", %1 "loss"
}
)";

// Two graphs, a state neither uses, and metadata.
constexpr char kSeveral[] = R"(metadata "k" "v"
param "w" f32[2] {kind = trainable} [1, 2]
param "n" i64[] {kind = state} [7]
graph @forward(%x: f32[batch=3, 2], %w: param f32[2] "w") {
  %0 = neg %x : f32[batch=3, 2]
  %1 = mul %x, %w : f32[batch=3, 2]
  return %1 "y"
}
graph @train_step(%x: f32[batch=3, 2], %t: f32[batch=3], %w: param f32[2] "w") {
  %0 = neg %x : f32[batch=3, 2]
  %1 = reduce_sum %x {axes = [0]} : f32[2]
  %2 = assign %w, %1 : f32[2] "w"
  return %t "t"
}
)";

class ModelCommand : public Command {
 protected:
  std::vector<float> Floats(const std::string &path) {
    tir_context *c;
    tir_tensor *x = nullptr;
    EXPECT_EQ(tir_context_create(nullptr, &c, nullptr), TIR_OK);
    EXPECT_EQ(tir_npy_load(c, (dir + "/" + path).c_str(), &x, nullptr), TIR_OK);
    std::vector<float> values;
    if (x) {
      const auto *data = static_cast<const float *>(tir_tensor_data(x));
      values.assign(data, data + tir_tensor_numel(x));
    }
    tir_tensor_release(x);
    tir_context_destroy(c);
    return values;
  }
};

TEST_F(ModelCommand, HeadsThatAreNotGivenAreOnes) {
  Write("two.tirt", kTwoOutputs);
  Npy<float>("three", TIR_DTYPE_F32, {4, 1}, {3, 3, 3, 3});
  Npy<float>("one", TIR_DTYPE_F32, {}, {1});
  Npy<float>("two", TIR_DTYPE_F32, {}, {2});
  const auto grad = [this](const std::string &heads) {
    Tapeir("grad two.tirt --input x=x.npy --output-dir o --force " + heads);
    EXPECT_EQ(status, 0) << err;
    return Floats("o/x.grad.npy");
  };
  const std::vector<float> plain = grad("");
  EXPECT_EQ(grad("--head loss=one.npy"), plain);
  EXPECT_EQ(grad("--head loss=two.npy")[0], plain[0] / 2 * 3);
  EXPECT_EQ(grad("--head act=three.npy")[0], plain[0] * 2);
  EXPECT_EQ(grad("--head act=three.npy --head loss=one.npy"),
            grad("--head act=three.npy"));
  Tapeir("grad two.tirt --input x=x.npy --head act=x.npy --output-dir n");
  EXPECT_EQ(status, 1);
  EXPECT_EQ(err,
            "error: input act.head is f32[batch=2, 1], the file holds "
            "f32[4, 3]\n");
  Tapeir("grad two.tirt --input x=x.npy --head y=x.npy --output-dir n");
  EXPECT_EQ(err, "error: the graph has no output for y=x.npy\n");
}

// An output may be called like a gradient; it is none.
TEST_F(ModelCommand, GradWritesNoOutputOfTheGraph) {
  Write("g.tirt", R"(graph @g(%x: f32[2]) {
  %0 = square %x : f32[2]
  return %0 "y.grad"
}
)");
  Npy<float>("v", TIR_DTYPE_F32, {2}, {1, 3});
  Tapeir("grad g.tirt --input x=v.npy --output-dir o");
  ASSERT_EQ(status, 0) << err;
  EXPECT_EQ(Read("o/y.grad.npy"), "");
  EXPECT_EQ(Floats("o/x.grad.npy"), (std::vector<float>{2, 6}));
}

TEST_F(ModelCommand, SizesOfOneNameMustAgree) {
  Write("n.tirt", R"(graph @g(%x: f32[n=2, 3], %y: f32[n=2]) {
  return %x, %y
}
)");
  Npy<float>("y", TIR_DTYPE_F32, {5}, {1, 2, 3, 4, 5});
  Tapeir("run n.tirt --input x=x.npy --input y=y.npy --output-dir o");
  EXPECT_EQ(status, 1);
  EXPECT_EQ(err,
            "error: input y is f32[n=2], the file holds f32[5], but x has "
            "n=4\n");
  EXPECT_NE(access((dir + "/o").c_str(), F_OK), 0)
      << "nothing is made for a run that cannot be";
  Tapeir("run n.tirt --input x=x.npy --input x=y.npy --output-dir o");
  EXPECT_EQ(err, "error: input x is given twice\n");
}

TEST_F(ModelCommand, TheLongestNameBeforeAnEqualsSignCounts) {
  Write("n.tirt", R"(graph @g(%x: f32[4, 3], %0: f32[2] "x=a") {
  return %x "p", %0 "q"
}
)");
  Npy<float>("v", TIR_DTYPE_F32, {2}, {1, 3});
  Tapeir("run n.tirt --input x=x.npy --input x=a=v.npy --output-dir o");
  ASSERT_EQ(status, 0) << err;
  EXPECT_EQ(Floats("o/q.npy"), (std::vector<float>{1, 3}));
  Tapeir("run n.tirt --input x=a=v.npy --output-dir n");
  EXPECT_EQ(err, "error: input x is missing: it is f32[4, 3]\n");
}

// Whatever the names: the manifest knows which file is whose.
TEST_F(ModelCommand, OddNamesHaveFiles) {
  const std::string longer(700, 'n');
  Write("odd.tirt", "graph @g(%x: f32[4, 3]) {\n  return %x \"a/b\", %x \"" +
                        longer + "1\", %x \"" + longer +
                        "2\", %x \"..\", %x\n}\n");
  Tapeir("run odd.tirt --input x=x.npy --output-dir o");
  ASSERT_EQ(status, 0) << err;
  const std::string manifest = Read("o/manifest.json");
  EXPECT_NE(manifest.find("\"a%2Fb.npy\""), std::string::npos) << manifest;
  EXPECT_NE(manifest.find("\"...npy\""), std::string::npos);
  EXPECT_NE(manifest.find("\"output4\""), std::string::npos);
  size_t n_files = 0;
  for (size_t at = 0;
       (at = manifest.find("\"file\": \"", at)) != std::string::npos;
       n_files++) {
    at += 9;
    const std::string file = manifest.substr(at, manifest.find('"', at) - at);
    EXPECT_LE(file.size(), 125u);
    EXPECT_EQ(Floats("o/" + file).size(), 12u) << file;
  }
  EXPECT_EQ(n_files, 5u);
}

TEST_F(ModelCommand, RunTrainsWhenAsked) {
  Write("s.tirt", kSeveral);
  Npy<float>("v", TIR_DTYPE_F32, {1, 2}, {5, 6});
  Npy<float>("t", TIR_DTYPE_F32, {1}, {1});
  Tapeir("run s.tirt --input x=v.npy --output-dir f");
  ASSERT_EQ(status, 0) << err;
  EXPECT_EQ(Floats("f/y.npy"), (std::vector<float>{5, 12}));
  Tapeir(
      "run s.tirt --train --input x=v.npy --input t=t.npy --output-dir o "
      "--save-as next.tirt");
  ASSERT_EQ(status, 0) << err;
  EXPECT_NE(Read("next.tirt")
                .find("param \"w\" f32[2] {kind = trainable} "
                      "[5, 6]"),
            std::string::npos)
      << Read("next.tirt");
  Tapeir(
      "run s.tirt --train --input x=v.npy --input t=t.npy --output-dir p "
      "--save-as next.tirt");
  EXPECT_EQ(status, 1);
  EXPECT_EQ(Read("p/manifest.json"), "") << "nothing is written before";
}

// --- JSON ------------------------------------------------------------------

// The output without white space outside of strings.
std::string Squeeze(const std::string &json) {
  std::string out;
  bool in_string = false;
  for (size_t i = 0; i < json.size(); i++) {
    if (json[i] == '"' && (i == 0 || json[i - 1] != '\\'))
      in_string = !in_string;
    if (in_string || !isspace(static_cast<unsigned char>(json[i])))
      out += json[i];
  }
  return out;
}

// All keys in order, separated by spaces.
std::string Keys(const std::string &squeezed) {
  std::string keys;
  for (size_t at = 0; (at = squeezed.find("\":", at)) != std::string::npos;
       at++) {
    const size_t begin = squeezed.rfind('"', at - 1) + 1;
    keys += (keys.empty() ? "" : " ") + squeezed.substr(begin, at - begin);
  }
  return keys;
}

TEST_F(ModelCommand, InfoHasTheKeysPromised) {
  Write("s.tirt", kSeveral);
  Tapeir("info --json s.tirt");
  ASSERT_EQ(status, 0) << err;
  const std::string json = Squeeze(out), port = "name dtype shape";
  const std::string memory =
      "memory arena lower_bound scratch outputs params inputs block";
  EXPECT_EQ(Keys(json), "version graphs name inputs " + port + " outputs " +
                            port + " params " + port + " nodes flops " +
                            memory + " name inputs " + port + " " + port +
                            " outputs " + port + " params " + port +
                            " nodes flops " + memory + " params " + port +
                            " kind " + port + " kind metadata k");
  for (const char *part :
       {"{\"name\":\"x\",\"dtype\":\"f32\",\"shape\":[\"batch\",2]}",
        "\"kind\":\"state\"", "\"metadata\":{\"k\":\"v\"}"})
    EXPECT_NE(json.find(part), std::string::npos) << part << " in " << json;
}

TEST_F(ModelCommand, OpsHaveTheKeysPromised) {
  Tapeir("ops --json");
  ASSERT_EQ(status, 0) << err;
  const std::string json = Squeeze(out);
  for (const char *part :
       {"[{\"name\":\"input\",\"family\":\"structure\",",
        "\"gradient\":true,\"onnx\":[", "\"gradient\":\"it has no operands\"",
        "\"inputs\":[2,2],\"outputs\":1,\"attributes\":[],"
        "\"dtypes\":[\"f32\",\"f64\","})
    EXPECT_NE(json.find(part), std::string::npos) << part;
}

// --- files made from files -------------------------------------------------

TEST_F(ModelCommand, OptKeepsEverythingElse) {
  Write("s.tirt", kSeveral);
  Tapeir("opt s.tirt --output all.tirt");
  ASSERT_EQ(status, 0) << err;
  const std::string all = Read("all.tirt");
  EXPECT_EQ(all.find("neg"), std::string::npos) << all;
  for (const char *kept : {"metadata \"k\" \"v\"", "param \"n\" i64[]",
                           "@forward", "@train_step", "assign %w"})
    EXPECT_NE(all.find(kept), std::string::npos) << kept << " in " << all;
  Tapeir("opt s.tirt --graph forward --output one.tirt");
  ASSERT_EQ(status, 0) << err;
  const std::string one = Read("one.tirt");
  EXPECT_EQ(one.find("neg"), one.rfind("neg"));
  EXPECT_GT(one.find("neg"), one.find("@train_step"));
  Tapeir("opt s.tirt --graph nobody --output o.tirt");
  EXPECT_EQ(err, "error: no graph is named nobody\n");
}

TEST_F(ModelCommand, UnknownPipelinesAreRefused) {
  for (const char *verb : {"dump", "dot", "opt --output o.tirt"}) {
    Tapeir(std::string(verb) + " --pipeline weird m.tirt");
    EXPECT_EQ(status, 1) << verb;
    EXPECT_EQ(err, "error: no pipeline is named weird\n");
  }
}

TEST_F(ModelCommand, ConvertFixesSizes) {
  Write("s.tirt", kSeveral);
  Tapeir("convert s.tirt --shape x=8,2 --output f.tirt");
  ASSERT_EQ(status, 0) << err;
  const std::string text = Read("f.tirt");
  EXPECT_EQ(text.find("batch"), std::string::npos) << text;
  EXPECT_NE(text.find("%1 = mul %x, %w : f32[8, 2]"), std::string::npos);
  EXPECT_NE(text.find("%t: f32[8]"), std::string::npos)
      << "the same name is the same size";
  EXPECT_NE(text.find("metadata \"k\" \"v\""), std::string::npos);
  const struct {
    const char *shape, *message;
  } bad[] = {
      {"x=8", "--shape x: 1 sizes for f32[batch=3, 2]"},
      {"x=8,2,1", "--shape x: 3 sizes for f32[batch=3, 2]"},
      {"x=8,3", "--shape x: axis 1 has size 2, not 3"},
      {"x=8,2,", "--shape x: 8,2, is no list of sizes"},
      {"x=-1,2", "--shape x: -1,2 is no list of sizes"},
      {"x=99999999999999999999,2",
       "--shape x: 99999999999999999999,2 is no list of sizes"},
      {"y=8", "no graph has an input for --shape y=8"},
      {"x=8,2 --shape t=9", "--shape: batch cannot be both 8 and 9"},
  };
  for (const auto &row : bad) {
    Tapeir(std::string("convert s.tirt --output g.tirt --shape ") + row.shape);
    EXPECT_EQ(status, 1) << row.shape;
    EXPECT_EQ(err, std::string("error: ") + row.message + "\n");
  }
}

TEST_F(ModelCommand, FormatsThatAreNotWritten) {
  for (const char *name : {"m.onnx", "m.txt", "m"}) {
    Tapeir(std::string("convert m.tirt --output ") + name);
    EXPECT_EQ(status, 1);
    EXPECT_EQ(err, std::string("error: ") + name +
                       ": only .tir, .tirt and .safetensors can be written\n");
    EXPECT_EQ(Read(name), "");
  }
  Tapeir("convert m.tirt --output -");
  EXPECT_EQ(status, 0) << err;
  EXPECT_TRUE(Has("graph @loss")) << out;
}

TEST_F(ModelCommand, BinaryStandardInput) {
  Tapeir("convert m.tirt --output m.tir");
  Run(TAPEIR_BINARY_DIR "/tools/tapeir dump - < m.tir");
  EXPECT_EQ(status, 0) << err;
  EXPECT_TRUE(Has("matmul")) << out;
  Run("head -c 100 m.tir | " TAPEIR_BINARY_DIR "/tools/tapeir info -");
  EXPECT_EQ(status, 1);
  EXPECT_EQ(err.rfind("error: standard input: ", 0), 0u) << err;
}

}  // namespace
