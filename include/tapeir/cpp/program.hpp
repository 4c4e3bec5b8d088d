/// @file
/// C++: compiled programs and their instances.
#ifndef TAPEIR_CPP_PROGRAM_HPP
#define TAPEIR_CPP_PROGRAM_HPP

#include "tapeir/cpp/graph.hpp"

TIR_CPP_BEGIN

/// tir_program.
class Program : public detail::Handle<tir_program, tir_program_destroy> {
 public:
  using Handle::Handle;
  static Expected<Program> compile(
      const Context &context, GraphRef graph,
      const tir_compile_options *options = nullptr) {
    tir_program *program = nullptr;
    tir_error error;
    const tir_status status =
        tir_compile(context.get(), graph.get(), options, &program, &error);
    return detail::finish(status, error, Program(program));
  }

  tir_memory_report memory() const {
    tir_memory_report out = {};
    tir_program_memory(get(), &out);
    return out;
  }
  Expected<tir_port> input(std::size_t index) const {
    return port(tir_program_input, index);
  }
  Expected<tir_port> output(std::size_t index) const {
    return port(tir_program_output, index);
  }
  Expected<std::string> text(const Context &context) const {
    char *text = nullptr;
    tir_error error;
    const tir_status status = tir_program_to_text(get(), &text, &error);
    return detail::take_text(context, status, error, text);
  }
  /// tir_explain_memory_text.
  Expected<std::string> explain_memory(const Context &context) const {
    char *text = nullptr;
    tir_error error;
    const tir_status status = tir_explain_memory_text(get(), &text, &error);
    return detail::take_text(context, status, error, text);
  }

 private:
  Expected<tir_port> port(tir_status (*find)(const tir_program *, std::size_t,
                                             tir_port *),
                          std::size_t index) const {
    tir_port out = {};
    const tir_status status = find(get(), index, &out);
    return detail::finish(
        status, detail::make_error(status, "program: there is no such port"),
        std::move(out));
  }
};

/// tir_instance. Keeps program and module alive.
class Instance : public detail::Handle<tir_instance, tir_instance_destroy> {
 public:
  Instance() = default;
  /// Over what a C function returned, and its program.
  Instance(tir_instance *instance, const tir_program *program)
      : Handle(instance), program_(program) {}

  static Expected<Instance> create(const Program &program) {
    return make(program, nullptr);
  }
  static Expected<Instance> create(const Program &program,
                                   const Module &module) {
    return make(program, module.get());
  }
  /// In the caller's block of memory().block_bytes, on 64 bytes.
  static Expected<Instance> create_in(const Program &program,
                                      tir_module *module, void *block,
                                      std::size_t block_bytes) {
    tir_instance *instance = nullptr;
    tir_error error;
    const tir_status status = tir_instance_create_in(
        program.get(), module, block, block_bytes, &instance, &error);
    return detail::finish(status, error, Instance(instance, program.get()));
  }

  /// The elements must stay where they are while the instance runs.
  template <class T>
  Expected<void> bind_input(std::size_t index, Span<const T> data) const {
    tir_error error;
    tir_status status =
        check_dtype(tir_program_input, index, dtype_of<T>, &error);
    if (status == TIR_OK)
      status = tir_instance_bind_input(get(), index, data.data(),
                                       data.size_bytes(), &error);
    return detail::finish(status, error);
  }
  template <class T>
  Expected<void> bind_output(std::size_t index, Span<T> data) const {
    tir_error error;
    tir_status status =
        check_dtype(tir_program_output, index, dtype_of<T>, &error);
    if (status == TIR_OK)
      status = tir_instance_bind_output(get(), index, data.data(),
                                        data.size_bytes(), &error);
    return detail::finish(status, error);
  }
  /// Position by name, −1 if there is none.
  std::int64_t find_input(const char *name) const {
    return tir_instance_find_input(get(), name);
  }
  std::int64_t find_output(const char *name) const {
    return tir_instance_find_output(get(), name);
  }

  Expected<void> run(const tir_run_options *options = nullptr) const {
    tir_error error;
    const tir_status status = tir_run(get(), options, &error);
    return detail::finish(status, error);
  }
  /// Elements of an output, valid until the next run.
  template <class T>
  Expected<Span<const T>> output(std::size_t index) const {
    tir_error error;
    const tir_status status =
        check_dtype(tir_program_output, index, dtype_of<T>, &error);
    Span<const T> out;
    if (status == TIR_OK) {
      tir_port port;
      tir_program_output(program_, index, &port);
      out = {static_cast<const T *>(tir_instance_output(get(), index)),
             detail::numel({port.dims, static_cast<std::size_t>(port.rank)})};
    }
    return detail::finish(status, error, std::move(out));
  }

 private:
  static Expected<Instance> make(const Program &program, tir_module *module) {
    tir_instance *instance = nullptr;
    tir_error error;
    const tir_status status =
        tir_instance_create(program.get(), module, &instance, &error);
    return detail::finish(status, error, Instance(instance, program.get()));
  }
  tir_status check_dtype(tir_status (*find)(const tir_program *, std::size_t,
                                            tir_port *),
                         std::size_t index, tir_dtype expected,
                         tir_error *error) const {
    tir_port port = {};
    tir_status status = find(program_, index, &port);
    const char *message = "instance: there is no such input or output";
    if (status == TIR_OK && port.dtype != expected) {
      status = TIR_ERR_DTYPE;
      message = "instance: the elements are of another type";
    }
    if (status != TIR_OK) *error = detail::make_error(status, message);
    return status;
  }

  // Kept alive by the instance.
  const tir_program *program_ = nullptr;
};

TIR_CPP_END
#endif
