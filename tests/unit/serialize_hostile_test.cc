// Files that are well-formed outside and wrong inside: each is refused with an
// error that says what, and leaves nothing behind.
#include <gtest/gtest.h>

#include "tests/support/compiled.h"
#include "tests/support/failing_allocator.h"
#include "tests/support/file_spec.h"

namespace {

class SerializeHostile : public testing::Test {
 protected:
  void SetUp() override {
    const tir_context_options options = allocator_.Options();
    ASSERT_EQ(tir_context_create(&options, &context_, nullptr), TIR_OK);
  }
  void TearDown() override { tir_context_destroy(context_); }

  void Loads(const std::string &bytes,
             const tir_load_options *options = nullptr) {
    tir_error error = {};
    tir_module *module = LoadBytes(context_, bytes, &error, options);
    EXPECT_NE(module, nullptr) << error.message;
    tir_module_destroy(module);
  }
  void Loads(const FileSpec &file) { Loads(file.str()); }

  void Refused(const std::string &bytes, tir_status status,
               const std::string &message,
               const tir_load_options *options = nullptr) {
    tir_error error = {};
    tir_module *module = LoadBytes(context_, bytes, &error, options);
    EXPECT_EQ(module, nullptr) << message;
    tir_module_destroy(module);
    EXPECT_EQ(error.status, status) << error.message;
    EXPECT_EQ(std::string(error.message), "load: " + message);
  }
  void Refused(const FileSpec &file, tir_status status,
               const std::string &message) {
    Refused(file.str(), status, message);
  }
  // An error in node 2 of the only graph.
  void RefusedNode(const FileSpec &file, tir_status status,
                   const std::string &message) {
    Refused(file, status, "graph \"g\": node 2: " + message);
  }

  FailingAllocator allocator_;
  tir_context *context_ = nullptr;
};

// A node of op `op` on the graph's input.
FileSpec WithOp(const std::string &op,
                const std::vector<std::string> &attributes) {
  FileSpec file;
  file.graphs[0].ops[1] = op;
  file.graphs[0].nodes[1].attributes = attributes;
  return file;
}

// A constant of one tensor of its own.
FileSpec WithConstant(const std::string &extra) {
  FileSpec file;
  file.graphs[0].ops[1] = "constant";
  file.graphs[0].nodes[1].inputs = {};
  file.graphs[0].nodes[1].extra = extra;
  file.params.clear();
  return file;
}

}  // namespace

TEST_F(SerializeHostile, TheSpecItselfLoads) {
  Loads(FileSpec());
  Loads(WithConstant(Wire().Varint(5, 1)));
  FileSpec nothing;
  nothing.tensors.clear();
  nothing.params.clear();
  nothing.graphs.clear();
  nothing.metadata.clear();
  nothing.data.clear();
  Loads(nothing);
}

TEST_F(SerializeHostile, UnknownThingsByName) {
  Refused(WithOp("tanhh", {}), TIR_ERR_UNSUPPORTED,
          "graph \"g\": op \"tanhh\" is not known");
  Refused(WithOp("", {}), TIR_ERR_UNSUPPORTED,
          "graph \"g\": op \"\" is not known");
  // A call that only recording makes.
  Refused(WithOp("gradient", {}), TIR_ERR_UNSUPPORTED,
          "graph \"g\": op \"gradient\" is not known");
  RefusedNode(WithOp("tanh", {IntegerAttr("speed", 3)}), TIR_ERR_UNSUPPORTED,
              "tanh: attribute \"speed\" is not known");
  RefusedNode(WithOp("cast", {DtypeAttr("dtype", "f31")}), TIR_ERR_UNSUPPORTED,
              "cast: attribute dtype: dtype \"f31\" is not known");
  FileSpec file;
  file.graphs[0].types[0].dtype = "complex";
  Refused(file, TIR_ERR_UNSUPPORTED,
          "graph \"g\": dtype \"complex\" is not known");
  file = FileSpec();
  file.tensors[0].dtype = "";
  Refused(file, TIR_ERR_UNSUPPORTED, "dtype \"\" is not known");
  file = FileSpec();
  file.params[0].kind = "frozen";
  Refused(file, TIR_ERR_UNSUPPORTED, "parameter kind \"frozen\" is not known");
}

TEST_F(SerializeHostile, Attributes) {
  RefusedNode(WithOp("cast", {}), TIR_ERR_FORMAT,
              "cast: attribute dtype is missing");
  RefusedNode(WithOp("cast", {IntegerAttr("dtype", 1)}), TIR_ERR_FORMAT,
              "cast: attribute dtype is not a dtype");
  RefusedNode(WithOp("softmax", {DtypeAttr("axis", "f32")}), TIR_ERR_FORMAT,
              "softmax: attribute axis is not an integer");
  RefusedNode(WithOp("softmax", {RealAttr("axis", 1)}), TIR_ERR_FORMAT,
              "softmax: attribute axis is not an integer");
  RefusedNode(WithOp("softmax", {Wire().Bytes(1, "axis")}), TIR_ERR_FORMAT,
              "softmax: attribute axis is not an integer");
  RefusedNode(WithOp("reduce_sum", {IntegerAttr("axes", 0)}), TIR_ERR_FORMAT,
              "reduce_sum: attribute axes is not a list of integers");
  RefusedNode(WithOp("reduce_sum", {IntegerAttr("keep_dims", 0)}),
              TIR_ERR_FORMAT,
              "reduce_sum: attribute keep_dims is not a truth value");
  RefusedNode(
      WithOp("softmax", {IntegerAttr("axis", 0), IntegerAttr("axis", 0)}),
      TIR_ERR_FORMAT, "softmax: attribute axis is given twice");
  RefusedNode(
      WithOp("reduce_sum", {IntegersAttr("axes", std::vector<int64_t>(9))}),
      TIR_ERR_LIMIT, "reduce_sum: attribute axes: 9 numbers, at most 8");
  // Ranges are the op's own business, and refused through it.
  for (const int64_t axis : {int64_t{-2}, int64_t{1}, INT64_MIN, INT64_MAX}) {
    tir_error error = {};
    EXPECT_EQ(
        LoadBytes(context_,
                  WithOp("softmax", {IntegerAttr("axis", axis)}).str(), &error),
        nullptr);
    EXPECT_EQ(error.status, TIR_ERR_FORMAT) << axis;
    EXPECT_EQ(error.node, 2u);
  }
}

TEST_F(SerializeHostile, ShapesAndSizes) {
  const std::vector<int64_t> too_large[] = {
      {INT64_MAX},
      {INT64_C(1) << 32, INT64_C(1) << 32},
      {INT64_C(1) << 62, 4},
      {INT64_C(1) << 40, INT64_C(1) << 40, 0},
      {(INT64_C(1) << 61) - 1},
      {(INT64_C(1) << 61) - 8},
      {-1},
      {INT64_MIN},
      {INT64_MIN, INT64_MIN},
  };
  for (const auto &dims : too_large) {
    FileSpec file;
    file.tensors[0].dims = dims;
    Refused(file, TIR_ERR_LIMIT,
            "tensor 1: its dims are negative or too large");
    file = FileSpec();
    file.graphs[0].types[0].dims = dims;
    tir_error error = {};
    EXPECT_EQ(LoadBytes(context_, file.str(), &error), nullptr);
    EXPECT_TRUE(error.status == TIR_ERR_LIMIT || error.status == TIR_ERR_FORMAT)
        << error.message;
  }
  for (const size_t rank : {9, 65, 100000}) {
    FileSpec file;
    file.tensors[0].dims.assign(rank, 1);
    Refused(file, TIR_ERR_LIMIT,
            "tensor 1: rank " + std::to_string(rank) + ", at most 8");
    file = FileSpec();
    file.graphs[0].types[0].dims.assign(rank, 1);
    Refused(
        file, TIR_ERR_LIMIT,
        "graph \"g\": type has rank " + std::to_string(rank) + ", at most 8");
  }
}

TEST_F(SerializeHostile, TensorSection) {
  for (const int delta : {-1, 1}) {
    FileSpec file;
    file.tensors[0].size += static_cast<uint64_t>(delta);
    Refused(
        file, TIR_ERR_FORMAT,
        "tensor 1: " + std::to_string(8 + delta) + " bytes, its type needs 8");
    // The section one byte shorter or longer than its tensor.
    file = FileSpec();
    file.data.resize(static_cast<size_t>(8 + delta), '\0');
    Refused(file, TIR_ERR_FORMAT,
            delta < 0 ? "tensor 1: ends past the tensor section of 7 bytes"
                      : "tensors end at 8, the tensor section at 9");
  }
  FileSpec file;
  file.data = "";
  Refused(file, TIR_ERR_FORMAT,
          "tensor 1: ends past the tensor section of 0 bytes");
  file = FileSpec();
  file.tensors[0].hash ^= 1;
  Refused(file, TIR_ERR_FORMAT,
          "tensor 1 is damaged: its checksum does not match");
  // Two tensors: overlapping, unaligned, with a hole, out of order, wrapping.
  for (const uint64_t offset :
       {uint64_t{0}, uint64_t{8}, uint64_t{63}, uint64_t{128}, UINT64_MAX,
        UINT64_MAX - 63, UINT64_MAX - 7, uint64_t{INT64_MAX}}) {
    file = FileSpec();
    file.data.resize(72, '\0');
    file.tensors.push_back(TensorSpec());
    file.tensors[1].offset = offset;
    Refused(file, TIR_ERR_FORMAT,
            "tensor 2: starts at " + std::to_string(offset) + ", expected 64");
  }
  // In place: it is the data itself that does not fit.
  file.tensors[1].offset = 64;
  file.tensors[1].hash = tir_base_hash(file.data.data() + 64, 8);
  Loads(file);
  file.data[20] = 1;
  Refused(file, TIR_ERR_FORMAT, "padding byte is 0x01, not 0");
}

TEST_F(SerializeHostile, Params) {
  FileSpec file;
  file.params[0].name = "";
  Refused(file, TIR_ERR_FORMAT, "module: param name is empty");
  for (const uint64_t tensor : {0, 2}) {
    file = FileSpec();
    file.params[0].tensor = tensor;
    Refused(file, TIR_ERR_FORMAT,
            "parameter \"w\": tensor " + std::to_string(tensor) +
                ", the file has 1");
  }
  file = FileSpec();
  file.params.push_back(ParamSpec());
  file.params[1].name = "v";
  Refused(file, TIR_ERR_FORMAT,
          "parameter \"v\": tensor 1 belongs to another parameter");
  // The same name twice, each with a tensor.
  file = FileSpec();
  file.params.push_back(ParamSpec());
  file.params[1].tensor = 2;
  file.data.resize(72, '\0');
  file.tensors.push_back(TensorSpec());
  file.tensors[1].offset = 64;
  file.tensors[1].hash = tir_base_hash(file.data.data() + 64, 8);
  tir_error error = {};
  EXPECT_EQ(LoadBytes(context_, file.str(), &error), nullptr);
  EXPECT_EQ(error.status, TIR_ERR_FORMAT) << error.message;
  // A graph that declares the parameter otherwise than it is.
  file = FileSpec();
  file.graphs[0].ops[1] = "param";
  file.graphs[0].nodes[1].inputs = {};
  file.graphs[0].nodes[1].names = {"w"};
  Loads(file);
  file.graphs[0].types[0].dims = {3};
  EXPECT_EQ(LoadBytes(context_, file.str(), &error), nullptr);
  EXPECT_EQ(error.status, TIR_ERR_FORMAT) << error.message;
}

TEST_F(SerializeHostile, Constants) {
  Refused(WithConstant(Wire().Varint(5, 2)), TIR_ERR_FORMAT,
          "graph \"g\": node 2: constant is tensor 2, the file has 1");
  FileSpec file = WithConstant(Wire().Varint(5, 1));
  file.params = {ParamSpec()};
  RefusedNode(file, TIR_ERR_FORMAT,
              "constant is tensor 1, which belongs to a parameter");
  // Of a body, which is read before the parameters.
  file.extra = Wire().Bytes(5, file.graphs[0].str());
  file.graphs.clear();
  Refused(file, TIR_ERR_FORMAT,
          "parameter \"w\": tensor 1 belongs to a constant");
  file = WithConstant(Wire().Varint(5, 1));
  file.tensors[0].dtype = file.graphs[0].types[0].dtype = "bool";
  file.tensors[0].dims = file.graphs[0].types[0].dims = {8};
  Refused(file, TIR_ERR_FORMAT, "tensor 1: a bool is 127, expected 0 or 1");
  file = WithConstant(Wire().Varint(5, 1));
  file.graphs[0].types[0].dims = {1, 2};
  RefusedNode(file, TIR_ERR_FORMAT,
              "constant: tensor 1 is not of the declared type f32[1, 2]");
  file = WithConstant(Wire().Varint(5, 1).Fixed64(6, 1));
  tir_error error = {};
  EXPECT_EQ(LoadBytes(context_, file.str(), &error), nullptr);
  EXPECT_EQ(error.status, TIR_ERR_FORMAT) << error.message;
  // An element wider than its dtype.
  file = WithConstant(Wire().Fixed64(6, UINT64_C(1) << 32));
  EXPECT_EQ(LoadBytes(context_, file.str(), &error), nullptr);
  EXPECT_EQ(error.status, TIR_ERR_FORMAT) << error.message;
  file = WithConstant("");
  file.graphs[0].nodes[1].attributes = {IntegerAttr("bits", 1)};
  RefusedNode(file, TIR_ERR_FORMAT, "constant has no attributes");
  // Data at another op.
  file = FileSpec();
  file.graphs[0].nodes[1].extra = Wire().Fixed64(6, 1);
  RefusedNode(file, TIR_ERR_FORMAT, "tanh: only a constant has data");
}

TEST_F(SerializeHostile, NodeReferences) {
  for (const uint64_t op : {uint64_t{0}, uint64_t{3}, uint64_t{UINT32_MAX}}) {
    FileSpec file;
    file.graphs[0].nodes[1].op = op;
    RefusedNode(file, TIR_ERR_FORMAT,
                "op number " + std::to_string(op) + ", there are 2");
  }
  // None, itself, a later one, far away.
  for (const uint64_t input :
       {uint64_t{0}, uint64_t{2}, uint64_t{3}, uint64_t{UINT32_MAX}}) {
    FileSpec file;
    file.graphs[0].nodes[1].inputs = {input};
    file.graphs[0].nodes.push_back(file.graphs[0].nodes[1]);
    RefusedNode(file, TIR_ERR_FORMAT,
                "tanh: operand 0 is no value of the graph: id " +
                    std::to_string(input) + ", expected 1 to 1");
  }
  for (const uint64_t type : {uint64_t{0}, uint64_t{2}, uint64_t{UINT32_MAX}}) {
    FileSpec file;
    file.graphs[0].nodes[1].types = {type};
    RefusedNode(file, TIR_ERR_FORMAT,
                "type number " + std::to_string(type) + ", there are 1");
  }
  for (const uint64_t value : {uint64_t{0}, uint64_t{3}}) {
    FileSpec file;
    file.graphs[0].outputs[0].value = value;
    Refused(file, TIR_ERR_FORMAT,
            "graph \"g\": output is value " + std::to_string(value) +
                ", the graph has 2");
  }
  FileSpec file;
  file.graphs[0].nodes[1].extra = Wire().Varint(7, 1);
  RefusedNode(file, TIR_ERR_FORMAT, "place number 1, there are 0");
}

TEST_F(SerializeHostile, NodeCounts) {
  const struct {
    size_t n_in, n_out;
    const char *message;
  } cases[] = {
      {0, 1, "tanh: wrong number of operands: 0, expected 1"},
      {2, 1, "tanh: wrong number of operands: 2, expected 1"},
      {1000000, 1, "tanh: wrong number of operands: 1000000, expected 1"},
      {1, 0, "tanh: wrong number of results: 0, expected 1"},
      {1, 2, "tanh: wrong number of results: 2, expected 1"},
      {1, 9, "9 results, at most 8"},
      {1, 1000000, "1000000 results, at most 8"},
  };
  for (const auto &c : cases) {
    FileSpec file;
    file.graphs[0].nodes[1].inputs.assign(c.n_in, 1);
    file.graphs[0].nodes[1].types.assign(c.n_out, 1);
    tir_error error = {};
    tir_load_options options = {};
    options.max_bytes = UINT64_C(1) << 30;
    EXPECT_EQ(LoadBytes(context_, file.str(), &error, &options), nullptr);
    EXPECT_EQ(error.status, TIR_ERR_FORMAT);
    EXPECT_EQ(std::string(error.message),
              std::string("load: graph \"g\": node 2: ") + c.message);
  }
}

TEST_F(SerializeHostile, StoredTypesMustAgree) {
  FileSpec file;
  file.graphs[0].types.push_back(TypeSpec());
  file.graphs[0].types[1].dims = {3};
  file.graphs[0].nodes[1].types = {2};
  RefusedNode(file, TIR_ERR_FORMAT,
              "tanh: result 0 is f32[2], the file says f32[3]");
  file.graphs[0].types[1] = TypeSpec();
  file.graphs[0].types[1].dtype = "f64";
  RefusedNode(file, TIR_ERR_FORMAT,
              "tanh: result 0 is f32[2], the file says f64[2]");
  file.graphs[0].types[1] = TypeSpec();
  Loads(file);
}

TEST_F(SerializeHostile, Symbols) {
  FileSpec file;
  file.graphs[0].symbols = {"batch"};
  file.graphs[0].types[0].symbols = {1};
  Loads(file);
  file.graphs[0].types[0].symbols = {2};
  Refused(file, TIR_ERR_FORMAT,
          "graph \"g\": type refers to dim name 2, there are 1");
  file.graphs[0].types[0].symbols = {1, 0};
  Refused(file, TIR_ERR_FORMAT, "graph \"g\": type has 1 dims, 2 symbols");
  file.graphs[0].types[0].symbols = {1};
  file.graphs[0].symbols = {""};
  Refused(file, TIR_ERR_FORMAT, "graph \"g\": a dim name is empty");
}

TEST_F(SerializeHostile, Names) {
  const std::string megabyte(1 << 20, 'n');
  const std::string message =
      " of 1048576 bytes is longer than the limit of 1024";
  FileSpec file;
  file.params[0].name = megabyte;
  Refused(file, TIR_ERR_LIMIT, "parameter name" + message);
  file = FileSpec();
  file.graphs[0].name = megabyte;
  Refused(file, TIR_ERR_LIMIT, "graph: graph name" + message);
  file = FileSpec();
  file.graphs[0].nodes[1].names = {megabyte};
  RefusedNode(file, TIR_ERR_LIMIT, "value name" + message);
  file = FileSpec();
  file.graphs[0].outputs[0].name = megabyte;
  Refused(file, TIR_ERR_LIMIT, "graph \"g\": output name" + message);
  file = FileSpec();
  file.graphs[0].sites = {megabyte};
  Refused(file, TIR_ERR_LIMIT, "graph \"g\": place" + message);
  file = FileSpec();
  file.metadata[0].first = megabyte;
  Refused(file, TIR_ERR_LIMIT, "metadata key" + message);
  file = FileSpec();
  file.metadata[0].second = megabyte;
  Loads(file);

  for (const std::string &bad :
       {std::string("a\0b", 3), std::string("\xff"), std::string("\xc3"),
        std::string("\xf4\x90\x80\x80")}) {
    file = FileSpec();
    file.params[0].name = bad;
    Refused(file, TIR_ERR_FORMAT,
            "Param.name: string is not UTF-8 without NUL");
  }
  file = FileSpec();
  file.graphs[0].nodes[1].names = {"", "more"};
  RefusedNode(file, TIR_ERR_FORMAT, "2 names for 1 results");
  // Two inputs, two outputs, two graphs, two keys of one name.
  file = FileSpec();
  file.graphs[0].nodes.insert(file.graphs[0].nodes.begin(),
                              file.graphs[0].nodes[0]);
  tir_error error = {};
  EXPECT_EQ(LoadBytes(context_, file.str(), &error), nullptr);
  EXPECT_EQ(error.status, TIR_ERR_FORMAT);
  file = FileSpec();
  file.graphs[0].outputs.push_back(OutputSpec());
  EXPECT_EQ(LoadBytes(context_, file.str(), &error), nullptr);
  EXPECT_EQ(error.status, TIR_ERR_FORMAT);
  file = FileSpec();
  file.graphs.push_back(GraphSpec());
  Refused(file, TIR_ERR_FORMAT, "module: there is a graph named \"g\" already");
  file = FileSpec();
  file.metadata.push_back(file.metadata[0]);
  Refused(file, TIR_ERR_FORMAT, "metadata key \"key\" is there twice");
  file.metadata = {{"", "x"}};
  Refused(file, TIR_ERR_FORMAT, "metadata key \"\" is empty");
}

TEST_F(SerializeHostile, StructureOfFileAndGraph) {
  FileSpec file;
  file.extra = Wire().Bytes(1, "");
  Refused(file, TIR_ERR_FORMAT,
          "File: fields are not in the order of their numbers");
  file = FileSpec();
  file.graphs[0].extra = Wire().Bytes(6, "");
  Refused(file, TIR_ERR_FORMAT,
          "graph \"g\": fields are not in the order of their numbers");
  const FileParts parts = Split(FileSpec().str());
  // A graph without a name, with an empty one, with two.
  const std::string head = Wire().Bytes(1, FileSpec().tensors[0].str());
  Refused(Join({head + Wire().Bytes(3, "").str(), parts.tensors}),
          TIR_ERR_FORMAT, "graph: it has no name");
  Refused(Join({head + Wire().Bytes(3, Wire().Bytes(2, "tanh")).str(),
                parts.tensors}),
          TIR_ERR_FORMAT, "graph: it has no name");
  Refused(
      Join({head + Wire().Bytes(3, Wire().Bytes(1, "")).str(), parts.tensors}),
      TIR_ERR_FORMAT, "module: graph name is empty");
  Refused(
      Join({head + Wire().Bytes(3, Wire().Bytes(1, "a").Bytes(1, "b")).str(),
            parts.tensors}),
      TIR_ERR_FORMAT, "graph \"a\": a second name");
}

// Fields from 1000 on are skipped in every message; lower ones refused.
TEST_F(SerializeHostile, FieldsOfNewerVersions) {
  const std::string extra = Wire()
                                .Varint(1000, 7)
                                .Fixed32(1001, 7)
                                .Fixed64(1002, 7)
                                .Bytes(70000, "\xff\xff")
                                .Varint(536870911, 1);
  FileSpec file;
  file.extra = file.tensors[0].extra = file.params[0].extra =
      file.graphs[0].extra = file.graphs[0].types[0].extra =
          file.graphs[0].nodes[1].extra = extra;
  file.graphs[0].ops[1] = "reduce_sum";
  file.graphs[0].nodes[1].attributes = {TruthAttr("keep_dims", true) + extra};
  file.graphs[0].types.push_back(TypeSpec());
  file.graphs[0].types[1].dims = {1};
  file.graphs[0].nodes[1].types = {2};
  Loads(file);
  const std::string newer = Wire().Varint(999, 7);
  const std::string message =
      ": field 999 is not known to this version: the file needs a newer one";
  file = FileSpec();
  file.graphs[0].nodes[1].extra = newer;
  Refused(file, TIR_ERR_UNSUPPORTED, "Node" + message);
  file = FileSpec();
  file.tensors[0].extra = newer;
  Refused(file, TIR_ERR_UNSUPPORTED, "Tensor" + message);
  file = FileSpec();
  file.extra = newer;
  Refused(file, TIR_ERR_UNSUPPORTED, "File" + message);
}

TEST_F(SerializeHostile, LimitsOfTheCaller) {
  const std::string bytes = FileSpec().str();
  tir_load_options options = {};
  options.max_nodes = 2;
  options.max_tensors = 1;
  options.max_name = 5;
  Loads(bytes, &options);
  options.max_nodes = 1;
  Refused(bytes, TIR_ERR_LIMIT, "more than 1 nodes", &options);
  options.max_nodes = 0;
  FileSpec file;
  file.tensors.resize(2);
  Refused(file.str(), TIR_ERR_LIMIT, "more than 1 tensors", &options);
  options.max_name = 4;
  file = FileSpec();
  file.params[0].name = "weight";
  Refused(file.str(), TIR_ERR_LIMIT,
          "parameter name of 6 bytes is longer than the limit of 4", &options);
  options = {};
  options.max_bytes = 100;
  Refused(bytes, TIR_ERR_LIMIT,
          "loading needs more memory than the limit of 100 bytes", &options);
}
