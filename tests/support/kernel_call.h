// One op, run by its kernel and by the reference, without graph or program.
#ifndef TAPEIR_TESTS_SUPPORT_KERNEL_CALL_H
#define TAPEIR_TESTS_SUPPORT_KERNEL_CALL_H

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/support/internal.h"
#include "tests/support/random.h"

extern "C" {
#include "exec/blas.h"
#include "exec/cpu.h"
#include "exec/kernel.h"
#include "ir/reference/reference.h"
}

namespace tapeir_test {

inline tir_ir_type TypeOf(tir_dtype dtype, const std::vector<int64_t> &dims) {
  tir_ir_type type = {};
  type.dtype = dtype;
  type.rank = static_cast<int>(dims.size());
  for (size_t a = 0; a < dims.size(); a++) type.dims[a] = dims[a];
  return type;
}

inline tir_ir_ints IntsOf(const std::vector<int64_t> &values) {
  tir_ir_ints ints = {};
  for (int64_t v : values) ints.v[ints.n++] = v;
  return ints;
}

// Levels this machine has.
inline std::vector<int> Levels() {
  std::vector<int> levels;
  for (int l = TIR_CPU_BASELINE; l <= tir_exec_cpu_best(); l++)
    levels.push_back(l);
  return levels;
}

// Dense elements of one type at a chosen distance from a 64-byte boundary,
// with guard bytes on both sides.
class Buffer {
 public:
  explicit Buffer(const tir_ir_type &type, size_t offset = 0,
                  uint8_t poison = 0xA5)
      : type_(type),
        size_(static_cast<size_t>(tir_ir_type_numel(&type)) *
              tir_dtype_size(type.dtype)),
        block_(size_ + offset + 3 * kGuard + 64, poison),
        poison_(poison) {
    const size_t at = reinterpret_cast<uintptr_t>(block_.data());
    start_ = (at + kGuard + 63) / 64 * 64 - at + offset;
  }
  const tir_ir_type &type() const { return type_; }
  size_t size() const { return size_; }
  size_t count() const {
    return static_cast<size_t>(tir_ir_type_numel(&type_));
  }
  uint8_t *data() { return block_.data() + start_; }
  const uint8_t *data() const { return block_.data() + start_; }
  const uint8_t *At(size_t e) const {
    return data() + e * tir_dtype_size(type_.dtype);
  }
  double F64(size_t e) const { return tir_ir_load_f64(type_.dtype, At(e)); }
  int64_t I64(size_t e) const { return tir_ir_load_i64(type_.dtype, At(e)); }
  void Set(size_t e, double x) {
    tir_ir_store_f64(type_.dtype, data() + e * tir_dtype_size(type_.dtype), x);
  }
  void SetI64(size_t e, int64_t x) {
    tir_ir_store_i64(type_.dtype, data() + e * tir_dtype_size(type_.dtype), x);
  }
  bool GuardsHold() const {
    for (size_t i = 0; i < start_; i++)
      if (block_[i] != poison_) return false;
    for (size_t i = start_ + size_; i < block_.size(); i++)
      if (block_[i] != poison_) return false;
    return true;
  }

 private:
  static constexpr size_t kGuard = 128;
  tir_ir_type type_;
  size_t size_;
  std::vector<uint8_t> block_;
  size_t start_;
  uint8_t poison_;
};

// What to do differently from a plain run.
struct KernelOptions {
  int level = TIR_CPU_BASELINE;
  size_t out_offset = 0;        // bytes past a 64-byte boundary
  int alias = -1;               // output 0 stands in this operand's memory
  uint32_t unused_outputs = 0;  // bit per output
  uint8_t poison = 0xA5;        // of outputs and scratch before
};

// An op with operands: Run gives outputs by the kernel, Reference by ir/.
class KernelCall {
 public:
  explicit KernelCall(tir_op op) : op_(op) {}
  template <typename T>
  KernelCall &Attrs(const T &attrs) {
    attrs_.resize((sizeof attrs + 7) / 8);
    memcpy(attrs_.data(), &attrs, sizeof attrs);
    return *this;
  }
  KernelCall &In(const Buffer &buffer) {
    in_.push_back(std::make_unique<Buffer>(buffer));
    shape_only_.push_back(false);
    return *this;
  }
  KernelCall &Shape(const tir_ir_type &type) {
    in_.push_back(std::make_unique<Buffer>(type));
    shape_only_.push_back(true);
    return *this;
  }
  KernelCall &Out(const tir_ir_type &type) {
    out_types_.push_back(type);
    return *this;
  }

  // Outputs land in out(); the status and fault message are kept.
  tir_status Run(const KernelOptions &options) {
    tir_base_arena arena;
    tir_base_arena_init(&arena, Context());
    const tir_status status = RunIn(&arena, options);
    tir_base_arena_free(&arena);
    return status;
  }
  // As a program has it; the same bits as in one piece.
  tir_status RunWithUsualCut(const KernelOptions &options) {
    tir_base_arena arena;
    tir_base_arena_init(&arena, Context());
    const tir_status status = RunTwice(&arena, options, kOnePiece, 0);
    tir_base_arena_free(&arena);
    return status;
  }
  tir_status Reference() {
    std::vector<tir_ir_type> types;
    std::vector<const void *> in;
    for (size_t i = 0; i < in_.size(); i++) {
      types.push_back(in_[i]->type());
      in.push_back(shape_only_[i] ? nullptr : in_[i]->data());
    }
    wanted_.clear();
    std::vector<void *> out;
    for (const tir_ir_type &type : out_types_) {
      wanted_.push_back(std::make_unique<Buffer>(type));
      out.push_back(wanted_.back()->data());
    }
    tir_error error = {};
    tir_reference_call call = {};
    call.desc = tir_ir_op_desc(op_);
    call.attrs = attrs_.data();
    call.in = types.data();
    call.in_data = in.data();
    call.n_in = types.size();
    call.out = out_types_.data();
    call.out_data = out.data();
    call.n_out = out_types_.size();
    call.error = &error;
    const tir_status status = tir_reference_eval(op_, &call);
    message_ = error.message;
    return status;
  }
  const Buffer &out(size_t i = 0) const { return *out_[i]; }
  const Buffer &wanted(size_t i = 0) const { return *wanted_[i]; }
  const Buffer &in(size_t i) const { return *in_[i]; }
  const std::string &message() const { return message_; }
  bool uses_blas() const { return uses_blas_; }
  // Of the last run: how many units the step was cut into.
  uint32_t n_units() const { return n_units_; }

  // In one piece, with somebody to ask.
  tir_status RunPolled(const tir_exec_poll *poll) {
    tir_base_arena arena;
    tir_base_arena_init(&arena, Context());
    poll_ = poll;
    const tir_status status = RunOnce(&arena, KernelOptions(), kOnePiece);
    poll_ = nullptr;
    tir_base_arena_free(&arena);
    return status;
  }

  // Once in one piece and once cut into as many units as possible, computed
  // from the last to the first: the same bits, or the same fault.
  tir_status RunIn(tir_base_arena *arena, const KernelOptions &options) {
    return RunTwice(arena, options, 1e-6, 0);
  }

 private:
  static constexpr double kOnePiece = 1e30;

  // Cut in two ways, which must agree.
  tir_status RunTwice(tir_base_arena *arena, const KernelOptions &options,
                      double grain, double other_grain) {
    const tir_status cut = RunOnce(arena, options, grain);
    if (cut == TIR_ERR_MEMORY) return cut;
    std::vector<std::unique_ptr<Buffer>> cut_out;
    cut_out.swap(out_);
    const std::string cut_message = message_;
    const tir_status status = RunOnce(arena, options, other_grain);
    if (status == TIR_ERR_MEMORY) return status;
    EXPECT_EQ(cut, status) << cut_message;
    EXPECT_EQ(cut_message, message_);
    for (size_t i = 0; i < out_.size() && status == TIR_OK; i++)
      EXPECT_EQ(memcmp(cut_out[i]->data(), out_[i]->data(), out_[i]->size()), 0)
          << tir_ir_op_desc(op_)->name << ": output " << i << " cut";
    return status;
  }

  // One for all calls of the program.
  static tir_context *Context() {
    struct Holder {
      Holder() { tir_context_create(nullptr, &context, nullptr); }
      ~Holder() { tir_context_destroy(context); }
      tir_context *context = nullptr;
    };
    static const Holder holder;
    return holder.context;
  }

  static tir_status RunUnits(const tir_exec_prepare &q, tir_exec_call *call) {
    if (q.split.n_units < 2) return q.run(call);
    tir_status status = TIR_OK;
    for (uint32_t unit = q.split.n_units; unit-- > 0;) {
      call->first = unit;
      call->end = unit + 1;
      const tir_status one = q.run(call);
      if (one != TIR_OK) status = one;
    }
    if (status == TIR_OK && q.split.finish) status = q.split.finish(call);
    return status;
  }

  tir_status RunOnce(tir_base_arena *arena, const KernelOptions &options,
                     double grain) {
    std::vector<tir_ir_type> types;
    for (const auto &b : in_) types.push_back(b->type());
    std::unique_ptr<bool[]> used(new bool[out_types_.size()]);
    for (size_t i = 0; i < out_types_.size(); i++)
      used[i] = !(options.unused_outputs >> i & 1);
    tir_error error = {};
    tir_exec_prepare q = {};
    q.desc = tir_ir_op_desc(op_);
    q.attrs = attrs_.data();
    q.in = types.data();
    q.n_in = types.size();
    q.out = out_types_.data();
    q.n_out = out_types_.size();
    q.out_used = used.get();
    q.cpu_level = options.level;
    q.arena = arena;
    q.grain = grain;
    q.error = &error;
    const tir_exec_kernel_desc *kernel = tir_exec_kernel(op_);
    const tir_status status = kernel->prepare(&q);
    message_ = error.message;
    if (status != TIR_OK) return status;
    uses_blas_ = q.uses_blas;
    n_units_ = q.split.n_units;
    EXPECT_NE(q.run, nullptr);
    return Execute(q, options);
  }

  tir_status Execute(const tir_exec_prepare &q, const KernelOptions &options) {
    // Copies, so that a call may be run again after one in place.
    std::vector<Buffer> in;
    in.reserve(in_.size());
    std::vector<void *> ptr = {nullptr};
    std::vector<uint32_t> arg;
    for (size_t i = 0; i < in_.size(); i++) {
      in.push_back(*in_[i]);
      if (shape_only_[i]) {
        arg.push_back(0);
        continue;
      }
      arg.push_back(static_cast<uint32_t>(ptr.size()));
      ptr.push_back(in[i].data());
    }
    out_.clear();
    for (size_t i = 0; i < out_types_.size(); i++) {
      out_.push_back(std::make_unique<Buffer>(out_types_[i], options.out_offset,
                                              options.poison));
      const bool unused = options.unused_outputs >> i & 1;
      arg.push_back(unused ? 0 : static_cast<uint32_t>(ptr.size()));
      ptr.push_back(i == 0 && options.alias >= 0
                        ? in[static_cast<size_t>(options.alias)].data()
                        : out_[i]->data());
    }
    const size_t shared = (q.split.shared_bytes + 63) / 64 * 64;
    const size_t used = shared + q.scratch_bytes;
    std::vector<uint8_t> scratch(used + 192, options.poison);
    const size_t at = reinterpret_cast<uintptr_t>(scratch.data());
    uint8_t *start = scratch.data() + ((at + 63) / 64 * 64 - at);
    tir_exec_fault fault = {};
    tir_exec_call call = {};
    call.ptr = ptr.data();
    call.arg = arg.data();
    call.params = q.params;
    call.shared = start;
    call.scratch = start + shared;
    call.fault = &fault;
    call.poll = poll_;
    tir_exec_blas_guard guard = {};
    if (q.uses_blas) tir_exec_blas_begin(&guard);
    const tir_status status = RunUnits(q, &call);
    if (q.uses_blas) tir_exec_blas_end(&guard);
    message_ = fault.message;
    for (const uint8_t *b = start + used; b < scratch.data() + scratch.size();
         b++)
      EXPECT_EQ(*b, options.poison) << "wrote past the scratch";
    for (size_t i = 0; i < in.size(); i++)
      if (static_cast<int>(i) != options.alias) {
        EXPECT_EQ(memcmp(in[i].data(), in_[i]->data(), in[i].size()), 0)
            << "operand " << i << " was written";
      }
    for (const auto &b : out_) EXPECT_TRUE(b->GuardsHold());
    if (options.alias >= 0)
      memcpy(out_[0]->data(), in[static_cast<size_t>(options.alias)].data(),
             out_[0]->size());
    return status;
  }

  tir_op op_;
  std::vector<uint64_t> attrs_;
  std::vector<std::unique_ptr<Buffer>> in_, out_, wanted_;
  std::vector<bool> shape_only_;
  std::vector<tir_ir_type> out_types_;
  std::string message_;
  bool uses_blas_ = false;
  uint32_t n_units_ = 0;
  const tir_exec_poll *poll_ = nullptr;
};

// --- comparing -------------------------------------------------------------

inline bool SameBits(const Buffer &a, size_t i, const Buffer &b, size_t j) {
  if (memcmp(a.At(i), b.At(j), tir_dtype_size(a.type().dtype)) == 0)
    return true;
  return tir_ir_dtype_is_float(a.type().dtype) && std::isnan(a.F64(i)) &&
         std::isnan(b.F64(j));
}

// All elements equal as bits (any NaN equals any NaN).
inline testing::AssertionResult SameBits(const Buffer &got,
                                         const Buffer &wanted) {
  if (memcmp(got.data(), wanted.data(), wanted.size()) == 0)
    return testing::AssertionSuccess();
  for (size_t e = 0; e < wanted.count(); e++)
    if (!SameBits(got, e, wanted, e))
      return testing::AssertionFailure()
             << "element " << e << " is " << got.F64(e) << ", wanted "
             << wanted.F64(e);
  return testing::AssertionSuccess();
}

// Distance in units of the last place of `wanted`; 0 for equal or both NaN.
inline double Ulps(tir_dtype dtype, double got, double wanted) {
  if (std::isnan(wanted)) return std::isnan(got) ? 0 : HUGE_VAL;
  if (got == wanted) return 0;
  if (!std::isfinite(got) || !std::isfinite(wanted)) return HUGE_VAL;
  const bool wide = dtype == TIR_DTYPE_F64;
  const int least = wide ? -1074 : -149;
  int exponent = 0;
  std::frexp(wanted, &exponent);
  const int unit = exponent - (wide ? 53 : 24);
  return std::fabs(got - wanted) / std::ldexp(1.0, unit < least ? least : unit);
}

inline testing::AssertionResult WithinUlps(const Buffer &got,
                                           const Buffer &wanted, double ulps) {
  for (size_t e = 0; e < wanted.count(); e++)
    if (!(Ulps(wanted.type().dtype, got.F64(e), wanted.F64(e)) <= ulps))
      return testing::AssertionFailure()
             << "element " << e << " is " << got.F64(e) << ", wanted "
             << wanted.F64(e);
  return testing::AssertionSuccess();
}

// |got − wanted| <= bound.
inline testing::AssertionResult WithinBound(const Buffer &got,
                                            const Buffer &wanted,
                                            double bound) {
  for (size_t e = 0; e < wanted.count(); e++) {
    const double a = got.F64(e), b = wanted.F64(e);
    if (a == b || (std::isnan(a) && std::isnan(b))) continue;
    if (!(std::fabs(a - b) <= bound))
      return testing::AssertionFailure()
             << "element " << e << " is " << a << ", wanted " << b << ", bound "
             << bound;
  }
  return testing::AssertionSuccess();
}

// --- data ------------------------------------------------------------------

// Numbers that trip arithmetic, then random ones; integers at their limits.
inline void FillTricky(Buffer *buffer, TestRandom *random) {
  const tir_dtype dtype = buffer->type().dtype;
  static const double kFloats[] = {0.0,
                                   -0.0,
                                   1.0,
                                   -1.0,
                                   HUGE_VAL,
                                   -HUGE_VAL,
                                   static_cast<double>(NAN),
                                   0x1p-149,
                                   -0x1p-140,
                                   0x1.fffffep127,
                                   -0x1.fffffep127,
                                   0.5,
                                   2.0,
                                   100.0,
                                   -100.0};
  for (size_t e = 0; e < buffer->count(); e++) {
    const bool special = random->Below(3) == 0;
    if (dtype == TIR_DTYPE_BOOL) {
      buffer->SetI64(e, static_cast<int64_t>(random->Below(2)));
    } else if (tir_ir_dtype_is_float(dtype)) {
      buffer->Set(
          e, special ? kFloats[random->Below(15)] : random->Between(-20, 20));
    } else if (special) {
      static const int64_t kInts[] = {0, 1, -1, INT64_MAX, INT64_MIN, 2, 255};
      buffer->SetI64(e, kInts[random->Below(7)]);
    } else {
      buffer->SetI64(e, static_cast<int64_t>(random->Below(41)) - 20);
    }
  }
}

inline void FillUniform(Buffer *buffer, TestRandom *random, double low = -1,
                        double high = 1) {
  const tir_dtype dtype = buffer->type().dtype;
  for (size_t e = 0; e < buffer->count(); e++) {
    if (tir_ir_dtype_is_float(dtype))
      buffer->Set(e, random->Between(low, high));
    else
      buffer->SetI64(e, static_cast<int64_t>(random->Below(41)) - 20);
  }
}

}  // namespace tapeir_test

#endif
