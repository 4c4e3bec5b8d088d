/// @file
/// C++: modules, graphs, captures.
#ifndef TAPEIR_CPP_GRAPH_HPP
#define TAPEIR_CPP_GRAPH_HPP

#include <string>

#include "tapeir/cpp/tape.hpp"

TIR_CPP_BEGIN

namespace detail {

// A text of the library as a string.
inline Expected<std::string> take_text(const Context &context,
                                       tir_status status,
                                       const tir_error &error, char *text) {
  std::string out = status == TIR_OK ? text : "";
  if (status == TIR_OK) tir_text_free(context.get(), text);
  return finish(status, error, std::move(out));
}

}  // namespace detail

/// A graph that belongs to a module or a Graph, borrowed from it.
class GraphRef {
 public:
  GraphRef() = default;
  GraphRef(const tir_graph *graph) : graph_(graph) {}
  const tir_graph *get() const { return graph_; }
  explicit operator bool() const { return graph_ != nullptr; }

  const char *name() const { return tir_graph_name(graph_); }
  std::size_t n_inputs() const { return tir_graph_n_inputs(graph_); }
  std::size_t n_outputs() const { return tir_graph_n_outputs(graph_); }
  std::size_t n_params() const { return tir_graph_n_params(graph_); }
  std::size_t n_nodes() const { return tir_graph_n_nodes(graph_); }
  Expected<tir_port> input(std::size_t index) const {
    return port(tir_graph_input, index);
  }
  Expected<tir_port> output(std::size_t index) const {
    return port(tir_graph_output, index);
  }
  Expected<tir_port> param(std::size_t index) const {
    return port(tir_graph_param, index);
  }
  Expected<std::string> text(const Context &context) const {
    char *text = nullptr;
    tir_error error;
    const tir_status status = tir_graph_to_text(graph_, &text, &error);
    return detail::take_text(context, status, error, text);
  }

 private:
  Expected<tir_port> port(tir_status (*find)(const tir_graph *, std::size_t,
                                             tir_port *),
                          std::size_t index) const {
    tir_port out = {};
    const tir_status status = find(graph_, index, &out);
    return detail::finish(
        status, detail::make_error(status, "graph: there is no such port"),
        std::move(out));
  }

  const tir_graph *graph_ = nullptr;
};

/// A graph of its own, made from another.
class Graph : public detail::Handle<tir_graph, tir_graph_destroy> {
 public:
  using Handle::Handle;
  operator GraphRef() const { return get(); }
  GraphRef ref() const { return get(); }

  /// Passes or pipelines, comma-separated; see tir_graph_optimize.
  static Expected<Graph> optimize(GraphRef graph, const char *passes) {
    tir_graph *out = nullptr;
    tir_error error;
    const tir_status status =
        tir_graph_optimize(graph.get(), passes, &out, &error);
    return detail::finish(status, error, Graph(out));
  }
  /// Symbolic dims become sizes.
  static Expected<Graph> fix_dims(GraphRef graph,
                                  Span<const tir_dim_size> sizes) {
    tir_graph *out = nullptr;
    tir_error error;
    const tir_status status = tir_graph_fix_dims(graph.get(), sizes.data(),
                                                 sizes.size(), &out, &error);
    return detail::finish(status, error, Graph(out));
  }
  /// All float inputs and parameters, or those named.
  static Expected<Graph> differentiate(GraphRef graph,
                                       Span<const char *const> wrt = {},
                                       bool default_heads = true) {
    tir_graph *out = nullptr;
    tir_error error;
    const tir_status status = tir_graph_differentiate(
        graph.get(), wrt.data(), wrt.size(), default_heads, &out, &error);
    return detail::finish(status, error, Graph(out));
  }
};

/// tir_module: named graphs and parameters.
class Module : public detail::Handle<tir_module, tir_module_destroy> {
 public:
  using Handle::Handle;
  static Expected<Module> create(const Context &context) {
    tir_module *module = nullptr;
    tir_error error;
    const tir_status status = tir_module_create(context.get(), &module, &error);
    return detail::finish(status, error, Module(module));
  }
  /// From a .tir file.
  static Expected<Module> load(const Context &context, const char *path,
                               const tir_load_options *options = nullptr) {
    return make(tir_module_load, context, path, options);
  }
  /// From a .safetensors file: parameters alone.
  static Expected<Module> load_safetensors(
      const Context &context, const char *path,
      const tir_load_options *options = nullptr) {
    return make(tir_safetensors_load, context, path, options);
  }
  static Expected<Module> from_text(const Context &context,
                                    const std::string &text) {
    tir_module *module = nullptr;
    tir_error error;
    const tir_status status = tir_module_from_text(
        context.get(), text.data(), text.size(), &module, &error);
    return detail::finish(status, error, Module(module));
  }

  Expected<void> save(const char *path) const {
    tir_error error;
    const tir_status status = tir_module_save(get(), path, &error);
    return detail::finish(status, error);
  }
  Expected<void> save_safetensors(const char *path) const {
    tir_error error;
    const tir_status status = tir_safetensors_save(get(), path, &error);
    return detail::finish(status, error);
  }
  Expected<std::string> text(const Context &context) const {
    char *text = nullptr;
    tir_error error;
    const tir_status status = tir_module_to_text(get(), &text, &error);
    return detail::take_text(context, status, error, text);
  }

  /// A copy of `initial`.
  Expected<void> add_param(const char *name, const Tensor &initial,
                           tir_param_kind kind = TIR_PARAM_TRAINABLE) const {
    tir_error error;
    const tir_status status =
        tir_module_add_param(get(), name, kind, initial.get(), &error);
    return detail::finish(status, error);
  }
  std::size_t n_params() const { return tir_module_n_params(get()); }
  /// Borrowed; null past the end.
  const char *param_name(std::size_t index) const {
    return tir_module_param_name(get(), index);
  }
  bool has_param(const char *name) const {
    return tir_module_find_param(get(), name) >= 0;
  }
  /// A copy of its data.
  Expected<Tensor> param(const char *name) const {
    tir_tensor *tensor = nullptr;
    tir_error error;
    const tir_status status =
        tir_module_get_param(get(), name, &tensor, &error);
    return detail::finish(status, error, Tensor(tensor));
  }
  Expected<void> set_param(const char *name, const Tensor &value) const {
    tir_error error;
    const tir_status status =
        tir_module_set_param(get(), name, value.get(), &error);
    return detail::finish(status, error);
  }

  std::size_t n_graphs() const { return tir_module_n_graphs(get()); }
  GraphRef graph_at(std::size_t index) const {
    return tir_module_graph_at(get(), index);
  }
  /// False if there is none of that name.
  GraphRef graph(const char *name) const {
    return tir_module_graph(get(), name);
  }
  /// A copy, under another name unless it is null.
  Expected<GraphRef> add_graph(GraphRef graph,
                               const char *name = nullptr) const {
    tir_graph *out = nullptr;
    tir_error error;
    const tir_status status =
        tir_module_add_graph(get(), graph.get(), name, &out, &error);
    return detail::finish(status, error, GraphRef(out));
  }

 private:
  static Expected<Module> make(tir_status (*load)(tir_context *, const char *,
                                                  const tir_load_options *,
                                                  tir_module **, tir_error *),
                               const Context &context, const char *path,
                               const tir_load_options *options) {
    tir_module *module = nullptr;
    tir_error error;
    const tir_status status =
        load(context.get(), path, options, &module, &error);
    return detail::finish(status, error, Module(module));
  }
};

/// A capture: what is recorded while it lives goes to a graph of the module.
/// Without end(), as when an exception passes, the graph is dropped.
class [[nodiscard]] Capture {
 public:
  Capture(const Tape &tape, const Module &module, const char *name)
      : tape_(tape.get()), module_(module.get()) {
    tir_capture_begin(tape_, module_, name);
  }
  ~Capture() {
    if (!tape_) return;
    // An output that is no value fails the capture.
    tir_output(tape_, "", tir_value{});
    tir_capture_end(tape_, nullptr, nullptr);
  }
  Capture(const Capture &) = delete;
  Capture &operator=(const Capture &) = delete;

  Value input(const char *name, tir_dtype dtype, Dims dims) const {
    return (tir_input)(tape_, name, dtype, dims.data(), detail::length(dims));
  }
  /// dim_names[i] null for a fixed dim; as many as there are dims.
  Value input(const char *name, tir_dtype dtype, Dims dims,
              Span<const char *const> dim_names) const {
    return (tir_input_symbolic)(tape_, name, dtype, dims.data(),
                                dim_names.data(),
                                dims.size() == dim_names.size()
                                    ? detail::length(dims)
                                    : -1);
  }
  Value param(const char *name) const {
    return (tir_param)(tape_, module_, name);
  }
  Value constant(const Tensor &tensor) const {
    return (tir_constant)(tape_, tensor.get());
  }
  void output(const char *name, Value value) const {
    tir_output(tape_, name, value);
  }
  /// The graph, which belongs to the module.
  Expected<GraphRef> end() {
    tir_graph *graph = nullptr;
    tir_error error;
    const tir_status status =
        tir_capture_end(std::exchange(tape_, nullptr), &graph, &error);
    return detail::finish(status, error, GraphRef(graph));
  }

 private:
  tir_tape *tape_;
  tir_module *module_;
};

/// A module's parameter or state as a value of a live tape.
inline Value param(const Tape &tape, const Module &module, const char *name) {
  return (tir_param)(tape.get(), module.get(), name);
}

TIR_CPP_END
#endif
