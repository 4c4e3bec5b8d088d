// Elements as text and back, exactly.
//
// Digits are found by trying: the fewest that read back as the same number.
// The C library's separator depends on the locale of the host, so digits are
// taken out of what it prints and put in where it reads.
//
// Two properties are relied on: what is printed reads back as the same bits,
// and equal bits print equally on every machine. NaNs have no digits and stand
// as bits.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ir/text.h"

enum {
  MAX_DIGITS = 17,
  // Longer numbers are refused; far above what printing gives.
  MAX_NUMBER = 128,
};

// --- bits ------------------------------------------------------------------

// As an unsigned number of the element's width, the sign bit on top.
static uint64_t element_bits(tir_dtype dtype, const void *element) {
  uint64_t bits64;
  uint32_t bits32;
  uint16_t bits16;
  switch (tir_dtype_size(dtype)) {
    case 8:
      return memcpy(&bits64, element, 8), bits64;
    case 4:
      return memcpy(&bits32, element, 4), bits32;
    case 2:
      return memcpy(&bits16, element, 2), bits16;
    default:
      return *(const unsigned char *)element;
  }
}

static void store_bits(tir_dtype dtype, void *element, uint64_t bits) {
  const uint32_t bits32 = (uint32_t)bits;
  const uint16_t bits16 = (uint16_t)bits;
  switch (tir_dtype_size(dtype)) {
    case 8:
      memcpy(element, &bits, 8);
      break;
    case 4:
      memcpy(element, &bits32, 4);
      break;
    case 2:
      memcpy(element, &bits16, 2);
      break;
    default:
      *(unsigned char *)element = (unsigned char)bits;
  }
}

// --- printing --------------------------------------------------------------

// The C library's reading of `text` as an element, rounded once for f32 and
// f64.
static void round_to(tir_dtype dtype, const char *text, void *element) {
  if (dtype == TIR_DTYPE_F32) {
    // Not strtod and a cast, which would round twice.
    const float x = strtof(text, NULL);
    memcpy(element, &x, sizeof x);
  } else {
    tir_ir_store_f64(dtype, element, strtod(text, NULL));
  }
}

// Fewest digits d1 d2 … with x = d1.d2… · 10^exponent in the dtype. Returns
// how many; x is positive and finite.
static int shortest_digits(double x, tir_dtype dtype,
                           char digits[MAX_DIGITS + 1], int *out_exponent) {
  uint64_t wanted = 0;
  tir_ir_store_f64(dtype, &wanted, x);
  char text[64];
  // 17 digits tell every double apart, so the loop ends there at the latest.
  for (int n = 1;; n++) {
    snprintf(text, sizeof text, "%.*e", n - 1, x);
    uint64_t back = 0;
    round_to(dtype, text, &back);
    if (back == wanted || n == MAX_DIGITS) break;
  }
  int n = 0;
  const char *at = text;
  // Whatever stands between digits before the e is the separator.
  for (; *at != 'e'; at++)
    if (*at >= '0' && *at <= '9' && n < MAX_DIGITS) digits[n++] = *at;
  *out_exponent = (int)strtol(at + 1, NULL, 10);
  // A shorter number may have rounded to one with zeros at its end.
  while (n > 1 && digits[n - 1] == '0') n--;
  digits[n] = '\0';
  return n;
}

static void add_zeros(tir_ir_text *text, int n) {
  while (n-- > 0) tir_ir_text_bytes(text, "0", 1);
}

// Plain decimal between 1e-5 and 1e16, else scientific. The value is d1.d2… ·
// 10^exponent, so exponent + 1 digits stand before the point.
static void add_digits(tir_ir_text *text, const char *digits, int n,
                       int exponent) {
  if (exponent < -5 || exponent >= 16) {
    tir_ir_text_bytes(text, digits, 1);
    if (n > 1) {
      tir_ir_text_bytes(text, ".", 1);
      tir_ir_text_bytes(text, digits + 1, (size_t)n - 1);
    }
    tir_ir_text_bytes(text, "e", 1);
    tir_ir_text_i64(text, exponent);
  } else if (exponent < 0) {
    tir_ir_text_bytes(text, "0.", 2);
    add_zeros(text, -exponent - 1);
    tir_ir_text_bytes(text, digits, (size_t)n);
  } else if (n <= exponent + 1) {
    tir_ir_text_bytes(text, digits, (size_t)n);
    add_zeros(text, exponent + 1 - n);
  } else {
    tir_ir_text_bytes(text, digits, (size_t)exponent + 1);
    tir_ir_text_bytes(text, ".", 1);
    tir_ir_text_bytes(text, digits + exponent + 1, (size_t)(n - exponent - 1));
  }
}

// The sign is taken from the bits: −0 compares equal to 0.
static void add_float(tir_ir_text *text, tir_dtype dtype, const void *element) {
  const double x = tir_ir_load_f64(dtype, element);
  const uint64_t bits = element_bits(dtype, element);
  const int size = (int)tir_dtype_size(dtype);
  const bool negative = bits >> (8 * size - 1);
  if (x != x) {
    tir_ir_text_add(text, "0x%0*" PRIx64, 2 * size, bits);
    return;
  }
  if (negative) tir_ir_text_bytes(text, "-", 1);
  const double magnitude = negative ? -x : x;
  // Below 2^24 (and 2^11 for halves, 2^8 for bf16) every integer is exact,
  // and its own digits are the shortest.
  if (magnitude == 0) {
    tir_ir_text_word(text, negative ? "0.0" : "0");
  } else if (magnitude - magnitude != 0) {
    // Only infinity: there it is ∞ − ∞, a NaN.
    tir_ir_text_word(text, "inf");
  } else if (magnitude < 256 && magnitude == (double)(int)magnitude) {
    tir_ir_text_i64(text, (int)magnitude);
  } else {
    char digits[MAX_DIGITS + 1];
    int exponent = 0;
    const int n = shortest_digits(magnitude, dtype, digits, &exponent);
    add_digits(text, digits, n, exponent);
  }
}

void tir_ir_text_element(tir_ir_text *text, tir_dtype dtype,
                         const void *element) {
  if (tir_ir_dtype_is_float(dtype))
    add_float(text, dtype, element);
  else if (dtype != TIR_DTYPE_BOOL)
    tir_ir_text_i64(text, tir_ir_load_i64(dtype, element));
  else
    tir_ir_text_word(text, element_bits(dtype, element) ? "true" : "false");
}

void tir_ir_text_float(tir_ir_text *text, double x, bool is_f32) {
  const float narrow = (float)x;
  if (is_f32)
    add_float(text, TIR_DTYPE_F32, &narrow);
  else
    add_float(text, TIR_DTYPE_F64, &x);
}

// --- reading ---------------------------------------------------------------

static bool is_word(const char *text, size_t size, const char *word) {
  return strlen(word) == size && memcmp(text, word, size) == 0;
}

// value ≤ (limit − digit) / 10 is 10·value + digit ≤ limit without the
// overflow.
bool tir_ir_read_i64(const char *text, size_t size, int64_t *out) {
  *out = 0;
  const bool negative = size > 0 && text[0] == '-';
  if (negative) text++, size--;
  if (size == 0) return false;
  uint64_t value = 0;
  const uint64_t limit = (uint64_t)INT64_MAX + negative;
  for (size_t i = 0; i < size; i++) {
    if (text[i] < '0' || text[i] > '9') return false;
    const uint64_t digit = (uint64_t)(text[i] - '0');
    if (value > (limit - digit) / 10) return false;
    value = 10 * value + digit;
  }
  // Through the unsigned negative: −2^63 has no positive counterpart.
  *out = negative ? (int64_t)(0 - value) : (int64_t)value;
  return true;
}

int tir_ir_hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Fewer digits than the element has are filled up with zeros in front.
static bool read_bits(const char *text, size_t size, tir_dtype dtype,
                      void *element) {
  if (size < 1 || size > 2 * tir_dtype_size(dtype)) return false;
  uint64_t bits = 0;
  for (size_t i = 0; i < size; i++) {
    const int digit = tir_ir_hex_digit(text[i]);
    if (digit < 0) return false;
    bits = bits << 4 | (uint64_t)digit;
  }
  store_bits(dtype, element, bits);
  return true;
}

static size_t count_digits(const char *text, size_t size) {
  size_t n = 0;
  while (n < size && text[n] >= '0' && text[n] <= '9') n++;
  return n;
}

// Does the text have the form 1, 1.5, .5, 1., 1e-3? Finds the point.
static bool is_decimal(const char *text, size_t size, size_t *out_point) {
  size_t at = count_digits(text, size), n_digits = at;
  *out_point = SIZE_MAX;
  if (at < size && text[at] == '.') {
    *out_point = at++;
    const size_t n = count_digits(text + at, size - at);
    n_digits += n;
    at += n;
  }
  if (n_digits == 0) return false;
  if (at < size && (text[at] == 'e' || text[at] == 'E')) {
    at++;
    if (at < size && (text[at] == '+' || text[at] == '-')) at++;
    const size_t n = count_digits(text + at, size - at);
    if (n == 0) return false;
    at += n;
  }
  return at == size;
}

// The decimal with the separator the C library expects in this locale. A text
// longer than MAX_NUMBER is refused, so that no number costs more than its
// buffer.
static bool localize(const char *text, size_t size, size_t point,
                     char buffer[MAX_NUMBER + 16]) {
  if (size > MAX_NUMBER) return false;
  if (point == SIZE_MAX) {
    memcpy(buffer, text, size);
    buffer[size] = '\0';
    return true;
  }
  char sample[16];  // "1" separator "5"
  const int n = snprintf(sample, sizeof sample, "%.1f", 1.5);
  if (n < 3 || n >= (int)sizeof sample) return false;
  const size_t n_separator = (size_t)n - 2;
  memcpy(buffer, text, point);
  memcpy(buffer + point, sample + 1, n_separator);
  memcpy(buffer + point + n_separator, text + point + 1, size - point - 1);
  buffer[size - 1 + n_separator] = '\0';
  return true;
}

// The sign is set in the bits at the end, which serves NaN, infinity and 0
// alike. A number out of range becomes infinite or 0, as rounding demands.
static bool read_float(const char *text, size_t size, tir_dtype dtype,
                       void *element) {
  if (size > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X'))
    return read_bits(text + 2, size - 2, dtype, element);
  const bool negative = size > 0 && text[0] == '-';
  if (negative) text++, size--;
  char buffer[MAX_NUMBER + 16];
  size_t point = 0;
  if (is_word(text, size, "inf"))
    tir_ir_store_f64(dtype, element, strtod("inf", NULL));
  else if (is_word(text, size, "nan"))
    tir_ir_store_f64(dtype, element, strtod("nan", NULL));
  else if (is_decimal(text, size, &point) &&
           localize(text, size, point, buffer))
    round_to(dtype, buffer, element);
  else
    return false;
  const unsigned sign_bit = 8 * (unsigned)tir_dtype_size(dtype) - 1;
  if (negative)
    store_bits(dtype, element,
               element_bits(dtype, element) ^ (uint64_t)1 << sign_bit);
  return true;
}

bool tir_ir_read_element(const char *text, size_t size, tir_dtype dtype,
                         void *out_element) {
  if (tir_ir_dtype_is_float(dtype))
    return read_float(text, size, dtype, out_element);
  if (dtype == TIR_DTYPE_BOOL) {
    const bool on = is_word(text, size, "true");
    store_bits(dtype, out_element, on);
    return on || is_word(text, size, "false");
  }
  int64_t value = 0;
  if (!tir_ir_read_i64(text, size, &value)) return false;
  tir_ir_store_i64(dtype, out_element, value);
  return tir_ir_load_i64(dtype, out_element) == value;  // did not saturate
}
