// A file by its parts, each of which a test may replace by something wrong.
#ifndef TAPEIR_TESTS_SUPPORT_FILE_SPEC_H
#define TAPEIR_TESTS_SUPPORT_FILE_SPEC_H

#include <string>
#include <vector>

#include "tests/support/tir_file.h"

struct TensorSpec {
  std::string dtype = "f32";
  std::vector<int64_t> dims = {2};
  uint64_t offset = 0;
  uint64_t size = 8;
  uint64_t hash = 0;
  std::string extra;  // raw bytes at the end of the message

  std::string str() const {
    const std::vector<uint64_t> numbers(dims.begin(), dims.end());
    return Wire()
        .Bytes(1, dtype)
        .Packed(2, numbers)
        .Varint(3, offset)
        .Varint(4, size)
        .Fixed64(5, hash)
        .Raw(extra);
  }
};

struct ParamSpec {
  std::string name = "w";
  std::string kind = "trainable";
  uint64_t tensor = 1;
  std::string extra;

  std::string str() const {
    return Wire().Bytes(1, name).Bytes(2, kind).Varint(3, tensor).Raw(extra);
  }
};

struct TypeSpec {
  std::string dtype = "f32";
  std::vector<int64_t> dims = {2};
  std::vector<uint64_t> symbols;
  std::string extra;

  std::string str() const {
    const std::vector<uint64_t> numbers(dims.begin(), dims.end());
    Wire wire;
    wire.Bytes(1, dtype).Packed(2, numbers);
    if (!symbols.empty()) wire.Packed(3, symbols);
    return wire.Raw(extra);
  }
};

struct NodeSpec {
  uint64_t op = 1;
  std::vector<uint64_t> inputs;
  std::vector<uint64_t> types = {1};
  std::vector<std::string> attributes;  // messages
  std::vector<std::string> names;
  std::string extra;

  std::string str() const {
    Wire wire;
    wire.Varint(1, op).Packed(2, inputs).Packed(3, types);
    for (const std::string &attribute : attributes) wire.Bytes(4, attribute);
    for (const std::string &name : names) wire.Bytes(8, name);
    return wire.Raw(extra);
  }
};

struct OutputSpec {
  uint64_t value = 2;
  std::string name = "y";

  std::string str() const { return Wire().Varint(1, value).Bytes(2, name); }
};

struct GraphSpec {
  std::string name = "g";
  std::vector<std::string> ops = {"input", "tanh"};
  std::vector<std::string> symbols;
  std::vector<TypeSpec> types = {TypeSpec()};
  std::vector<std::string> sites;
  std::vector<NodeSpec> nodes;
  std::vector<OutputSpec> outputs = {OutputSpec()};
  std::string extra;

  GraphSpec() {
    nodes.resize(2);
    nodes[0].names = {"x"};
    nodes[1].op = 2;
    nodes[1].inputs = {1};
  }

  std::string str() const {
    Wire wire;
    wire.Bytes(1, name);
    for (const std::string &op : ops) wire.Bytes(2, op);
    for (const std::string &symbol : symbols) wire.Bytes(3, symbol);
    for (const TypeSpec &type : types) wire.Bytes(4, type.str());
    for (const std::string &site : sites) wire.Bytes(5, site);
    for (const NodeSpec &node : nodes) wire.Bytes(6, node.str());
    for (const OutputSpec &output : outputs) wire.Bytes(7, output.str());
    return wire.Raw(extra);
  }
};

// A graph x → tanh → y, a parameter "w" and metadata; loads as it stands.
struct FileSpec {
  std::vector<TensorSpec> tensors;
  std::vector<ParamSpec> params = {ParamSpec()};
  std::vector<GraphSpec> graphs = {GraphSpec()};
  std::vector<std::pair<std::string, std::string>> metadata = {
      {"key", "value"}};
  std::string extra;
  std::string data;  // tensor section

  FileSpec() {
    data.assign(8, '\x7f');
    tensors.resize(1);
    tensors[0].hash = tir_base_hash(data.data(), data.size());
  }

  std::string message() const {
    Wire wire;
    for (const TensorSpec &tensor : tensors) wire.Bytes(1, tensor.str());
    for (const ParamSpec &param : params) wire.Bytes(2, param.str());
    for (const GraphSpec &graph : graphs) wire.Bytes(3, graph.str());
    for (const auto &item : metadata)
      wire.Bytes(4, Wire().Bytes(1, item.first).Bytes(2, item.second));
    return wire.Raw(extra);
  }
  std::string str() const { return Join({message(), data}); }
};

// Attribute messages.
inline std::string IntegerAttr(const std::string &name, int64_t value) {
  const uint64_t zigzag =
      (static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63);
  return Wire().Bytes(1, name).Varint(2, zigzag);
}
inline std::string RealAttr(const std::string &name, double value) {
  uint64_t bits = 0;
  memcpy(&bits, &value, 8);
  return Wire().Bytes(1, name).Fixed64(3, bits);
}
inline std::string TruthAttr(const std::string &name, bool value) {
  return Wire().Bytes(1, name).Varint(4, value);
}
inline std::string DtypeAttr(const std::string &name,
                             const std::string &dtype) {
  return Wire().Bytes(1, name).Bytes(5, dtype);
}
inline std::string IntegersAttr(const std::string &name,
                                const std::vector<int64_t> &values) {
  std::vector<uint64_t> zigzag;
  for (const int64_t value : values)
    zigzag.push_back((static_cast<uint64_t>(value) << 1) ^
                     static_cast<uint64_t>(value >> 63));
  return Wire().Bytes(1, name).Bytes(6, Wire().Packed(1, zigzag));
}

#endif
