#include "tests/support/tir_file.h"

#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>

extern "C" {
#include "ir/attr.h"
#include "serialize/tir_file.h"
}

// --- files -----------------------------------------------------------------

TempDir::TempDir() {
  // Memory where there is such a file system: tests write many small files.
  const char *base = getenv("TMPDIR");
  if (!base) base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
  std::string name = std::string(base) + "/tapeir-test-XXXXXX";
  if (!mkdtemp(&name[0])) ADD_FAILURE() << "no temporary directory";
  path_ = name;
}

TempDir::~TempDir() {
  for (const std::string &name : List()) {
    unlink(File(name).c_str());
    rmdir(File(name).c_str());
  }
  rmdir(path_.c_str());
}

std::vector<std::string> TempDir::List() const {
  std::vector<std::string> names;
  DIR *dir = opendir(path_.c_str());
  if (!dir) return names;
  while (const dirent *entry = readdir(dir)) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
  closedir(dir);
  std::sort(names.begin(), names.end());
  return names;
}

std::string ReadFile(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file.good()) << path;
  std::ostringstream bytes;
  bytes << file.rdbuf();
  return bytes.str();
}

void WriteFile(const std::string &path, const std::string &bytes) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  EXPECT_TRUE(file.good()) << path;
}

std::string SaveBytes(tir_module *module) {
  const TempDir dir;
  tir_error error = {};
  // Flushing is what takes the time of a small save.
  tir_ser_io io = tir_ser_io_system;
  io.sync = [](void *, int) { return 0; };
  if (tir_ser_save(&io, module, dir.File("m.tir").c_str(), &error) != TIR_OK) {
    ADD_FAILURE() << error.message;
    return "";
  }
  return ReadFile(dir.File("m.tir"));
}

tir_module *LoadBytes(tir_context *context, const std::string &bytes,
                      tir_error *error, const tir_load_options *options) {
  tir_module *module = nullptr;
  const tir_status status = tir_module_load_memory(
      context, bytes.data(), bytes.size(), options, &module, error);
  EXPECT_EQ(status == TIR_OK, module != nullptr);
  if (error) {
    EXPECT_EQ(error->status, status);
  }
  return module;
}

// --- parts -----------------------------------------------------------------

FileParts Split(const std::string &bytes) {
  tir_ser_header header;
  tir_error error = {};
  EXPECT_EQ(
      tir_ser_header_decode(reinterpret_cast<const uint8_t *>(bytes.data()),
                            bytes.size(), bytes.size(), &header, &error),
      TIR_OK)
      << error.message;
  return {bytes.substr(TIR_SER_HEADER_BYTES, header.graph_bytes),
          bytes.substr(header.tensor_offset, header.tensor_bytes)};
}

std::string Join(const FileParts &parts) {
  tir_ser_header header = {};
  header.major = TIR_SER_MAJOR;
  header.minor = TIR_SER_MINOR;
  header.graph_bytes = parts.graph.size();
  header.tensor_bytes = parts.tensors.size();
  header.graph_hash = tir_base_hash(parts.graph.data(), parts.graph.size());
  EXPECT_TRUE(tir_ser_header_layout(&header));
  uint8_t encoded[TIR_SER_HEADER_BYTES];
  tir_ser_header_encode(&header, encoded);
  std::string bytes(reinterpret_cast<char *>(encoded), sizeof encoded);
  bytes += parts.graph;
  bytes.resize(header.tensor_offset, '\0');
  return bytes + parts.tensors;
}

// --- wire ------------------------------------------------------------------

std::string Wire::VarintBytes(uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes += static_cast<char>(value | 0x80);
  return bytes + static_cast<char>(value);
}

Wire &Wire::Varint(uint32_t field, uint64_t value) {
  bytes_ += VarintBytes(uint64_t{field} << 3) + VarintBytes(value);
  return *this;
}

Wire &Wire::Fixed64(uint32_t field, uint64_t value) {
  bytes_ += VarintBytes(uint64_t{field} << 3 | 1);
  bytes_.append(reinterpret_cast<const char *>(&value), 8);
  return *this;
}

Wire &Wire::Fixed32(uint32_t field, uint32_t value) {
  bytes_ += VarintBytes(uint64_t{field} << 3 | 5);
  bytes_.append(reinterpret_cast<const char *>(&value), 4);
  return *this;
}

Wire &Wire::Bytes(uint32_t field, const std::string &bytes) {
  bytes_ += VarintBytes(uint64_t{field} << 3 | 2) + VarintBytes(bytes.size());
  bytes_ += bytes;
  return *this;
}

Wire &Wire::Packed(uint32_t field, const std::vector<uint64_t> &values) {
  std::string packed;
  for (const uint64_t value : values) packed += VarintBytes(value);
  return Bytes(field, packed);
}

Wire &Wire::Raw(const std::string &bytes) {
  bytes_ += bytes;
  return *this;
}

// --- comparing -------------------------------------------------------------

static std::string TypeText(const tir_ir_graph *g, tir_ir_value value) {
  tir_ir_type type;
  tir_ir_type_of(g, value, &type);
  char buffer[TIR_TYPE_TEXT_MAX];
  std::string text = tir_ir_type_text(&type, buffer);
  for (int i = 0; i < type.rank; i++)
    text +=
        std::string(" ") + tir_base_strings_text(&g->strings, type.symbols[i]);
  return text;
}

static void ExpectSameTensor(const tir_tensor *a, const tir_tensor *b) {
  ASSERT_EQ(a->dtype, b->dtype);
  ASSERT_EQ(a->rank, b->rank);
  for (int i = 0; i < a->rank; i++) ASSERT_EQ(a->dims[i], b->dims[i]);
  ASSERT_EQ(a->size_bytes, b->size_bytes);
  EXPECT_EQ(memcmp(a->data, b->data, a->size_bytes), 0);
}

static void ExpectSameNode(const tir_ir_graph *a, const tir_ir_graph *b,
                           tir_ir_node n) {
  const tir_op_desc *desc = tir_ir_desc(a, n);
  ASSERT_STREQ(desc->name, tir_ir_desc(b, n)->name);
  ASSERT_EQ(tir_ir_n_in(a, n), tir_ir_n_in(b, n));
  for (uint32_t i = 0; i < tir_ir_n_in(a, n); i++)
    EXPECT_EQ(tir_ir_in(a, n, i).id, tir_ir_in(b, n, i).id);
  if (tir_ir_op(a, n) == TIR_OP_CONSTANT) {
    const auto *x = static_cast<const tir_attrs_constant *>(tir_ir_attrs(a, n));
    const auto *y = static_cast<const tir_attrs_constant *>(tir_ir_attrs(b, n));
    EXPECT_EQ(x->bits, y->bits);
    ASSERT_EQ(x->tensor != 0, y->tensor != 0);
    if (x->tensor)
      ExpectSameTensor(a->tensors.data[x->tensor - 1],
                       b->tensors.data[y->tensor - 1]);
  } else {
    EXPECT_TRUE(
        tir_ir_attrs_equal(desc, tir_ir_attrs(a, n), tir_ir_attrs(b, n)));
  }
  const char *site = tir_ir_node_at(a, n)->site;
  const char *other = tir_ir_node_at(b, n)->site;
  EXPECT_STREQ(site ? site : "", other ? other : "");
  ASSERT_EQ(tir_ir_n_out(a, n), tir_ir_n_out(b, n));
  for (uint32_t i = 0; i < tir_ir_n_out(a, n); i++) {
    const tir_ir_value value = tir_ir_out(a, n, i);
    ASSERT_EQ(value.id, tir_ir_out(b, n, i).id);
    EXPECT_EQ(TypeText(a, value), TypeText(b, value));
    EXPECT_STREQ(tir_ir_value_name(a, value), tir_ir_value_name(b, value));
  }
}

static void ExpectSameGraph(const tir_ir_graph *a, const tir_ir_graph *b) {
  EXPECT_STREQ(tir_base_strings_text(&a->strings, a->name),
               tir_base_strings_text(&b->strings, b->name));
  ASSERT_EQ(tir_ir_n_nodes(a), tir_ir_n_nodes(b));
  for (uint32_t id = 1; id <= tir_ir_n_nodes(a); id++) {
    SCOPED_TRACE("node " + std::to_string(id));
    ExpectSameNode(a, b, tir_ir_node{id});
    if (testing::Test::HasFatalFailure()) return;
  }
  ASSERT_EQ(a->inputs.count, b->inputs.count);
  for (size_t i = 0; i < a->inputs.count; i++)
    EXPECT_EQ(a->inputs.data[i].id, b->inputs.data[i].id);
  ASSERT_EQ(a->outputs.count, b->outputs.count);
  for (size_t i = 0; i < a->outputs.count; i++) {
    EXPECT_EQ(a->outputs.data[i].value.id, b->outputs.data[i].value.id);
    EXPECT_STREQ(tir_base_strings_text(&a->strings, a->outputs.data[i].name),
                 tir_base_strings_text(&b->strings, b->outputs.data[i].name));
  }
}

void ExpectSameModule(const tir_module *a, const tir_module *b) {
  ASSERT_NE(a, nullptr);
  ASSERT_NE(b, nullptr);
  ASSERT_EQ(tir_module_n_params(a), tir_module_n_params(b));
  for (size_t i = 0; i < tir_module_n_params(a); i++) {
    EXPECT_STREQ(tir_module_param_name(a, i), tir_module_param_name(b, i));
    EXPECT_EQ(tir_module_param_kind(a, i), tir_module_param_kind(b, i));
    ExpectSameTensor(a->params.data[i].tensor, b->params.data[i].tensor);
  }
  ASSERT_EQ(a->graphs.count, b->graphs.count);
  for (size_t i = 0; i < a->graphs.count; i++) {
    SCOPED_TRACE("graph " + std::to_string(i));
    ExpectSameGraph(a->graphs.data[i]->ir, b->graphs.data[i]->ir);
  }
  ASSERT_EQ(tir_module_n_metadata(a), tir_module_n_metadata(b));
  for (size_t i = 0; i < tir_module_n_metadata(a); i++) {
    const char *key = tir_module_metadata_key(a, i);
    EXPECT_STREQ(key, tir_module_metadata_key(b, i));
    EXPECT_STREQ(tir_module_get_metadata(a, key),
                 tir_module_get_metadata(b, key));
  }
}

// --- describing ------------------------------------------------------------

// Bytes outside of plain text as \\xNN.
static std::string Escape(const std::string &text) {
  std::string escaped;
  for (const char c : text) {
    char code[5];
    snprintf(code, sizeof code, "\\x%02x", static_cast<unsigned char>(c));
    escaped += c < ' ' || c > '~' || c == '\\' ? code : std::string(1, c);
  }
  return '"' + escaped + '"';
}

static std::string DescribeTensor(const tir_tensor *tensor) {
  std::string text = tir_dtype_name(tensor->dtype);
  text += '[';
  for (int i = 0; i < tensor->rank; i++)
    text += (i ? ", " : "") + std::to_string(tensor->dims[i]);
  char hash[20];
  snprintf(hash, sizeof hash, "%016llx",
           static_cast<unsigned long long>(
               tir_base_hash(tensor->data, tensor->size_bytes)));
  return text + "] " + hash;
}

static std::string DescribeAttr(const tir_ir_attr *attr, const void *attrs) {
  const void *field = tir_ir_attr_field(attr, attrs);
  std::string text = std::string(" ") + attr->name + "=";
  if (attr->kind == TIR_ATTR_INTS) {
    const auto *ints = static_cast<const tir_ir_ints *>(field);
    for (int64_t i = 0; i < ints->n; i++)
      text += (i ? "," : "") + std::to_string(ints->v[i]);
    return text;
  }
  if (attr->kind == TIR_ATTR_FLOATS) {
    const auto *floats = static_cast<const tir_ir_floats *>(field);
    for (int64_t i = 0; i < floats->n; i++)
      text += (i ? "," : "") + std::to_string(floats->v[i]);
    return text;
  }
  if (attr->kind == TIR_ATTR_LABEL)
    return text + static_cast<const tir_ir_label *>(field)->text;
  if (attr->kind == TIR_ATTR_F64)
    return text + std::to_string(*static_cast<const double *>(field));
  const int64_t number = *static_cast<const int64_t *>(field);
  if (attr->kind == TIR_ATTR_DTYPE)
    return text + tir_dtype_name(static_cast<tir_dtype>(number));
  return text + std::to_string(number);
}

static std::string DescribeNode(const tir_ir_graph *g, tir_ir_node n) {
  const tir_op_desc *desc = tir_ir_desc(g, n);
  std::string text = "  ";
  for (uint32_t i = 0; i < tir_ir_n_out(g, n); i++) {
    const tir_ir_value value = tir_ir_out(g, n, i);
    text += "%" + std::to_string(value.id) + " " +
            Escape(tir_ir_value_name(g, value)) + " " + TypeText(g, value) +
            "; ";
  }
  text += std::string("= ") + desc->name;
  for (uint32_t i = 0; i < tir_ir_n_in(g, n); i++)
    text += " %" + std::to_string(tir_ir_in(g, n, i).id);
  const void *attrs = tir_ir_attrs(g, n);
  if (tir_ir_op(g, n) == TIR_OP_CONSTANT) {
    const auto *constant = static_cast<const tir_attrs_constant *>(attrs);
    text += constant->tensor
                ? " " + DescribeTensor(g->tensors.data[constant->tensor - 1])
                : " splat " + std::to_string(constant->bits);
  } else {
    for (int i = 0; i < desc->n_attrs; i++)
      if (!tir_ir_attr_is_default(&desc->attrs[i], attrs))
        text += DescribeAttr(&desc->attrs[i], attrs);
  }
  const char *site = tir_ir_node_at(g, n)->site;
  return text + (site ? " at " + Escape(site) : "") + "\n";
}

std::string DescribeModule(const tir_module *module) {
  std::string text;
  for (size_t i = 0; i < tir_module_n_params(module); i++)
    text +=
        "param " + Escape(tir_module_param_name(module, i)) +
        (tir_module_param_kind(module, i) == TIR_PARAM_STATE ? " state "
                                                             : " trainable ") +
        DescribeTensor(module->params.data[i].tensor) + "\n";
  for (size_t i = 0; i < module->graphs.count; i++) {
    const tir_ir_graph *g = module->graphs.data[i]->ir;
    text +=
        "graph " + Escape(tir_base_strings_text(&g->strings, g->name)) + "\n";
    for (uint32_t id = 1; id <= tir_ir_n_nodes(g); id++)
      text += DescribeNode(g, tir_ir_node{id});
    for (size_t k = 0; k < g->outputs.count; k++)
      text +=
          "  output %" + std::to_string(g->outputs.data[k].value.id) + " " +
          Escape(tir_base_strings_text(&g->strings, g->outputs.data[k].name)) +
          "\n";
  }
  for (size_t i = 0; i < tir_module_n_metadata(module); i++) {
    const char *key = tir_module_metadata_key(module, i);
    text += "metadata " + Escape(key) + " " +
            Escape(tir_module_get_metadata(module, key)) + "\n";
  }
  return text;
}
