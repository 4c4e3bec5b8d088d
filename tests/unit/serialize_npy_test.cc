// .npy: what NumPy writes is read, what is written NumPy reads, and no header
// makes the reader go astray.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include "tests/support/compiled.h"
#include "tests/support/failing_allocator.h"
#include "tests/support/tir_file.h"

extern "C" {
#include "serialize/npy_header.h"
}

namespace {

std::string Sample(const std::string &name) {
  return std::string(TAPEIR_SOURCE_DIR) + "/tests/files/npy/" + name + ".npy";
}

class SerializeNpy : public testing::Test {
 protected:
  void SetUp() override { context_ = MakeContext(); }

  Owned<tir_tensor> Load(const std::string &path) {
    tir_tensor *tensor = nullptr;
    error_ = tir_error{};
    const tir_status status =
        tir_npy_load(context_.get(), path.c_str(), &tensor, &error_);
    EXPECT_EQ(status == TIR_OK, tensor != nullptr);
    EXPECT_EQ(status, error_.status);
    return Owned<tir_tensor>(tensor);
  }
  Owned<tir_tensor> LoadBytes(const std::string &bytes) {
    const std::string path = dir_.File("x.npy");
    WriteFile(path, bytes);
    return Load(path);
  }
  // A version 1.0 file with this header text and data.
  static std::string File(std::string header, const std::string &data) {
    std::string bytes("\x93NUMPY\x01\x00", 8);
    bytes += static_cast<char>(header.size());
    bytes += static_cast<char>(header.size() >> 8);
    return bytes + header + data;
  }
  void Refused(const std::string &header, tir_status status,
               const std::string &message) {
    EXPECT_EQ(LoadBytes(File(header, std::string(24, '\0'))), nullptr)
        << header;
    EXPECT_EQ(error_.status, status) << header << ": " << error_.message;
    EXPECT_NE(std::string(error_.message).find(": " + message),
              std::string::npos)
        << header << ": " << error_.message;
  }
  static std::vector<int64_t> Dims(const Owned<tir_tensor> &tensor) {
    return std::vector<int64_t>(tensor->dims, tensor->dims + tensor->rank);
  }
  // Element i of a sample is i % 5.
  static void ExpectCounting(const Owned<tir_tensor> &tensor) {
    const size_t size = tir_dtype_size(tensor->dtype);
    const auto *data = static_cast<const char *>(tensor->data);
    for (int64_t i = 0; i < tensor->numel; i++) {
      const void *element = data + static_cast<size_t>(i) * size;
      if (tensor->dtype == TIR_DTYPE_BOOL) {
        ASSERT_EQ(tir_ir_load_i64(tensor->dtype, element), i % 5 != 0);
      } else if (tensor->dtype == TIR_DTYPE_BF16) {
        uint16_t bits = 0;  // u2
        memcpy(&bits, element, 2);
        ASSERT_EQ(bits, i % 5);
      } else {
        ASSERT_EQ(tir_ir_load_f64(tensor->dtype, element),
                  static_cast<double>(i % 5));
      }
    }
  }

  const TempDir dir_;
  Owned<tir_context> context_;
  tir_error error_ = {};
};

const struct {
  const char *code;
  tir_dtype dtype;
} kCodes[] = {{"f4", TIR_DTYPE_F32},  {"f8", TIR_DTYPE_F64},
              {"f2", TIR_DTYPE_F16},  {"i1", TIR_DTYPE_I8},
              {"u1", TIR_DTYPE_U8},   {"i2", TIR_DTYPE_I16},
              {"i4", TIR_DTYPE_I32},  {"i8", TIR_DTYPE_I64},
              {"u2", TIR_DTYPE_BF16}, {"b1", TIR_DTYPE_BOOL}};

}  // namespace

TEST_F(SerializeNpy, SamplesOfNumPy) {
  for (const auto &code : kCodes) {
    for (const char *order : {"_c", "_fortran"}) {
      SCOPED_TRACE(std::string(code.code) + order);
      const auto tensor = Load(Sample(std::string(code.code) + order));
      ASSERT_NE(tensor, nullptr) << error_.message;
      EXPECT_EQ(tensor->dtype, code.dtype);
      EXPECT_EQ(Dims(tensor), (std::vector<int64_t>{2, 3, 4}));
      ExpectCounting(tensor);
    }
  }
  const struct {
    const char *name;
    std::vector<int64_t> dims;
  } shapes[] = {{"scalar", {}},       {"vector", {7}},
                {"empty", {2, 0, 3}}, {"rank8", {1, 2, 1, 2, 1, 2, 1, 2}},
                {"version2", {2, 3}}, {"version3", {2, 3}}};
  for (const auto &shape : shapes) {
    SCOPED_TRACE(shape.name);
    const auto tensor = Load(Sample(shape.name));
    ASSERT_NE(tensor, nullptr) << error_.message;
    EXPECT_EQ(Dims(tensor), shape.dims);
    ExpectCounting(tensor);
  }
  for (const char *name :
       {"big_endian", "complex", "text", "record", "object"}) {
    EXPECT_EQ(Load(Sample(name)), nullptr);
    EXPECT_EQ(error_.status, TIR_ERR_UNSUPPORTED) << error_.message;
  }
}

TEST_F(SerializeNpy, RoundTripOfEveryDtypeAndRank) {
  const std::string path = dir_.File("t.npy");
  for (const auto &code : kCodes) {
    for (int rank = 0; rank <= TIR_MAX_RANK; rank++) {
      const int64_t dims[TIR_MAX_RANK] = {3, 1, 2, 1, 1, 2, 1, 1};
      tir_tensor *made = nullptr;
      ASSERT_EQ(tir_tensor_create(context_.get(), code.dtype, dims, rank, &made,
                                  &error_),
                TIR_OK);
      const Owned<tir_tensor> tensor(made);
      auto *bytes = static_cast<uint8_t *>(tensor->data);
      for (size_t i = 0; i < tensor->size_bytes; i++)
        bytes[i] = static_cast<uint8_t>(
            code.dtype == TIR_DTYPE_BOOL ? i % 2 : 7 * i + 1);
      ASSERT_EQ(tir_npy_save(tensor.get(), path.c_str(), &error_), TIR_OK)
          << error_.message;
      const auto loaded = Load(path);
      ASSERT_NE(loaded, nullptr) << error_.message;
      EXPECT_EQ(loaded->dtype, tensor->dtype);
      EXPECT_EQ(Dims(loaded), Dims(tensor));
      EXPECT_EQ(memcmp(loaded->data, tensor->data, tensor->size_bytes), 0);
      // Data starts on a multiple of 64, as the format asks.
      EXPECT_EQ((ReadFile(path).size() - tensor->size_bytes) % 64, 0u);
    }
  }
}

// The very bytes NumPy writes.
TEST_F(SerializeNpy, WritesWhatNumPyWrites) {
  for (const char *name : {"f4_c", "i8_c", "b1_c", "u2_c", "f2_c", "scalar",
                           "vector", "empty", "rank8"}) {
    const auto tensor = Load(Sample(name));
    ASSERT_NE(tensor, nullptr);
    const std::string path = dir_.File("t.npy");
    ASSERT_EQ(tir_npy_save(tensor.get(), path.c_str(), &error_), TIR_OK);
    const std::string ours = ReadFile(path), theirs = ReadFile(Sample(name));
    // Padding of the header differs between versions of NumPy.
    EXPECT_EQ(ours.substr(10, 60), theirs.substr(10, 60)) << name;
    EXPECT_EQ(ours.substr(ours.size() - tensor->size_bytes),
              theirs.substr(theirs.size() - tensor->size_bytes));
  }
}

// Where a Python with NumPy is there, it reads what was written.
TEST_F(SerializeNpy, NumPyReadsOurFiles) {
  if (system("/usr/bin/python3 -c 'import numpy' 2>/dev/null") != 0) {
    // The samples above are NumPy's own files: compared byte by byte.
    return;
  }
  const int64_t dims[] = {3, 5};
  std::string script = "import numpy as n\n";
  for (const auto &code : kCodes) {
    tir_tensor *tensor = nullptr;
    ASSERT_EQ(tir_tensor_create(context_.get(), code.dtype, dims, 2, &tensor,
                                &error_),
              TIR_OK);
    for (int i = 0; i < 15; i++)
      static_cast<uint8_t *>(tensor->data)[i] =
          static_cast<uint8_t>(code.dtype == TIR_DTYPE_BOOL ? i % 2 : i);
    const std::string path = dir_.File(std::string(code.code) + ".npy");
    ASSERT_EQ(tir_npy_save(tensor, path.c_str(), &error_), TIR_OK);
    tir_tensor_release(tensor);
    script += "a = n.load('" + path + "')\n";
    script += "assert a.shape == (3, 5) and a.dtype.str[1:] == '" +
              std::string(code.code) + "', a.dtype\n";
    script += std::string("assert list(a.tobytes()[:15]) == [") +
              (code.dtype == TIR_DTYPE_BOOL ? "i % 2" : "i") +
              " for i in range(15)]\n";
  }
  WriteFile(dir_.File("check.py"), script);
  const std::string command = "/usr/bin/python3 " + dir_.File("check.py");
  EXPECT_EQ(system(command.c_str()), 0);
}

TEST_F(SerializeNpy, HeadersThatAreAccepted) {
  for (const char *header :
       {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }  \n",
        "{\"descr\":\"<f4\",\"fortran_order\":False,\"shape\":(2,3)}",
        "{'shape': (2, 3,), 'fortran_order': False, 'descr': '=f4'}\n\n",
        " { 'shape' : ( 2L , 3L ) , 'descr' : '<f4' , 'fortran_order' : "
        "False } "}) {
    const auto tensor = LoadBytes(File(header, std::string(24, '\0')));
    ASSERT_NE(tensor, nullptr) << header << ": " << error_.message;
    EXPECT_EQ(Dims(tensor), (std::vector<int64_t>{2, 3}));
  }
}

TEST_F(SerializeNpy, HeadersThatAreRefused) {
  const auto with = [](const std::string &shape) {
    return "{'descr': '<f4', 'fortran_order': False, 'shape': " + shape + "}";
  };
  Refused("", TIR_ERR_FORMAT, "header: expected '{'");
  Refused("{", TIR_ERR_FORMAT, "header: expected a string");
  Refused("{}", TIR_ERR_FORMAT, "header: descr is missing");
  Refused("{'descr': '<f4', 'shape': (2, 3)}", TIR_ERR_FORMAT,
          "header: fortran_order is missing");
  Refused("{'descr': '<f4'", TIR_ERR_FORMAT, "header: expected ',' or '}'");
  Refused("{'descr", TIR_ERR_FORMAT, "header: expected the end of a string");
  Refused("{'descr': '<f4', 'descr': '<f4'}", TIR_ERR_FORMAT,
          "header: descr is given twice");
  Refused("{'color': 1}", TIR_ERR_FORMAT, "header: key \"color\" is not known");
  Refused(with("(2, 3)") + "x", TIR_ERR_FORMAT,
          "header: expected nothing more");
  for (const char *shape :
       {"(2, 3", "(2 3)", "(, )", "(6)", "[2, 3]", "(2, -3)", "(2, 0x3)",
        "(2, 3.0)", "(2,, 3)", "((2, 3))", "(a)"})
    Refused(with(shape), TIR_ERR_FORMAT, "header: expected");
  Refused(with("(1, 1, 1, 1, 1, 1, 1, 1, 1)"), TIR_ERR_LIMIT,
          "header: more than 8 dims");
  Refused(with("(9223372036854775808,)"), TIR_ERR_LIMIT,
          "header: a dim does not fit 64 bits");
  Refused(with("(99999999999999999999999999,)"), TIR_ERR_LIMIT,
          "header: a dim does not fit 64 bits");
  for (const char *shape :
       {"(9223372036854775807,)", "(4294967296, 4294967296)",
        "(4611686018427387904, 4)", "(1099511627776, 1099511627776, 0)"})
    Refused(with(shape), TIR_ERR_LIMIT, "header: the shape is too large");
  for (const char *shape : {"(2, 2)", "(2, 4)", "(0,)", "()", "(1000000000,)"})
    Refused(with(shape), TIR_ERR_FORMAT, "file has 24 bytes of data");
  for (const char *code : {"<f3", ">f4", "<c8", "|f4", "f4", "", "<", "<U5",
                           "|O", "|V8", "<f44", "<u4", "<u8", "!f4"})
    Refused("{'descr': '" + std::string(code) +
                "', 'fortran_order': False, 'shape': (6,)}",
            TIR_ERR_UNSUPPORTED, "dtype ");
  Refused("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (6,)}",
          TIR_ERR_UNSUPPORTED, "header: records are not supported");
  for (const char *truth : {"true", "1", "None", "Tru", "'False'"})
    Refused("{'descr': '<f4', 'fortran_order': " + std::string(truth) +
                ", 'shape': (6,)}",
            TIR_ERR_FORMAT, "header: expected True or False");
}

TEST_F(SerializeNpy, EveryTruncationIsRefused) {
  for (const char *name : {"f4_c", "i2_fortran", "version2", "scalar"}) {
    const std::string bytes = ReadFile(Sample(name));
    for (size_t size = 0; size < bytes.size(); size++) {
      EXPECT_EQ(LoadBytes(bytes.substr(0, size)), nullptr) << size;
      EXPECT_EQ(error_.status, TIR_ERR_FORMAT) << size << error_.message;
    }
    EXPECT_EQ(LoadBytes(bytes + "x"), nullptr);
  }
}

// A changed byte is an error or another header, never a read outside.
TEST_F(SerializeNpy, ChangedHeaderBytes) {
  const std::string bytes = ReadFile(Sample("version2"));
  for (size_t i = 0; i < bytes.size(); i++) {
    for (const char c : {'\0', '\xff', ' ', '9', '\'', '(', '}'}) {
      std::string bad = bytes;
      bad[i] = c;
      LoadBytes(bad);
    }
  }
}

TEST_F(SerializeNpy, HeaderLengthLimit) {
  std::string bytes("\x93NUMPY\x02\x00\xff\xff\xff\xff", 12);
  EXPECT_EQ(LoadBytes(bytes + std::string(100, ' ')), nullptr);
  EXPECT_EQ(error_.status, TIR_ERR_LIMIT) << error_.message;
  bytes = std::string("\x93NUMPY\x04\x00\x10\x00", 10);
  EXPECT_EQ(LoadBytes(bytes + std::string(100, ' ')), nullptr);
  EXPECT_EQ(error_.status, TIR_ERR_UNSUPPORTED) << error_.message;
}

TEST_F(SerializeNpy, Bools) {
  const std::string data = {0, 1, 2, '\xff', 0, '\x80'};
  const auto tensor = LoadBytes(
      File("{'descr': '|b1', 'fortran_order': False, 'shape': (6,)}", data));
  ASSERT_NE(tensor, nullptr) << error_.message;
  const std::string expected = {0, 1, 1, 1, 0, 1};
  EXPECT_EQ(memcmp(tensor->data, expected.data(), 6), 0);
}

TEST_F(SerializeNpy, NullArgumentsAndMissingFiles) {
  tir_tensor *tensor = nullptr;
  EXPECT_EQ(tir_npy_load(nullptr, "x", &tensor, &error_), TIR_ERR_ARGUMENT);
  EXPECT_EQ(tir_npy_load(context_.get(), nullptr, &tensor, &error_),
            TIR_ERR_ARGUMENT);
  EXPECT_EQ(tir_npy_load(context_.get(), "x", nullptr, &error_),
            TIR_ERR_ARGUMENT);
  EXPECT_EQ(tir_npy_save(nullptr, "x", &error_), TIR_ERR_ARGUMENT);
  EXPECT_EQ(Load(dir_.File("none.npy")), nullptr);
  EXPECT_EQ(error_.status, TIR_ERR_IO);
  EXPECT_EQ(Load(dir_.path()), nullptr);
  EXPECT_EQ(error_.status, TIR_ERR_IO);
}

TEST_F(SerializeNpy, OutOfMemory) {
  const std::string path = Sample("f8_fortran");
  ForEachFailingAllocation([&path](FailingAllocator &allocator) {
    const tir_context_options options = allocator.Options();
    tir_context *context = nullptr;
    tir_status status = tir_context_create(&options, &context, nullptr);
    if (status != TIR_OK) return status;
    tir_tensor *tensor = nullptr;
    status = tir_npy_load(context, path.c_str(), &tensor, nullptr);
    EXPECT_EQ(status == TIR_OK, tensor != nullptr);
    tir_tensor_release(tensor);
    tir_context_destroy(context);
    return status;
  });
}
