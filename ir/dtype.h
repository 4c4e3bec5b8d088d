// What the dtypes are, and conversion of single elements. Slow and exact:
// kernels have their own loops.
#ifndef TAPEIR_IR_DTYPE_H
#define TAPEIR_IR_DTYPE_H

#include "tapeir/base.h"

enum { TIR_N_DTYPES = TIR_DTYPE_BOOL + 1 };

bool tir_ir_dtype_is_valid(tir_dtype dtype);
bool tir_ir_dtype_is_float(tir_dtype dtype);    // f16 bf16 f32 f64
bool tir_ir_dtype_is_integer(tir_dtype dtype);  // not bool
// f32 and f64: what float arithmetic runs on.
bool tir_ir_dtype_is_compute_float(tir_dtype dtype);
// By name, TIR_DTYPE_INVALID if there is none.
tir_dtype tir_ir_dtype_parse(const char *text, size_t size);

// IEEE half and bfloat16, round to nearest even, NaN stays NaN.
uint16_t tir_ir_f32_to_f16(float x);
float tir_ir_f16_to_f32(uint16_t h);
uint16_t tir_ir_f64_to_f16(double x);  // one rounding
uint16_t tir_ir_f32_to_bf16(float x);
float tir_ir_bf16_to_f32(uint16_t b);
uint16_t tir_ir_f64_to_bf16(double x);  // one rounding

// Element as double / from double. Float to integer truncates toward zero and
// saturates, NaN becomes 0; to bool is x != 0 (NaN is true).
double tir_ir_load_f64(tir_dtype dtype, const void *element);
void tir_ir_store_f64(tir_dtype dtype, void *element, double x);
// The same through int64, exact for integer dtypes (store saturates).
int64_t tir_ir_load_i64(tir_dtype dtype, const void *element);
void tir_ir_store_i64(tir_dtype dtype, void *element, int64_t x);

#endif
