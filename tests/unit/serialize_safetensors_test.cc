// safetensors: what the format allows is read, what is written can be read
// again, and no file makes the reader go astray.
#include <sys/stat.h>

#include "tests/support/compiled.h"
#include "tests/support/failing_allocator.h"
#include "tests/support/failing_io.h"
#include "tests/support/safetensors_file.h"
#include "tests/support/sample_modules.h"
#include "tests/support/tir_file.h"

extern "C" {
#include "serialize/safetensors.h"
}

namespace {

const struct {
  const char *code;
  tir_dtype dtype;
} kCodes[] = {{"F32", TIR_DTYPE_F32}, {"F64", TIR_DTYPE_F64},
              {"F16", TIR_DTYPE_F16}, {"BF16", TIR_DTYPE_BF16},
              {"I8", TIR_DTYPE_I8},   {"U8", TIR_DTYPE_U8},
              {"I16", TIR_DTYPE_I16}, {"I32", TIR_DTYPE_I32},
              {"I64", TIR_DTYPE_I64}, {"BOOL", TIR_DTYPE_BOOL}};

class SerializeSafetensors : public testing::Test {
 protected:
  void SetUp() override { context_ = MakeContext(); }

  Owned<tir_module> LoadBytes(const std::string &bytes,
                              const tir_load_options *options = nullptr) {
    tir_module *module = nullptr;
    error_ = tir_error{};
    const tir_status status = tir_safetensors_load_memory(
        context_.get(), bytes.data(), bytes.size(), options, &module, &error_);
    EXPECT_EQ(status == TIR_OK, module != nullptr);
    EXPECT_EQ(status, error_.status);
    EXPECT_EQ(status == TIR_OK, error_.message[0] == '\0');
    return Owned<tir_module>(module);
  }
  Owned<tir_module> LoadHeader(const std::string &header,
                               const std::string &data = "") {
    return LoadBytes(SafetensorsFile(header, data));
  }
  void Refused(const std::string &header, const std::string &data,
               tir_status status, const std::string &message) {
    EXPECT_EQ(LoadHeader(header, data), nullptr) << header;
    EXPECT_EQ(error_.status, status) << header << ": " << error_.message;
    EXPECT_EQ(std::string(error_.message).substr(0, message.size() + 6),
              "load: " + message)
        << header;
    EXPECT_NE(error_.byte_offset, UINT64_MAX);
    EXPECT_LE(error_.byte_offset, 8 + header.size());
  }
  Owned<tir_tensor> Param(const Owned<tir_module> &module, const char *name) {
    tir_tensor *tensor = nullptr;
    EXPECT_EQ(tir_module_get_param(module.get(), name, &tensor, &error_),
              TIR_OK)
        << error_.message;
    return Owned<tir_tensor>(tensor);
  }
  Owned<tir_tensor> MakeTensor(tir_dtype dtype, std::vector<int64_t> dims,
                               int seed) {
    tir_tensor *made = nullptr;
    EXPECT_EQ(tir_tensor_create(context_.get(), dtype, dims.data(),
                                static_cast<int>(dims.size()), &made, &error_),
              TIR_OK);
    auto *bytes = static_cast<uint8_t *>(made->data);
    for (size_t i = 0; i < made->size_bytes; i++)
      bytes[i] = static_cast<uint8_t>(
          dtype == TIR_DTYPE_BOOL ? i % 2 : 7 * i + size_t(seed));
    return Owned<tir_tensor>(made);
  }
  void AddParam(const Owned<tir_module> &module, const char *name,
                const Owned<tir_tensor> &tensor,
                tir_param_kind kind = TIR_PARAM_TRAINABLE) {
    ASSERT_EQ(
        tir_module_add_param(module.get(), name, kind, tensor.get(), &error_),
        TIR_OK)
        << error_.message;
  }
  static std::string Data(const Owned<tir_tensor> &tensor) {
    return std::string(static_cast<const char *>(tensor->data),
                       tensor->size_bytes);
  }
  // A module of every dtype, odd names and metadata.
  Owned<tir_module> MakeWeights() {
    auto module = MakeModule(context_.get());
    int seed = 0;
    for (const auto &code : kCodes) {
      AddParam(module, (std::string("layer.") + code.code).c_str(),
               MakeTensor(code.dtype, {3, 1 + seed % 3}, seed));
      seed++;
    }
    AddParam(module, "scalar", MakeTensor(TIR_DTYPE_F64, {}, 5));
    AddParam(module, "empty", MakeTensor(TIR_DTYPE_I16, {2, 0, 3}, 0),
             TIR_PARAM_STATE);
    AddParam(module, "rank 8",
             MakeTensor(TIR_DTYPE_U8, {1, 2, 1, 2, 1, 3, 1, 1}, 9));
    AddParam(module, "\"quotes\" \\ \n\t\x01 ж\xF0\x9F\x98\x80",
             MakeTensor(TIR_DTYPE_F32, {2}, 3));
    EXPECT_EQ(
        tir_module_set_metadata(module.get(), "format", "a \"b\"\n", &error_),
        TIR_OK);
    EXPECT_EQ(tir_module_set_metadata(module.get(), "empty", "", &error_),
              TIR_OK);
    return module;
  }
  std::string Save(const Owned<tir_module> &module) {
    const std::string path = dir_.File("w.safetensors");
    EXPECT_EQ(tir_safetensors_save(module.get(), path.c_str(), &error_), TIR_OK)
        << error_.message;
    return ReadFile(path);
  }
  static void ExpectSameParams(const tir_module *a, const tir_module *b) {
    ASSERT_EQ(tir_module_n_params(a), tir_module_n_params(b));
    for (size_t i = 0; i < tir_module_n_params(a); i++) {
      const char *name = tir_module_param_name(a, i);
      const tir_ir_param *other = tir_ir_module_param(b, name);
      ASSERT_NE(other, nullptr) << name;
      const tir_tensor *x = a->params.data[i].tensor, *y = other->tensor;
      EXPECT_EQ(x->dtype, y->dtype);
      EXPECT_EQ(std::vector<int64_t>(x->dims, x->dims + x->rank),
                std::vector<int64_t>(y->dims, y->dims + y->rank));
      EXPECT_EQ(memcmp(x->data, y->data, x->size_bytes), 0) << name;
    }
  }

  const TempDir dir_;
  Owned<tir_context> context_;
  tir_error error_ = {};
};

}  // namespace

// --- reading -----------------------------------------------------------------

TEST_F(SerializeSafetensors, ReadsWhatTheFormatAllows) {
  const auto module = LoadHeader(
      " \t\r\n{ \"__metadata__\" : {\"k\":\"v\\u0041\\/\"} ,\n"
      "\"b\": {\"shape\":[2 , 1], \"data_offsets\":[4,12],\"dtype\":\"I32\"},"
      "\"a\\n\\u0416\\ud83d\\ude00\": {\"dtype\":\"F32\", \"shape\":[],"
      "\"data_offsets\":[0,4]}}   ",
      std::string("\0\0\x80\x3f\1\0\0\0\2\0\0\0", 12));
  ASSERT_NE(module, nullptr) << error_.message;
  ASSERT_EQ(tir_module_n_params(module.get()), 2u);
  EXPECT_EQ(tir_module_n_graphs(module.get()), 0u);
  // In the order of the data.
  EXPECT_STREQ(tir_module_param_name(module.get(), 0), "a\nЖ\xF0\x9F\x98\x80");
  EXPECT_STREQ(tir_module_param_name(module.get(), 1), "b");
  EXPECT_EQ(tir_module_param_kind(module.get(), 1), TIR_PARAM_TRAINABLE);
  EXPECT_STREQ(tir_module_get_metadata(module.get(), "k"), "vA/");
  const auto a = Param(module, "a\nЖ\xF0\x9F\x98\x80"), b = Param(module, "b");
  EXPECT_EQ(a->rank, 0);
  EXPECT_EQ(*static_cast<const float *>(a->data), 1.0f);
  EXPECT_EQ(static_cast<const int32_t *>(b->data)[1], 2);
}

TEST_F(SerializeSafetensors, EmptyFiles) {
  for (const char *header : {"{}", "{\"__metadata__\":{}}", "{}      "}) {
    const auto module = LoadHeader(header);
    ASSERT_NE(module, nullptr) << error_.message;
    EXPECT_EQ(tir_module_n_params(module.get()), 0u);
  }
}

// Written in any order, with empty tensors between.
TEST_F(SerializeSafetensors, EntriesInAnyOrder) {
  const uint64_t n = 60;
  std::string data;
  for (uint64_t i = 0; i < n; i++) data += static_cast<char>(i);
  for (const uint64_t step : {1, 7, 11, 13, 29, 47, 59}) {  // coprime to n
    std::string header = "{";
    for (uint64_t i = 0; i < n; i++) {
      const uint64_t at = i * step % n;
      const std::string name = std::to_string(at);
      header += SafetensorsEntry(name, "U8", "[1]", at, at + 1) + "," +
                SafetensorsEntry("e" + name, "F64", "[0]", at, at) + ",";
    }
    header.back() = '}';
    const auto module = LoadHeader(header, data);
    ASSERT_NE(module, nullptr) << error_.message;
    for (uint64_t i = 0; i < n; i++)
      EXPECT_EQ(Data(Param(module, std::to_string(i).c_str())),
                std::string(1, static_cast<char>(i)));
  }
}

TEST_F(SerializeSafetensors, BoolsAreZeroOrOne) {
  const auto module =
      LoadHeader("{" + SafetensorsEntry("m", "BOOL", "[4]", 0, 4) + "}",
                 std::string("\0\1\2\xff", 4));
  ASSERT_NE(module, nullptr) << error_.message;
  EXPECT_EQ(Data(Param(module, "m")), std::string("\0\1\1\1", 4));
}

// --- round trip --------------------------------------------------------------

TEST_F(SerializeSafetensors, RoundTrip) {
  const auto module = MakeWeights();
  const std::string bytes = Save(module);
  const auto again = LoadBytes(bytes);
  ASSERT_NE(again, nullptr) << error_.message;
  ExpectSameParams(module.get(), again.get());
  EXPECT_EQ(tir_module_n_metadata(again.get()), 2u);
  EXPECT_STREQ(tir_module_get_metadata(again.get(), "format"), "a \"b\"\n");
  EXPECT_STREQ(tir_module_get_metadata(again.get(), "empty"), "");
  // Written once more it is the same file, and the path works as memory does.
  EXPECT_EQ(Save(again), bytes);
  tir_module *from_path = nullptr;
  ASSERT_EQ(
      tir_safetensors_load(context_.get(), dir_.File("w.safetensors").c_str(),
                           nullptr, &from_path, &error_),
      TIR_OK)
      << error_.message;
  ExpectSameParams(module.get(), from_path);
  tir_module_destroy(from_path);
}

// The layout other readers rely on.
TEST_F(SerializeSafetensors, WrittenLayout) {
  auto module = MakeModule(context_.get());
  AddParam(module, "byte", MakeTensor(TIR_DTYPE_U8, {3}, 0));
  AddParam(module, "wide", MakeTensor(TIR_DTYPE_F64, {1}, 1));
  const std::string header =
      "{" + SafetensorsEntry("wide", "F64", "[1]", 0, 8) + "," +
      SafetensorsEntry("byte", "U8", "[3]", 8, 11) + "}";
  const size_t padded = (8 + header.size() + 63) / 64 * 64 - 8;
  EXPECT_EQ(Save(module),
            SafetensorsFile(
                header + std::string(padded - header.size(), ' '),
                Data(Param(module, "wide")) + Data(Param(module, "byte"))));
}

TEST_F(SerializeSafetensors, SampleModules) {
  for (int i = 0; i < kNSampleModules; i++) {
    SCOPED_TRACE(kSampleModules[i].name);
    const Owned<tir_module> module(kSampleModules[i].make(context_.get()));
    const auto again = LoadBytes(Save(module));
    ASSERT_NE(again, nullptr) << error_.message;
    ExpectSameParams(module.get(), again.get());
  }
}

// --- refusals ----------------------------------------------------------------

TEST_F(SerializeSafetensors, RefusedJson) {
  const std::string entry = SafetensorsEntry("a", "U8", "[4]", 0, 4);
  const std::string data(4, 'x');
  ASSERT_NE(LoadHeader("{" + entry + "}", data), nullptr);
  const struct {
    std::string header;
    const char *message;
  } cases[] = {
      {"", "header: expected '{' at position 0"},
      {"[]", "header: expected '{' at position 0"},
      {"{", "header: expected a string at position 1"},
      {"{" + entry, "header: expected ',' or '}' at position 52"},
      {"{" + entry + ",}", "header: expected a string at position 53"},
      {"{," + entry + "}", "header: expected a string at position 1"},
      {"{" + entry + "}x", "header: expected nothing more at position 53"},
      {"{" + entry + "}{}", "header: expected nothing more at position 53"},
      {std::string("{}\0", 3), "header: expected nothing more at position 2"},
      {"\xEF\xBB\xBF{}", "header: expected '{' at position 0"},
      {"{a:1}", "header: expected a string at position 1"},
      {"{'a':1}", "header: expected a string at position 1"},
      {"{\"a\" 1}", "header: expected ':' at position 5"},
      {"{\"a\":1}", "header: expected '{' at position 5"},
      {"{\"a\":{{}}}", "header: expected a string at position 6"},
      {"{\"a", "header: expected the end of a string at position 3"},
      {"{\"a\n\"", "header: expected no control character in a string"},
      {"{\"\\", "header: expected an escape"},
      {"{\"\\q\":", "header: expected an escape"},
      {"{\"\\u12", "header: expected four hexadecimal digits"},
      {"{\"\\u12g4\"", "header: expected four hexadecimal digits"},
      {"{\"\\u0000\"", "header: expected no zero character"},
      {"{\"\\ud800\"", "header: expected a surrogate pair"},
      {"{\"\\udc00\"", "header: expected a surrogate pair"},
      {"{\"\\ud800\\u0041\"", "header: expected the second half of a"},
      {"{\"\\ud800\\ud800\"", "header: expected the second half of a"},
      {"{\"\xff\":", "header: expected UTF-8 in the string before"},
      {"{\"\xed\xa0\x80\":", "header: expected UTF-8 in the string before"},
      {"{\"__metadata__\":1}", "header: expected '{'"},
      {"{\"__metadata__\":{\"a\":1}}", "header: expected a string"},
      {"{\"__metadata__\":{\"a\":{}}}", "header: expected a string"},
      {"{\"__metadata__\":{\"a\":null}}", "header: expected a string"},
      {"{\"__metadata__\":{\"a\":\"\",}}", "header: expected a string"},
  };
  for (const auto &c : cases)
    Refused(c.header, data, TIR_ERR_FORMAT, c.message);
  // Every byte may be missing.
  const std::string whole =
      "{\"__metadata__\":{\"k\":\"\\u0041\"}," + entry + "}";
  for (size_t i = 0; i < whole.size(); i++) {
    EXPECT_EQ(LoadHeader(whole.substr(0, i), data), nullptr) << i;
    EXPECT_EQ(error_.status, TIR_ERR_FORMAT);
  }
}

TEST_F(SerializeSafetensors, RefusedEntries) {
  const std::string data(4, 'x');
  const auto with = [](const std::string &fields) {
    return "{\"a\":{" + fields + "}}";
  };
  const std::string dtype = "\"dtype\":\"U8\"", shape = "\"shape\":[4]",
                    offsets = "\"data_offsets\":[0,4]";
  ASSERT_NE(LoadHeader(with(dtype + "," + shape + "," + offsets), data),
            nullptr);
  const struct {
    std::string fields;
    const char *message;
  } cases[] = {
      {"", "header: tensor \"a\" has no dtype"},
      {dtype + "," + offsets, "header: tensor \"a\" has no shape"},
      {dtype + "," + shape, "header: tensor \"a\" has no data_offsets"},
      {dtype + "," + shape + "," + offsets + "," + dtype,
       "header: key \"dtype\" is given twice"},
      {dtype + "," + shape + "," + offsets + ",\"x\":0",
       "header: key \"x\" is not known"},
      {"\"dtype\":4", "header: expected a string"},
      {"\"shape\":4", "header: expected '['"},
      {"\"shape\":[4", "header: expected ',' or ']'"},
      {"\"shape\":[,4]", "header: expected an integer"},
      {"\"shape\":[4,]", "header: expected an integer"},
      {"\"shape\":[-4]", "header: expected an integer"},
      {"\"shape\":[+4]", "header: expected an integer"},
      {"\"shape\":[04]", "header: expected an integer"},
      {"\"shape\":[\"4\"]", "header: expected an integer"},
      {"\"shape\":[[4]]", "header: expected an integer"},
      {"\"shape\":[4.0]", "header: expected ',' or ']'"},
      {"\"shape\":[4e0]", "header: expected ',' or ']'"},
      {"\"shape\":[4 4]", "header: expected ',' or ']'"},
      {"\"data_offsets\":[]", "header: expected an integer"},
      {"\"data_offsets\":[0]", "header: expected ','"},
      {"\"data_offsets\":[0,4,4]", "header: expected ']'"},
      {"\"data_offsets\":{}", "header: expected '['"},
      {dtype + "," + shape + ",\"data_offsets\":[4,0]",
       "header: tensor \"a\" has data from 4 to 0, its shape needs 4 bytes"},
      {dtype + "," + shape + ",\"data_offsets\":[0,3]",
       "header: tensor \"a\" has data from 0 to 3, its shape needs 4 bytes"},
      {dtype + "," + shape + ",\"data_offsets\":[1,5]",
       "header: tensor \"a\" begins at 1, the data before it ends at 0"},
      {dtype + ",\"shape\":[3],\"data_offsets\":[0,3]",
       "file has 4 bytes of data, its tensors need 3"},
      {dtype + ",\"shape\":[5],\"data_offsets\":[0,5]",
       "file has 4 bytes of data, its tensors need 5"},
  };
  for (const auto &c : cases)
    Refused(with(c.fields), data, TIR_ERR_FORMAT, c.message);
  for (const char *name : {"U16", "U32", "U64", "F8_E4M3", "C64", "f32", ""})
    Refused(with("\"dtype\":\"" + std::string(name) + "\""), data,
            TIR_ERR_UNSUPPORTED, "header: dtype ");
  Refused(with("\"shape\":[1,1,1,1,1,1,1,1,1]"), data, TIR_ERR_LIMIT,
          "header: more than 8 dims");
  Refused(with("\"shape\":[9223372036854775808]"), data, TIR_ERR_LIMIT,
          "header: a number does not fit 63 bits");
  Refused(with("\"data_offsets\":[0,18446744073709551616]"), data,
          TIR_ERR_LIMIT, "header: a number does not fit 63 bits");
  for (const char *dims :
       {"[4294967296,4294967296]", "[9223372036854775807,2]",
        "[4611686018427387904,4]", "[1099511627776,1099511627776,0]"})
    Refused(with(dtype + ",\"shape\":" + dims + "," + offsets), data,
            TIR_ERR_LIMIT, "header: the shape of tensor \"a\" is too large");
  // 2^61 doubles: their bytes wrap to 0.
  Refused(with("\"dtype\":\"F64\",\"shape\":[2305843009213693952],"
               "\"data_offsets\":[0,0]"),
          "", TIR_ERR_LIMIT, "header: the shape of tensor \"a\" is too large");
}

TEST_F(SerializeSafetensors, RefusedTogether) {
  const auto two = [](const std::string &a, const std::string &b) {
    return "{" + a + "," + b + "}";
  };
  const std::string first = SafetensorsEntry("a", "U8", "[4]", 0, 4);
  const std::string data(8, 'x');
  ASSERT_NE(
      LoadHeader(two(first, SafetensorsEntry("b", "U8", "[4]", 4, 8)), data),
      nullptr);
  Refused(two(first, SafetensorsEntry("a", "U8", "[4]", 4, 8)), data,
          TIR_ERR_FORMAT, "module: there is a param named \"a\" already");
  Refused(two(first, SafetensorsEntry("\\u0061", "U8", "[4]", 4, 8)), data,
          TIR_ERR_FORMAT, "module: there is a param named \"a\" already");
  Refused(two(first, SafetensorsEntry("b", "U8", "[4]", 2, 6)), data,
          TIR_ERR_FORMAT,
          "header: tensor \"b\" begins at 2, the data before it ends at 4");
  Refused(two(first, SafetensorsEntry("b", "U8", "[4]", 0, 4)), data,
          TIR_ERR_FORMAT, "header: tensor \"b\" begins at 0");
  Refused(two(first, SafetensorsEntry("b", "U8", "[3]", 5, 8)), data,
          TIR_ERR_FORMAT, "header: tensor \"b\" begins at 5");
  Refused(two(first, SafetensorsEntry("", "U8", "[4]", 4, 8)), data,
          TIR_ERR_FORMAT, "module: param name is empty");
  Refused("{\"__metadata__\":{\"\":\"v\"}}", "", TIR_ERR_FORMAT,
          "module: metadata name is empty");
  const std::string metadata = "\"__metadata__\":{\"k\":\"v\"}";
  Refused(two(metadata, metadata), "", TIR_ERR_FORMAT,
          "header: __metadata__ is given twice");
  Refused("{\"__metadata__\":{\"k\":\"v\",\"\\u006b\":\"w\"}}", "",
          TIR_ERR_FORMAT, "header: metadata \"k\" is given twice");
}

TEST_F(SerializeSafetensors, RefusedStarts) {
  const std::string good = SafetensorsFile("{}", "");
  for (size_t size = 0; size < 8; size++) {
    EXPECT_EQ(LoadBytes(good.substr(0, size)), nullptr);
    EXPECT_EQ(error_.status, TIR_ERR_FORMAT);
    EXPECT_EQ(error_.byte_offset, size);
  }
  for (const char *length :
       {"\3\0\0\0\0\0\0\0", "\xff\xff\xff\xff\xff\xff\xff\xff",
        "\0\0\0\0\0\0\0\x80"}) {
    EXPECT_EQ(LoadBytes(std::string(length, 8) + "{}"), nullptr);
    EXPECT_EQ(error_.status, TIR_ERR_FORMAT) << error_.message;
  }
  EXPECT_EQ(LoadBytes(std::string("\0\0\0\0\0\0\0\0", 8)), nullptr);
}

TEST_F(SerializeSafetensors, Limits) {
  const std::string header = "{" + SafetensorsEntry("abc", "U8", "[4]", 0, 4) +
                             "," + SafetensorsEntry("d", "U8", "[4]", 4, 8) +
                             "}";
  const std::string bytes = SafetensorsFile(header, std::string(8, 'x'));
  tir_load_options options = {};
  options.max_tensors = 2;
  options.max_name = 3;
  options.max_bytes = 16384;
  EXPECT_NE(LoadBytes(bytes, &options), nullptr) << error_.message;
  options.max_tensors = 1;
  EXPECT_EQ(LoadBytes(bytes, &options), nullptr);
  EXPECT_EQ(error_.status, TIR_ERR_LIMIT);
  options.max_tensors = 0;
  options.max_name = 2;
  EXPECT_EQ(LoadBytes(bytes, &options), nullptr);
  EXPECT_EQ(error_.status, TIR_ERR_LIMIT);
  options.max_name = 0;
  options.max_bytes = 256;
  EXPECT_EQ(LoadBytes(bytes, &options), nullptr);
  EXPECT_EQ(error_.status, TIR_ERR_LIMIT);
  options.max_bytes = 0;
  options.map = true;
  EXPECT_EQ(LoadBytes(bytes, &options), nullptr);
  EXPECT_EQ(error_.status, TIR_ERR_UNSUPPORTED);
  options.map = false;
  options.reserved[7] = 1;
  tir_module *module = nullptr;
  EXPECT_EQ(
      tir_safetensors_load_memory(context_.get(), bytes.data(), bytes.size(),
                                  &options, &module, &error_),
      TIR_ERR_ARGUMENT);
}

// --- damage ------------------------------------------------------------------

TEST_F(SerializeSafetensors, EveryTruncationIsRefused) {
  const std::string bytes = Save(MakeWeights());
  for (size_t size = 0; size < bytes.size(); size++) {
    EXPECT_EQ(LoadBytes(bytes.substr(0, size)), nullptr) << size;
    EXPECT_EQ(error_.status, TIR_ERR_FORMAT) << size << error_.message;
  }
  EXPECT_EQ(LoadBytes(bytes + "x"), nullptr);
}

// The format has no checksum: changed data loads as other data, a changed name
// as another name. Whatever loads can be saved and loaded again.
TEST_F(SerializeSafetensors, EveryByteFlip) {
  const std::string bytes = Save(MakeWeights());
  uint64_t header_bytes = 0;
  memcpy(&header_bytes, bytes.data(), 8);
  int n_refused = 0, n_loaded = 0;
  for (size_t i = 0; i < bytes.size(); i++) {
    for (const int mask : {1, 2, 4, 8, 16, 32, 64, 128, 255}) {
      std::string bad = bytes;
      bad[i] = static_cast<char>(bytes[i] ^ mask);
      const auto module = LoadBytes(bad);
      if (i < 8) {
        EXPECT_EQ(module, nullptr) << "the header's size fits its text";
      }
      if (i >= 8 + header_bytes) {
        EXPECT_NE(module, nullptr) << error_.message;
      }
      if (!module) {
        EXPECT_LE(error_.byte_offset, bytes.size());
        n_refused++;
      } else if (n_loaded++ % 16 == 0 &&
                 tir_module_find_param(module.get(), "__metadata__") < 0) {
        const auto again = LoadBytes(Save(module));
        ASSERT_NE(again, nullptr) << error_.message;
        ExpectSameParams(module.get(), again.get());
      }
    }
  }
  EXPECT_GT(n_refused, 1000);
  EXPECT_GT(n_loaded, 1000);
}

TEST_F(SerializeSafetensors, FailingSystemCalls) {
  const auto module = MakeWeights();
  const std::string path = dir_.File("x.safetensors");
  ASSERT_EQ(tir_safetensors_save(module.get(), path.c_str(), &error_), TIR_OK);
  const std::string before = ReadFile(path);
  const auto changed = MakeModule(context_.get());
  for (int at = 1;; at++) {
    FailingIo io(at, EIO);
    io.CutTo(100);
    const tir_status status =
        tir_ser_st_save(io.io(), changed.get(), path.c_str(), &error_);
    if (!io.failed()) {
      EXPECT_EQ(status, TIR_OK);
      EXPECT_GT(at, 5);
      break;
    }
    if (status != TIR_OK && io.calls().back() != "sync") {
      EXPECT_EQ(status, TIR_ERR_IO);
    }
    EXPECT_TRUE(ReadFile(path) == before || ReadFile(path) == Save(changed));
  }
  WriteFile(path, before);
  for (int at = 1;; at++) {
    FailingIo io(at, EIO);
    io.CutTo(100);
    tir_module *loaded = nullptr;
    const tir_status status = tir_ser_st_load(
        io.io(), context_.get(), path.c_str(), nullptr, &loaded, &error_);
    EXPECT_EQ(status == TIR_OK, loaded != nullptr);
    if (loaded) ExpectSameParams(module.get(), loaded);
    tir_module_destroy(loaded);
    if (!io.failed()) break;
    if (io.calls().back() != "close") {
      EXPECT_EQ(status, TIR_ERR_IO);
    }
  }
}

// --- into a module -----------------------------------------------------------

TEST_F(SerializeSafetensors, LoadInto) {
  const std::string path = dir_.File("w.safetensors");
  const auto saved = MakeWeights();
  Save(saved);
  const auto module = MakeModule(context_.get());
  for (size_t i = saved->params.count; i-- > 0;) {
    const tir_tensor *like = saved->params.data[i].tensor;
    AddParam(
        module, tir_module_param_name(saved.get(), i),
        MakeTensor(like->dtype,
                   std::vector<int64_t>(like->dims, like->dims + like->rank),
                   77));
  }
  ASSERT_EQ(tir_safetensors_load_into(module.get(), path.c_str(), 0, nullptr,
                                      &error_),
            TIR_OK)
      << error_.message;
  ExpectSameParams(saved.get(), module.get());
  EXPECT_EQ(tir_module_n_metadata(module.get()), 0u);
}

TEST_F(SerializeSafetensors, LoadIntoIsAllOrNothing) {
  const std::string path = dir_.File("w.safetensors");
  const auto saved = MakeModule(context_.get());
  AddParam(saved, "a", MakeTensor(TIR_DTYPE_F32, {2}, 1));
  AddParam(saved, "b", MakeTensor(TIR_DTYPE_F32, {3}, 2));
  AddParam(saved, "c", MakeTensor(TIR_DTYPE_F32, {3}, 3));
  Save(saved);
  const struct {
    std::vector<std::pair<const char *, tir_dtype>> params;
    std::vector<int64_t> dims;
    uint32_t flags;
    tir_status status;
    const char *message;
  } cases[] = {
      {{{"a", TIR_DTYPE_F32}},
       {2},
       0,
       TIR_ERR_ARGUMENT,
       "no param for tensor \"b\" and 1 more"},
      {{{"a", TIR_DTYPE_F32}},
       {2},
       TIR_WEIGHTS_ALLOW_MISSING,
       TIR_ERR_ARGUMENT,
       "no param for tensor \"b\" and 1 more"},
      {{{"x", TIR_DTYPE_F32}, {"a", TIR_DTYPE_F32}},
       {2},
       TIR_WEIGHTS_ALLOW_EXTRA,
       TIR_ERR_ARGUMENT,
       "no tensor for param \"x\""},
      {{{"a", TIR_DTYPE_F32}, {"b", TIR_DTYPE_F32}},
       {2},
       TIR_WEIGHTS_ALLOW_EXTRA,
       TIR_ERR_SHAPE,
       "module: param \"b\" is f32[2], the one to copy is f32[3]"},
      {{{"a", TIR_DTYPE_F64}},
       {2},
       TIR_WEIGHTS_ALLOW_EXTRA,
       TIR_ERR_DTYPE,
       "module: param \"a\" is f64[2], the one to copy is f32[2]"},
      {{{"a", TIR_DTYPE_F32}},
       {2},
       4,
       TIR_ERR_ARGUMENT,
       "load: flags are 0x4, expected 0 to 3"},
      {{{"a", TIR_DTYPE_F32}, {"x", TIR_DTYPE_F64}},
       {2},
       TIR_WEIGHTS_ALLOW_EXTRA | TIR_WEIGHTS_ALLOW_MISSING,
       TIR_OK,
       ""},
  };
  for (const auto &c : cases) {
    const auto module = MakeModule(context_.get());
    for (const auto &param : c.params)
      AddParam(module, param.first, MakeTensor(param.second, c.dims, 50));
    error_ = tir_error{};
    EXPECT_EQ(tir_safetensors_load_into(module.get(), path.c_str(), c.flags,
                                        nullptr, &error_),
              c.status);
    EXPECT_NE(std::string(error_.message).find(c.message), std::string::npos)
        << error_.message;
    const bool updated = Data(Param(module, "a")) == Data(Param(saved, "a"));
    EXPECT_EQ(updated, c.status == TIR_OK) << c.message;
    if (c.params.size() == 2) {
      EXPECT_EQ(Data(Param(module, c.params[1].first)) ==
                    Data(MakeTensor(c.params[1].second, c.dims, 50)),
                strcmp(c.params[1].first, "a") != 0 || c.status != TIR_OK);
    }
  }
}

TEST_F(SerializeSafetensors, Misuse) {
  const std::string path = dir_.File("w.safetensors");
  const auto module = MakeModule(context_.get());
  tir_module *out = nullptr;
  EXPECT_EQ(tir_safetensors_load(nullptr, path.c_str(), nullptr, &out, &error_),
            TIR_ERR_ARGUMENT);
  EXPECT_EQ(
      tir_safetensors_load(context_.get(), nullptr, nullptr, &out, &error_),
      TIR_ERR_ARGUMENT);
  EXPECT_EQ(tir_safetensors_load(context_.get(), path.c_str(), nullptr, nullptr,
                                 &error_),
            TIR_ERR_ARGUMENT);
  EXPECT_EQ(
      tir_safetensors_load_into(nullptr, path.c_str(), 0, nullptr, &error_),
      TIR_ERR_ARGUMENT);
  EXPECT_EQ(
      tir_safetensors_load_into(module.get(), nullptr, 0, nullptr, &error_),
      TIR_ERR_ARGUMENT);
  EXPECT_EQ(tir_safetensors_save(nullptr, path.c_str(), &error_),
            TIR_ERR_ARGUMENT);
  EXPECT_EQ(tir_safetensors_save(module.get(), nullptr, &error_),
            TIR_ERR_ARGUMENT);
  EXPECT_EQ(tir_safetensors_load(context_.get(), path.c_str(), nullptr, &out,
                                 &error_),
            TIR_ERR_IO);
  AddParam(module, "__metadata__", MakeTensor(TIR_DTYPE_U8, {1}, 1));
  EXPECT_EQ(tir_safetensors_save(module.get(), path.c_str(), &error_),
            TIR_ERR_ARGUMENT);
  EXPECT_STREQ(error_.message,
               "save: a parameter is named \"__metadata__\", which safetensors "
               "keeps for metadata");
  EXPECT_TRUE(dir_.List().empty());
  tir_ir_module_set_torn(module.get());
  EXPECT_EQ(tir_safetensors_save(module.get(), path.c_str(), &error_),
            TIR_ERR_TORN);
}

TEST_F(SerializeSafetensors, OutOfMemory) {
  const std::string bytes = Save(MakeWeights());
  const std::string path = dir_.File("w.safetensors");
  ForEachFailingAllocation([&](FailingAllocator &allocator) {
    const tir_context_options options = allocator.Options();
    tir_context *context = nullptr;
    tir_status status = tir_context_create(&options, &context, nullptr);
    if (status != TIR_OK) return status;
    tir_module *module = nullptr;
    status = tir_safetensors_load_memory(context, bytes.data(), bytes.size(),
                                         nullptr, &module, nullptr);
    EXPECT_EQ(status == TIR_OK, module != nullptr);
    if (status == TIR_OK)
      status = tir_safetensors_save(module, path.c_str(), nullptr);
    if (status == TIR_OK)
      status =
          tir_safetensors_load_into(module, path.c_str(), 0, nullptr, nullptr);
    EXPECT_EQ(ReadFile(path), bytes);
    tir_module_destroy(module);
    tir_context_destroy(context);
    return status;
  });
}
