// Values and gradients against answers stored from another implementation
// (README.md beside this file), in f64 and f32, in the reference and compiled.

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iomanip>
#include <map>
#include <sstream>

#include "tests/support/compiled.h"
#include "tests/support/text_graph.h"

namespace {

using Numbers = std::vector<double>;

struct Case {
  std::string name, text;
  bool has_gradient = true;
  std::vector<std::string> input_names;
  std::map<std::string, Numbers> inputs, heads, outputs, grads;
};

Numbers ReadNumbers(std::istream *line) {
  std::string word;
  while (*line >> word && word != ":") continue;
  Numbers numbers;
  while (*line >> word) numbers.push_back(strtod(word.c_str(), nullptr));
  return numbers;
}

std::vector<Case> ReadCases() {
  std::ifstream file(TAPEIR_SOURCE_DIR "/tests/oracle/values.txt");
  std::vector<Case> cases;
  bool in_graph = false;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    std::istringstream words(line);
    std::string kind, name;
    words >> kind >> name;
    if (kind == "==") {
      cases.emplace_back();
      cases.back().name = name;
      cases.back().has_gradient = line.find("no gradient") == line.npos;
      continue;
    }
    Case &c = cases.back();
    if (kind == "graph") in_graph = true;
    if (in_graph) {
      c.text += line + "\n";
      in_graph = line != "}";
      continue;
    }
    const Numbers numbers = ReadNumbers(&words);
    if (kind == "input") {
      c.input_names.push_back(name);
      c.inputs[name] = numbers;
    } else if (kind == "head") {
      c.heads[name] = numbers;
    } else if (kind == "output") {
      c.outputs[name] = numbers;
    } else if (kind == "grad") {
      c.grads[name] = numbers;
    } else {
      ADD_FAILURE() << "unknown line: " << line;
    }
  }
  return cases;
}

const std::vector<Case> &Cases() {
  static const std::vector<Case> cases = ReadCases();
  return cases;
}

// The case's text with f32 or f64 for F.
std::string TextOf(const Case &c, const char *dtype) {
  std::string text = c.text;
  for (size_t at = 0; (at = text.find(" F[", at)) != text.npos;)
    text.replace(at + 1, 1, dtype);
  return text;
}

Owned<tir_tensor> MakeTensor(tir_context *context, const tir_port &port,
                             const Numbers &numbers) {
  tir_tensor *tensor = nullptr;
  tir_error error = {};
  EXPECT_EQ(tir_tensor_create(context, port.dtype, port.dims, port.rank,
                              &tensor, &error),
            TIR_OK)
      << error.message;
  EXPECT_EQ(static_cast<size_t>(tir_tensor_numel(tensor)), numbers.size())
      << port.name;
  char *data = static_cast<char *>(tensor->data);
  for (size_t i = 0; i < numbers.size(); i++)
    tir_ir_store_f64(port.dtype, data + i * tir_dtype_size(port.dtype),
                     numbers[i]);
  return Owned<tir_tensor>(tensor);
}

using Results = std::map<std::string, Numbers>;

Numbers NumbersAt(const tir_port &port, const void *data) {
  int64_t n = 1;
  for (int i = 0; i < port.rank; i++) n *= port.dims[i];
  Numbers numbers;
  const size_t size = tir_dtype_size(port.dtype);
  for (int64_t i = 0; i < n; i++)
    numbers.push_back(tir_ir_load_f64(
        port.dtype,
        static_cast<const char *>(data) + static_cast<size_t>(i) * size));
  return numbers;
}

class Oracle : public testing::TestWithParam<size_t> {
 protected:
  const Case &c() const { return Cases()[GetParam()]; }

  // The graph with its gradients, if the case has any.
  void Build(const char *dtype) {
    module_ = ParseModule(context_.get(), TextOf(c(), dtype));
    ASSERT_TRUE(module_);
    tir_error error = {};
    const tir_graph *forward = tir_module_graph(module_.get(), "main");
    ASSERT_NE(forward, nullptr);
    tir_graph *graph = nullptr;
    if (c().has_gradient) {
      ASSERT_EQ(
          tir_graph_differentiate(forward, nullptr, 0, false, &graph, &error),
          TIR_OK)
          << error.message;
    } else {
      ASSERT_EQ(tir_graph_optimize(forward, "infer", &graph, &error), TIR_OK)
          << error.message;
    }
    graph_.reset(graph);
    inputs_.clear();
    for (size_t i = 0; i < tir_graph_n_inputs(graph); i++) {
      tir_port port = {};
      ASSERT_EQ(tir_graph_input(graph, i, &port), TIR_OK);
      inputs_.push_back(MakeTensor(context_.get(), port, InputData(port)));
    }
  }

  Numbers InputData(const tir_port &port) const {
    const std::string name = port.name;
    const size_t at = name.rfind(".head");
    const auto &from = at == name.npos ? c().inputs : c().heads;
    const auto found = from.find(name.substr(0, at));
    if (found != from.end()) return found->second;
    ADD_FAILURE() << "no data for input " << name;
    return {};
  }

  Results RunReference() {
    std::vector<tir_tensor *> in;
    for (const auto &t : inputs_) in.push_back(t.get());
    const size_t n = tir_graph_n_outputs(graph_.get());
    std::vector<tir_tensor *> out(n);
    tir_error error = {};
    EXPECT_EQ(tir_reference_run(graph_.get(), nullptr, in.data(), in.size(),
                                out.data(), n, &error),
              TIR_OK)
        << error.message;
    Results results;
    for (size_t i = 0; i < n && out[i]; i++) {
      tir_port port = {};
      tir_graph_output(graph_.get(), i, &port);
      results[port.name] = NumbersAt(port, tir_tensor_data(out[i]));
      tir_tensor_release(out[i]);
    }
    return results;
  }

  Results RunCompiled(const char *pipeline) {
    tir_compile_options options = {};
    options.pipeline = pipeline;
    const auto program = Compile(context_.get(), graph_.get(), &options);
    const auto instance = Instantiate(program);
    tir_error error = {};
    for (size_t i = 0; i < inputs_.size(); i++)
      EXPECT_EQ(tir_instance_bind_input(
                    instance.get(), i, tir_tensor_data(inputs_[i].get()),
                    tir_tensor_size_bytes(inputs_[i].get()), &error),
                TIR_OK)
          << error.message;
    RunOk(instance);
    Results results;
    for (size_t i = 0; i < tir_graph_n_outputs(graph_.get()); i++) {
      tir_port port = {};
      tir_program_output(program.get(), i, &port);
      results[port.name] =
          NumbersAt(port, tir_instance_output(instance.get(), i));
    }
    return results;
  }

  void ExpectStored(const Results &results, double tolerance) {
    for (const auto &item : c().outputs)
      ExpectNear(results, item.first, item.second, tolerance, 1e-3);
    // Rules like g·(1 − y²) cancel: their error is relative to g.
    double head = 1e-3;
    for (const auto &item : c().heads)
      for (double x : item.second) head = std::max(head, std::fabs(x));
    for (const auto &item : c().grads)
      ExpectNear(results, item.first + ".grad", item.second, tolerance, head);
    EXPECT_EQ(results.size(), c().outputs.size() + c().grads.size());
  }

  Owned<tir_context> context_ = MakeContext();

 private:
  // Relative to the largest number of the value, at least `scale`: sums
  // cancel.
  static void ExpectNear(const Results &results, const std::string &name,
                         const Numbers &expected, double tolerance,
                         double scale) {
    const auto found = results.find(name);
    ASSERT_NE(found, results.end()) << "no output " << name;
    const Numbers &actual = found->second;
    ASSERT_EQ(actual.size(), expected.size()) << name;
    for (double x : expected) scale = std::max(scale, std::fabs(x));
    for (size_t i = 0; i < expected.size(); i++) {
      if (std::fabs(actual[i] - expected[i]) <= tolerance * scale) continue;
      ADD_FAILURE() << std::setprecision(17) << name << "[" << i << "]: stored "
                    << expected[i] << ", got " << actual[i];
      return;
    }
  }

  ModulePtr module_;
  Owned<tir_graph> graph_;
  std::vector<Owned<tir_tensor>> inputs_;
};

TEST_P(Oracle, AgreesInF64) {
  Build("f64");
  if (HasFatalFailure()) return;
  SCOPED_TRACE("f64");
  ExpectStored(RunReference(), 1e-13);
  ExpectStored(RunCompiled("none"), 1e-13);
  ExpectStored(RunCompiled("full"), 1e-13);
}

TEST_P(Oracle, AgreesInF32) {
  Build("f32");
  if (HasFatalFailure()) return;
  SCOPED_TRACE("f32");
  ExpectStored(RunReference(), 3e-6);
  ExpectStored(RunCompiled("none"), 3e-6);
  ExpectStored(RunCompiled("full"), 3e-6);
}

INSTANTIATE_TEST_SUITE_P(Stored, Oracle,
                         testing::Range(size_t{0}, Cases().size()),
                         [](const testing::TestParamInfo<size_t> &param) {
                           return Cases()[param.param].name;
                         });

// Every op with a rule stands in some case, by itself or in a network.
TEST(OracleFile, HasEveryFloatOp) {
  std::string all;
  for (const Case &c : Cases()) all += c.text;
  EXPECT_GT(Cases().size(), 80u);
  for (int op = 1; op < TIR_N_OPS; op++) {
    const tir_op_desc *desc = tir_ir_op_desc(static_cast<tir_op>(op));
    const std::string name = desc->name;
    // No value of their own, no float result, or only in gradients (which
    // the others' cases run).
    const char *without[] = {"input",         "param",         "gradient",
                             "assign",        "cut",           "cast",
                             "dim_product",   "arange",        "equal",
                             "not_equal",     "less",          "less_equal",
                             "greater",       "greater_equal", "argmax",
                             "one_hot",       "reshape_like",  "broadcast_like",
                             "concat_part",   "unslice",       "random_uniform",
                             "random_normal", "argmin",        "lion",
                             "scan",          "cond",          "while",
                             "check_range",   "custom",        "custom_pure"};
    bool skip = false;
    for (const char *w : without) skip |= name == w;
    if (skip) continue;
    EXPECT_NE(all.find("= " + name + " "), all.npos) << name;
  }
}

}  // namespace
