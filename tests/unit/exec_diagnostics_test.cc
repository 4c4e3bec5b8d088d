// What is wrong in many places at once: every item reaches the diagnostics
// callback, the message shows what fits and counts the rest.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/compiled.h"
#include "tests/support/custom_ops.h"

extern "C" {
#include "ir/base/list.h"
}

namespace {

class Diagnostics : public testing::Test {
 protected:
  Diagnostics() {
    tir_context_options options = {};
    options.diagnostics = [](void *user, tir_status, const char *message) {
      static_cast<std::vector<std::string> *>(user)->push_back(message);
    };
    options.diagnostics_user = &items;
    tir_context *context = nullptr;
    EXPECT_EQ(tir_context_create(&options, &context, &error), TIR_OK);
    context_.reset(context);
    module_ = MakeModule(c());
    EXPECT_EQ(tir_tape_create(c(), nullptr, &t, &error), TIR_OK);
  }
  ~Diagnostics() override { tir_tape_destroy(t); }
  tir_context *c() const { return context_.get(); }
  // An i of three digits.
  static std::string Number(int i) { return std::to_string(100 + i); }

  std::vector<std::string> items;
  Owned<tir_context> context_;
  Owned<tir_module> module_;
  tir_tape *t = nullptr;
  tir_error error = {};
};

TEST_F(Diagnostics, ListShowsWholeItemsAndCountsTheRest) {
  tir_base_list list;
  tir_base_list_begin(&list, c(), TIR_ERR_SHAPE);
  EXPECT_STREQ(tir_base_list_text(&list), "");
  const std::string item = "caf\xc3\xa9 " + std::string(40, 'x');
  for (int i = 0; i < 50; i++)
    tir_base_list_add(&list, item.c_str(), "item %d", i);
  const std::string text = tir_base_list_text(&list);
  const size_t n_shown = 6;  // of 46 bytes and ", " in 280
  std::string expected = item;
  for (size_t i = 1; i < list.n_shown; i++) expected += ", " + item;
  EXPECT_EQ(text,
            expected + " … and " + std::to_string(50 - list.n_shown) + " more");
  EXPECT_GE(list.n_shown, n_shown - 1);
  EXPECT_EQ(tir_base_list_n_more(&list), 50 - list.n_shown);
  ASSERT_EQ(items.size(), 50u);
  EXPECT_EQ(items[49], "item 49");
  tir_base_list_begin(&list, c(), TIR_ERR_SHAPE);
  tir_base_list_add(&list, std::string(4000, 'x').c_str(), "long");
  EXPECT_STREQ(tir_base_list_text(&list), "… and 1 more");
}

// 30 inputs, of which one is bound.
TEST_F(Diagnostics, UnboundInputsAreAllTold) {
  tir_capture_begin(t, module_.get(), "g");
  tir_value sum = {};
  for (int i = 0; i < 30; i++) {
    const tir_value x =
        tir_input(t, ("x" + Number(i)).c_str(), TIR_DTYPE_F32, nullptr, 0);
    sum = i ? tir_add(t, sum, x) : x;
  }
  tir_output(t, "y", sum);
  tir_graph *graph = nullptr;
  ASSERT_EQ(tir_capture_end(t, &graph, &error), TIR_OK) << error.message;
  const Owned<tir_program> program = Compile(c(), graph);
  const Owned<tir_instance> instance = Instantiate(program);
  const std::vector<float> one = {1};
  Bind(instance, 0, one);
  items.clear();
  EXPECT_EQ(tir_run(instance.get(), nullptr, &error), TIR_ERR_STATE);
  const std::string message = error.message;
  EXPECT_EQ(message.find("run: inputs 1 \"x101\", 2 \"x102\", "), 0u)
      << message;
  const std::string end =
      " … and " + std::to_string(error.n_more) + " more are not bound";
  EXPECT_EQ(message.substr(message.size() - end.size()), end) << message;
  ASSERT_EQ(items.size(), 29u);
  EXPECT_EQ(items[0], "run: input 1 \"x101\" is not bound");
  EXPECT_EQ(items[28], "run: input 29 \"x129\" is not bound");
  for (size_t i = 1; i < 30; i++) Bind(instance, i, one);
  RunOk(instance);
}

TEST_F(Diagnostics, MissingParametersAreAllTold) {
  std::string text = "graph @g(";
  for (int i = 0; i < 60; i++)
    text += (i ? ", " : "") + std::string("%w") + Number(i) +
            ": param f32[] \"w" + Number(i) + "\"";
  text += ") {\n  return %w100, %w115, %w159\n}\n";
  tir_module *module = nullptr;
  ASSERT_EQ(
      tir_module_from_text(c(), text.data(), text.size(), &module, &error),
      TIR_OK)
      << error.message;
  const Owned<tir_module> owner(module);
  const Owned<tir_program> program =
      Compile(c(), tir_module_graph(module, "g"));
  items.clear();
  tir_instance *instance = nullptr;
  EXPECT_EQ(tir_instance_create(program.get(), module, &instance, &error),
            TIR_ERR_ARGUMENT);
  const std::string message = error.message;
  EXPECT_EQ(message.find("instance: the module has no parameters \"w100\", "
                         "\"w101\", "),
            0u)
      << message;
  EXPECT_GT(error.n_more, 0u);
  ASSERT_EQ(items.size(), 60u);
  EXPECT_EQ(items[59], "instance: the module has no parameter \"w159\"");
}

TEST_F(Diagnostics, OpsWithoutARuleAreAllTold) {
  for (int i = 0; i < 12; i++) {
    const std::string name = "plain" + Number(i);
    custom_ops::Register(c(), custom_ops::Product(name.c_str(), true));
  }
  const float one = 1;
  tir_value y = tir_value_from_data(t, TIR_DTYPE_F32, nullptr, 0, &one);
  tir_attach_grad(t, y, TIR_GRAD_WRITE);
  tir_record_begin(t, true);
  for (int i = 0; i < 12; i++) {
    const std::string name = "plain" + Number(i);
    tir_custom_attrs attrs = {};
    attrs.n_floats = 1;
    const tir_value in[] = {y, y};
    y = tir_custom(t, name.c_str(), &attrs, in, 2, nullptr, 0);
  }
  tir_mode_end(t);
  items.clear();
  tir_backward(t, y);
  EXPECT_EQ(tir_tape_check(t, &error), TIR_ERR_UNSUPPORTED);
  EXPECT_EQ(std::string(error.message)
                .find("backward: 12 ops on the way without a gradient: "
                      "custom_pure plain100, custom_pure plain101"),
            0u)
      << error.message;
  ASSERT_EQ(items.size(), 13u);  // and the message itself
  for (int i = 0; i < 12; i++)
    EXPECT_EQ(items[static_cast<size_t>(i)],
              "backward: custom_pure plain" + Number(i) +
                  " has no gradient: it has neither vjp_run nor vjp_build");
}

// Two heads, of which neither reaches one of 40 marked variables; what they do
// reach asks for no gradient.
TEST_F(Diagnostics, HeadsAndVariablesOutOfReachAreAllTold) {
  const float one = 1;
  const auto variable = [&](const std::string &name, tir_grad_request request) {
    const tir_value x =
        tir_set_name(t, tir_value_from_data(t, TIR_DTYPE_F32, nullptr, 0, &one),
                     name.c_str());
    tir_attach_grad(t, x, request);
    return x;
  };
  const tir_value x = variable("x", TIR_GRAD_NULL);
  for (int i = 0; i < 40; i++) variable("v" + Number(i), TIR_GRAD_WRITE);
  tir_record_begin(t, true);
  const tir_value heads[] = {tir_set_name(t, tir_square(t, x), "y"),
                             tir_set_name(t, tir_exp(t, x), "z")};
  tir_mode_end(t);
  items.clear();
  tir_backward_ex(t, heads, 2, nullptr, 0, nullptr);
  EXPECT_EQ(tir_tape_check(t, &error), TIR_ERR_STATE);
  const std::string message = error.message;
  EXPECT_EQ(message.find("backward: no variable with attach_grad is reached "
                         "from head 0 \"y\" and the others; left out: 0 "
                         "\"x\", 1 \"v100\", 2 \"v101\", "),
            0u)
      << message;
  EXPECT_GT(error.n_more, 0u);
  EXPECT_NE(message.find(" … and " + std::to_string(error.n_more) + " more"),
            std::string::npos)
      << message;
  ASSERT_EQ(items.size(), 2u + 41 + 1);  // and the message itself
  EXPECT_EQ(items[0],
            "backward: head 0 \"y\" reaches no variable with attach_grad");
  EXPECT_EQ(items[1],
            "backward: head 1 \"z\" reaches no variable with attach_grad");
  EXPECT_EQ(items[2],
            "backward: variable 0 \"x\" is marked to get no gradient");
  for (int i = 0; i < 40; i++)
    EXPECT_EQ(items[static_cast<size_t>(3 + i)],
              "backward: variable " + std::to_string(i + 1) + " \"v" +
                  Number(i) + "\" is not reached");
  EXPECT_EQ(items[43].find("backward: no variable"), 0u) << items[43];
}

TEST_F(Diagnostics, WrtOutOfReachAreAllTold) {
  const float one = 1;
  std::vector<tir_value> wrt;
  for (int i = 0; i < 30; i++) {
    wrt.push_back(
        tir_set_name(t, tir_value_from_data(t, TIR_DTYPE_F32, nullptr, 0, &one),
                     ("w" + Number(i)).c_str()));
    tir_attach_grad(t, wrt.back(), TIR_GRAD_WRITE);
  }
  tir_record_begin(t, true);
  const tir_value y = tir_square(t, wrt[1]);
  tir_mode_end(t);
  std::vector<tir_value> grads(30);
  items.clear();
  tir_grad(t, &y, 1, nullptr, 0, wrt.data(), 3, nullptr, grads.data());
  EXPECT_EQ(tir_tape_check(t, &error), TIR_ERR_STATE);
  EXPECT_EQ(std::string(error.message)
                .find("grad: wrt 0 \"w100\", 2 \"w102\" are not reached from "
                      "the heads (allow_unused gives zeros)"),
            0u)
      << error.message;
  EXPECT_EQ(error.n_more, 0u);
  ASSERT_EQ(items.size(), 3u);
  EXPECT_EQ(items[0], "grad: wrt 0 \"w100\" is not reached from the heads");
  EXPECT_EQ(items[1], "grad: wrt 2 \"w102\" is not reached from the heads");
  items.clear();
  tir_grad(t, &y, 1, nullptr, 0, wrt.data(), 30, nullptr, grads.data());
  EXPECT_EQ(tir_tape_check(t, &error), TIR_ERR_STATE);
  EXPECT_GT(error.n_more, 0u);
  EXPECT_EQ(items.size(), 29u + 1);
}

}  // namespace
