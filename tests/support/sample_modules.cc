#include "tests/support/sample_modules.h"

#include <string>
#include <vector>

#include "tests/support/graph_builder.h"
#include "tests/support/random.h"

extern "C" {
#include "ir/attr.h"
}

static tir_module *NewModule(tir_context *context) {
  tir_module *module = nullptr;
  tir_error error = {};
  EXPECT_EQ(tir_module_create(context, &module, &error), TIR_OK)
      << error.message;
  return module;
}

static void SetMetadata(tir_module *module, const std::string &key,
                        const std::string &value) {
  tir_error error = {};
  EXPECT_EQ(tir_module_set_metadata(module, key.c_str(), value.c_str(), &error),
            TIR_OK)
      << error.message;
}

// A tensor with the bytes 1, 2, 3, … (bool: 0 and 1).
static tir_tensor *CountingTensor(tir_context *context, tir_dtype dtype,
                                  const std::vector<int64_t> &dims) {
  tir_tensor *tensor = nullptr;
  tir_error error = {};
  EXPECT_EQ(tir_tensor_create(context, dtype, dims.data(),
                              static_cast<int>(dims.size()), &tensor, &error),
            TIR_OK)
      << error.message;
  auto *bytes = static_cast<uint8_t *>(tensor->data);
  for (size_t i = 0; i < tensor->size_bytes; i++)
    bytes[i] = static_cast<uint8_t>(dtype == TIR_DTYPE_BOOL ? i % 2 : i + 1);
  return tensor;
}

static void AddCounting(tir_module *module, tir_context *context,
                        const std::string &name, tir_dtype dtype,
                        const std::vector<int64_t> &dims, tir_param_kind kind) {
  tir_error error = {};
  tir_tensor *tensor = CountingTensor(context, dtype, dims);
  EXPECT_EQ(tir_module_add_param(module, name.c_str(), kind, tensor, &error),
            TIR_OK)
      << error.message;
  tir_tensor_release(tensor);
}

// --- samples ---------------------------------------------------------------

tir_module *MakeEmptyModule(tir_context *context) { return NewModule(context); }

tir_module *MakeTinyModule(tir_context *context) {
  tir_module *module = NewModule(context);
  GraphBuilder b(context, "forward");
  b.Output("y", tir_tanh(b.tape(), b.Input("x", TIR_DTYPE_F32, {2, 3})));
  b.PublishTo(module);
  return module;
}

tir_module *MakeStepModule(tir_context *context) {
  tir_module *module = NewModule(context);
  AddParam(module, context, "w1", {3, 4},
           {.1f, .2f, .3f, .4f, .5f, .6f, .7f, .8f, .9f, 1.f, 1.1f, 1.2f});
  AddParam(module, context, "b1", {4}, {0, 0, 0, 0});
  AddParam(module, context, "loss.count", {}, {0}, TIR_PARAM_STATE);
  GraphBuilder b(context, "step");
  tir_tape *t = b.tape();
  const tir_value x = b.Input("x", TIR_DTYPE_F32, {5, 3}, {"batch", ""});
  const tir_value lr = b.Input("lr", TIR_DTYPE_F32, {});
  const tir_value w = b.Param("w1", TIR_DTYPE_F32, {3, 4});
  const tir_value bias = b.Param("b1", TIR_DTYPE_F32, {4});
  const tir_value count =
      b.Param("loss.count", TIR_DTYPE_F32, {}, TIR_PARAM_STATE);
  tir_value h = tir_matmul(t, x, w);
  b.Site("model.c:12");
  h = tir_tanh(t, tir_add(t, h, bias));
  b.Site("model.c:13");
  const tir_value loss = tir_sum(t, tir_square(t, h), nullptr, 0, false);
  b.Site("model.c:14");
  tir_assign(t, w, tir_sub(t, w, tir_mul(t, w, lr)));
  tir_assign(t, count, tir_add_scalar(t, count, 1));
  b.Output("loss", loss);
  b.PublishTo(module);
  SetMetadata(module, "author", "the tests");
  return module;
}

static const tir_dtype kDtypes[] = {
    TIR_DTYPE_F32, TIR_DTYPE_F64, TIR_DTYPE_F16, TIR_DTYPE_BF16,
    TIR_DTYPE_I8,  TIR_DTYPE_U8,  TIR_DTYPE_I16, TIR_DTYPE_I32,
    TIR_DTYPE_I64, TIR_DTYPE_BOOL};

tir_module *MakeDtypeModule(tir_context *context) {
  tir_module *module = NewModule(context);
  GraphBuilder b(context, "constants");
  for (const tir_dtype dtype : kDtypes) {
    const std::string name = tir_dtype_name(dtype);
    AddCounting(module, context, name, dtype, {3}, TIR_PARAM_STATE);
    AddCounting(module, context, name + " empty", dtype, {2, 0, 3},
                TIR_PARAM_TRAINABLE);
    tir_tensor *tensor = CountingTensor(context, dtype, {2, 1});
    b.Output((name + " tensor").c_str(),
             b.Constant(dtype, {2, 1}, tensor->data));
    tir_tensor_release(tensor);
    tir_ir_type type = {};
    type.dtype = dtype;
    type.rank = 1;
    type.dims[0] = 7;
    b.Output((name + " splat").c_str(), tir_ir_splat(b.tape(), &type, 1));
  }
  b.PublishTo(module);
  return module;
}

tir_module *MakeNameModule(tir_context *context) {
  tir_module *module = NewModule(context);
  const std::string odd = "\"quotes\" %n \\ \x1b[31m\n\xc3\xa9\xf0\x9f\xa6\x99";
  AddCounting(module, context, odd, TIR_DTYPE_F32, {2}, TIR_PARAM_TRAINABLE);
  AddCounting(module, context, std::string(1024, 'n'), TIR_DTYPE_U8, {},
              TIR_PARAM_STATE);
  GraphBuilder b(context, odd.c_str());
  tir_tape *t = b.tape();
  const tir_value x =
      b.Input(odd.c_str(), TIR_DTYPE_F32, {4, 6, 5}, {"batch", "", "länge"});
  const tir_value p = b.Param(odd.c_str(), TIR_DTYPE_F32, {2});
  const int perm[] = {2, 0, 1}, axes[] = {-1};
  const int64_t starts[] = {1, 0}, stops[] = {3, 6}, steps[] = {1, 2};
  tir_value y = tir_transpose(t, x, perm, 3);
  tir_set_name(t, y, "turned");
  b.Site("a dir/model \"1\".c:7");
  b.Output("max", tir_max(t, y, axes, 1, true));
  b.Output("slice", tir_slice(t, x, starts, stops, steps, 2));
  b.Output("cast", tir_cast(t, p, TIR_DTYPE_F64));
  b.Output("hot",
           tir_one_hot(t, tir_cast(t, p, TIR_DTYPE_I64), 9, TIR_DTYPE_F32));
  b.Output("product", tir_matmul_t(t, y, y, false, true));
  b.Output("same", y);
  b.Output("again", y);
  b.PublishTo(module);
  SetMetadata(module, odd, odd);
  SetMetadata(module, "empty", "");
  SetMetadata(module, "long", std::string(5000, 'v'));
  return module;
}

const SampleModule kSampleModules[] = {
    {"empty", MakeEmptyModule}, {"tiny", MakeTinyModule},
    {"step", MakeStepModule},   {"dtypes", MakeDtypeModule},
    {"names", MakeNameModule},
};
const int kNSampleModules = sizeof kSampleModules / sizeof *kSampleModules;

// --- random ----------------------------------------------------------------

namespace {

class RandomGraph {
 public:
  RandomGraph(tir_context *context, const std::string &name, TestRandom *random)
      : random_(random) {
    tir_error error = {};
    EXPECT_EQ(tir_ir_graph_create(context, name.c_str(), &graph_, &error),
              TIR_OK);
    // What chance would hardly bring together: scalars, matrices with labels,
    // the state of random ops.
    DeclareInput(TIR_DTYPE_F32, {});
    DeclareInput(TIR_DTYPE_F32, {4, 3});
    DeclareInput(TIR_DTYPE_I64, {4});
    DeclareInput(TIR_DTYPE_I64, {2});
    DeclareInput(TIR_DTYPE_I64, {});
  }

  // Declares an input or a constant, or tries an op on random operands.
  void Grow() {
    const uint64_t choice = random_->Below(10);
    if (choice == 0)
      Declare(TIR_OP_INPUT, "in" + std::to_string(n_names_++));
    else if (choice == 1)
      Constant();
    else
      Call();
  }

  // Outputs some values, and adds the graph.
  void Publish(tir_module *module) {
    tir_error error = {};
    for (uint32_t id = 1; id <= tir_ir_n_values(graph_); id++)
      if (random_->Below(4) == 0) {
        EXPECT_EQ(
            tir_ir_add_output(graph_, tir_ir_value{id},
                              ("out" + std::to_string(id)).c_str(), &error),
            TIR_OK);
      }
    tir_graph *published = nullptr;
    EXPECT_EQ(tir_ir_module_add_graph(module, graph_, &published, &error),
              TIR_OK)
        << error.message;
  }

 private:
  tir_ir_type RandomType() {
    tir_ir_type type = {};
    type.dtype =
        random_->Below(2) ? TIR_DTYPE_F32 : kDtypes[random_->Below(10)];
    type.rank = static_cast<int>(random_->Below(4));
    for (int i = 0; i < type.rank; i++) {
      type.dims[i] = static_cast<int64_t>(random_->Below(4));
      if (random_->Below(3) == 0) {
        const std::string symbol = "d" + std::to_string(type.dims[i]);
        EXPECT_TRUE(tir_base_strings_intern(&graph_->strings, symbol.data(),
                                            symbol.size(), &type.symbols[i]));
      }
    }
    return type;
  }

  tir_ir_node Declare(tir_op op, const std::string &name,
                      const void *attrs = nullptr,
                      const tir_ir_type *given = nullptr) {
    const tir_ir_type type = given ? *given : RandomType();
    tir_ir_node node = {};
    tir_error error = {};
    EXPECT_EQ(tir_ir_append_checked(graph_, op, nullptr, 0, attrs, &type, 1,
                                    &node, &error),
              TIR_OK)
        << error.message;
    if (!name.empty()) {
      EXPECT_EQ(tir_ir_set_value_name(graph_, tir_ir_out(graph_, node, 0),
                                      name.data(), name.size(), &error),
                TIR_OK);
    }
    return node;
  }

  void DeclareInput(tir_dtype dtype, const std::vector<int64_t> &dims) {
    tir_ir_type type = {};
    type.dtype = dtype;
    type.rank = static_cast<int>(dims.size());
    for (size_t i = 0; i < dims.size(); i++) type.dims[i] = dims[i];
    Declare(TIR_OP_INPUT, "in" + std::to_string(n_names_++), nullptr, &type);
  }

  void Constant() {
    tir_ir_type type = RandomType();
    for (uint32_t &symbol : type.symbols) symbol = 0;
    tir_attrs_constant attrs = {};
    if (random_->Below(2)) {
      tir_tensor *tensor = CountingTensor(
          graph_->context, type.dtype,
          std::vector<int64_t>(type.dims, type.dims + type.rank));
      uint32_t index = 0;
      EXPECT_EQ(tir_ir_add_tensor(graph_, tensor, &index, nullptr), TIR_OK);
      tir_tensor_release(tensor);
      attrs.tensor = index + 1;
    } else {
      attrs.bits = type.dtype == TIR_DTYPE_BOOL ? random_->Below(2)
                                                : random_->Below(256);
    }
    Declare(TIR_OP_CONSTANT, "", &attrs, &type);
  }

  void RandomAttrs(const tir_op_desc *desc, tir_ir_any_attrs *attrs) {
    memset(attrs, 0, sizeof *attrs);
    tir_ir_attrs_default(desc, attrs);
    for (int i = 0; i < desc->n_attrs; i++) {
      const tir_ir_attr *attr = &desc->attrs[i];
      if (!attr->required && random_->Below(2)) continue;
      void *field = reinterpret_cast<char *>(attrs) + attr->offset;
      int64_t number = static_cast<int64_t>(random_->Below(5)) - 2;
      if (attr->kind == TIR_ATTR_BOOL) number = random_->Below(2) != 0;
      if (attr->kind == TIR_ATTR_DTYPE) number = kDtypes[random_->Below(10)];
      if (attr->kind == TIR_ATTR_INTS) {
        tir_ir_ints ints = {};
        ints.n = static_cast<int64_t>(random_->Below(4));
        for (int64_t k = 0; k < ints.n; k++)
          ints.v[k] = static_cast<int64_t>(random_->Below(5)) - 1;
        memcpy(field, &ints, sizeof ints);
      } else {
        memcpy(field, &number, sizeof number);
      }
    }
  }

  void Call() {
    const auto op = static_cast<tir_op>(1 + random_->Below(TIR_N_OPS - 1));
    const tir_op_desc *desc = tir_ir_op_desc(op);
    if (desc->traits &
            (TIR_TRAIT_INTERNAL | TIR_TRAIT_DECLARED | TIR_TRAIT_EFFECT) ||
        tir_ir_has_bodies(desc))
      return;
    const uint32_t max = desc->max_inputs == 255 ? 12u : desc->max_inputs;
    const uint64_t n_in =
        desc->min_inputs + random_->Below(max - desc->min_inputs + 1);
    // Types must fit: many tries, mostly with one operand repeated.
    for (int i = 0; i < 60; i++) {
      std::vector<uint32_t> operands(n_in);
      const uint64_t first = 1 + random_->Below(tir_ir_n_values(graph_));
      for (uint32_t &id : operands)
        id = static_cast<uint32_t>(
            random_->Below(3) ? first
                              : 1 + random_->Below(tir_ir_n_values(graph_)));
      tir_ir_any_attrs attrs;
      RandomAttrs(desc, &attrs);
      size_t n_out = desc->n_outputs;
      if (desc->count_outputs) {
        // Custom ops are refused unless the test has registered these.
        const auto custom = reinterpret_cast<tir_attrs_custom *>(&attrs);
        memset(&attrs, 0, sizeof attrs);
        strcpy(custom->op.text, "test.pure");
        custom->version = 1;
        custom->floats = {1, {static_cast<double>(random_->Below(5)) - 2}};
        n_out = 1;
      }
      tir_ir_node node = {};
      if (tir_ir_append_checked(graph_, op, operands.data(), n_in, &attrs,
                                nullptr, n_out, &node, nullptr) != TIR_OK)
        continue;
      Label(node);
      return;
    }
  }

  void Label(tir_ir_node node) {
    if (random_->Below(3) == 0) {
      const std::string site = "f" + std::to_string(random_->Below(9)) + ".c:1";
      tir_ir_node_at(graph_, node)->site =
          tir_ir_keep_site(graph_, site.c_str());
    }
    for (uint32_t i = 0; i < tir_ir_n_out(graph_, node); i++) {
      if (random_->Below(3)) continue;
      const std::string name = "v" + std::to_string(n_names_++);
      EXPECT_EQ(tir_ir_set_value_name(graph_, tir_ir_out(graph_, node, i),
                                      name.data(), name.size(), nullptr),
                TIR_OK);
    }
  }

  TestRandom *random_;
  tir_ir_graph *graph_ = nullptr;
  int n_names_ = 0;
};

}  // namespace

tir_module *MakeRandomModule(tir_context *context, uint64_t seed) {
  TestRandom random(seed);
  tir_module *module = NewModule(context);
  const uint64_t n_params = random.Below(4), n_graphs = random.Below(4);
  for (uint64_t i = 0; i < n_params; i++)
    AddCounting(module, context, "p" + std::to_string(i),
                kDtypes[random.Below(10)],
                std::vector<int64_t>(random.Below(4), 3),
                random.Below(2) ? TIR_PARAM_TRAINABLE : TIR_PARAM_STATE);
  for (uint64_t i = 0; i < n_graphs; i++) {
    RandomGraph graph(context, "g" + std::to_string(i), &random);
    const uint64_t n = random.Below(40);
    for (uint64_t k = 0; k < n; k++) graph.Grow();
    graph.Publish(module);
  }
  for (uint64_t i = 0; i < random.Below(3); i++)
    SetMetadata(module, "key" + std::to_string(i), "value");
  return module;
}

// --- long ------------------------------------------------------------------

tir_module *MakeChainModule(tir_context *context, uint32_t n_nodes) {
  tir_module *module = NewModule(context);
  tir_ir_graph *graph = nullptr;
  tir_error error = {};
  EXPECT_EQ(tir_ir_graph_create(context, "chain", &graph, &error), TIR_OK);
  tir_ir_type type = {};
  type.dtype = TIR_DTYPE_F32;
  type.rank = 1;
  type.dims[0] = 2;
  tir_ir_node node = {};
  EXPECT_EQ(tir_ir_append_checked(graph, TIR_OP_INPUT, nullptr, 0, nullptr,
                                  &type, 1, &node, &error),
            TIR_OK);
  EXPECT_EQ(
      tir_ir_set_value_name(graph, tir_ir_out(graph, node, 0), "x", 1, &error),
      TIR_OK);
  for (uint32_t i = 1; i < n_nodes; i++) {
    const uint32_t in = tir_ir_out(graph, node, 0).id;
    if (tir_ir_append_checked(graph, TIR_OP_TANH, &in, 1, nullptr, nullptr, 1,
                              &node, &error) != TIR_OK) {
      ADD_FAILURE() << error.message;
      break;
    }
  }
  EXPECT_EQ(tir_ir_add_output(graph, tir_ir_out(graph, node, 0), "y", &error),
            TIR_OK);
  tir_graph *published = nullptr;
  EXPECT_EQ(tir_ir_module_add_graph(module, graph, &published, &error), TIR_OK)
      << error.message;
  return module;
}
