// Parsing and writing the header of a .npy file.
//
//   "\x93NUMPY" major minor length {'descr': '<f4', 'fortran_order': False,
//   'shape': (3, 4), }
//
// The length has 2 bytes in version 1.0, 4 in 2.0 and 3.0. The text is data of
// unknown origin: the parser knows this one dictionary and nothing else of
// Python.
#include "serialize/npy_header.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "serialize/header.h"

static const uint8_t magic[6] = {0x93, 'N', 'U', 'M', 'P', 'Y'};

// bf16 has no type of its own there: it travels as u2.
static const struct {
  const char *code;
  tir_dtype dtype;
} codes[] = {
    {"f4", TIR_DTYPE_F32},  {"f8", TIR_DTYPE_F64}, {"f2", TIR_DTYPE_F16},
    {"u2", TIR_DTYPE_BF16}, {"i1", TIR_DTYPE_I8},  {"u1", TIR_DTYPE_U8},
    {"i2", TIR_DTYPE_I16},  {"i4", TIR_DTYPE_I32}, {"i8", TIR_DTYPE_I64},
    {"b1", TIR_DTYPE_BOOL},
};
enum { N_CODES = sizeof codes / sizeof *codes };

tir_status tir_ser_npy_start(const uint8_t *bytes, size_t size,
                             size_t *out_text, size_t *out_data,
                             tir_error *error) {
  *out_text = *out_data = 0;
  if (size < 10 || memcmp(bytes, magic, sizeof magic) != 0)
    return tir_ser_fail_at(error, 0, TIR_ERR_FORMAT, "not a .npy file");
  const unsigned major = bytes[6], minor = bytes[7];
  if (major < 1 || major > 3 || minor != 0)
    return tir_ser_fail_at(error, 6, TIR_ERR_UNSUPPORTED,
                           ".npy version %u.%u is not known", major, minor);
  const size_t start = major == 1 ? 10 : 12;
  if (size < start)
    return tir_ser_fail_at(error, size, TIR_ERR_FORMAT, "header is cut short");
  uint32_t length = (uint32_t)bytes[8] | (uint32_t)bytes[9] << 8;
  if (major > 1)
    length |= (uint32_t)bytes[10] << 16 | (uint32_t)bytes[11] << 24;
  if (length > TIR_SER_NPY_MAX_HEADER)
    return tir_ser_fail_at(error, 8, TIR_ERR_LIMIT,
                           "header of %" PRIu32 " bytes, at most %d", length,
                           TIR_SER_NPY_MAX_HEADER);
  *out_text = start;
  *out_data = start + length;
  return TIR_OK;
}

// --- parsing ---------------------------------------------------------------

typedef struct parser {
  const char *text;
  size_t size;
  size_t pos;
  tir_error *error;
} parser;

static tir_status fail(parser *p, const char *expected) {
  return tir_ser_fail_at(p->error, p->pos, TIR_ERR_FORMAT,
                         "header: expected %s at position %zu", expected,
                         p->pos);
}

static void skip_space(parser *p) {
  while (p->pos < p->size &&
         (p->text[p->pos] == ' ' || p->text[p->pos] == '\n' ||
          p->text[p->pos] == '\t'))
    p->pos++;
}

// Takes a character if it is the next one.
static bool take(parser *p, char c) {
  skip_space(p);
  if (p->pos == p->size || p->text[p->pos] != c) return false;
  p->pos++;
  return true;
}

static bool take_word(parser *p, const char *word) {
  skip_space(p);
  const size_t n = strlen(word);
  if (p->size - p->pos < n || memcmp(p->text + p->pos, word, n) != 0)
    return false;
  p->pos += n;
  return true;
}

// 'text' or "text", without escapes: no key or type code has any. The text is
// not copied and ends without a NUL.
static tir_status take_string(parser *p, const char **out_text,
                              size_t *out_size) {
  skip_space(p);
  // '\0' stands for the end of the text: no quote, so it is an error.
  const char quote = p->pos < p->size ? p->text[p->pos] : '\0';
  if (quote != '\'' && quote != '"') return fail(p, "a string");
  const size_t start = p->pos + 1;
  const char *end = memchr(p->text + start, quote, p->size - start);
  if (!end) return fail(p, "the end of a string");
  *out_text = p->text + start;
  *out_size = (size_t)(end - *out_text);
  p->pos = start + *out_size + 1;
  return TIR_OK;
}

// For messages, of a text without NUL.
static const char *quote_cut(const char *text, size_t size,
                             char buffer[TIR_QUOTED_MAX]) {
  char copy[32];
  snprintf(copy, sizeof copy, "%.*s", size < 31 ? (int)size : 31, text);
  return tir_base_quote(copy, buffer);
}

static tir_status take_dtype(parser *p, tir_dtype *out_dtype) {
  const char *text = NULL;
  size_t size = 0;
  skip_space(p);
  if (p->pos < p->size && p->text[p->pos] == '[')
    return tir_ser_fail_at(p->error, p->pos, TIR_ERR_UNSUPPORTED,
                           "header: records are not supported");
  TIR_TRY(take_string(p, &text, &size));
  // Byte order (or "none"), then kind and size.
  if (size == 3 && text[0] && strchr("<|=", text[0])) {
    for (size_t i = 0; i < N_CODES; i++) {
      const bool one_byte = codes[i].code[1] == '1';
      if (memcmp(text + 1, codes[i].code, 2) != 0) continue;
      if (text[0] == '|' && !one_byte) break;
      *out_dtype = codes[i].dtype;
      return TIR_OK;
    }
  }
  char quoted[TIR_QUOTED_MAX];
  return tir_ser_fail_at(p->error, p->pos, TIR_ERR_UNSUPPORTED,
                         "dtype %s is not supported%s",
                         quote_cut(text, size, quoted),
                         size && text[0] == '>' ? ": it is big-endian" : "");
}

// Python's words, with their capitals.
static tir_status take_truth(parser *p, bool *out_truth) {
  *out_truth = take_word(p, "True");
  if (*out_truth || take_word(p, "False")) return TIR_OK;
  return fail(p, "True or False");
}

// Digits only, without a sign.
static tir_status take_dim(parser *p, int64_t *out_dim) {
  skip_space(p);
  const size_t start = p->pos;
  uint64_t dim = 0;
  while (p->pos < p->size && p->text[p->pos] >= '0' && p->text[p->pos] <= '9') {
    const uint64_t digit = (uint64_t)(p->text[p->pos] - '0');
    // So dim · 10 + digit is at most INT64_MAX.
    if (dim > ((uint64_t)INT64_MAX - digit) / 10)
      return tir_ser_fail_at(p->error, start, TIR_ERR_LIMIT,
                             "header: a dim does not fit 64 bits");
    dim = dim * 10 + digit;
    p->pos++;
  }
  if (p->pos == start) return fail(p, "a dim");
  // Old writers mark long integers.
  if (p->pos < p->size && p->text[p->pos] == 'L') p->pos++;
  *out_dim = (int64_t)dim;
  return TIR_OK;
}

// (), (3,) or (3, 4): a number in parentheses alone is no tuple.
static tir_status take_shape(parser *p, tir_ser_npy_header *header) {
  header->rank = 0;
  if (!take(p, '(')) return fail(p, "'('");
  bool comma = true;
  while (!take(p, ')')) {
    if (!comma) return fail(p, "',' or ')'");
    if (header->rank == TIR_MAX_RANK)
      return tir_ser_fail_at(p->error, p->pos, TIR_ERR_LIMIT,
                             "header: more than %d dims", TIR_MAX_RANK);
    TIR_TRY(take_dim(p, &header->dims[header->rank++]));
    comma = take(p, ',');
  }
  if (header->rank == 1 && !comma) return fail(p, "',' after a single dim");
  return TIR_OK;
}

static const char *const keys[] = {"descr", "fortran_order", "shape"};
enum { N_KEYS = 3 };

// Which of the three keys comes next; they may come in any order.
static tir_status take_key(parser *p, int *out_index) {
  const char *key = NULL;
  size_t size = 0;
  TIR_TRY(take_string(p, &key, &size));
  for (*out_index = 0; *out_index < N_KEYS; ++*out_index)
    if (strlen(keys[*out_index]) == size &&
        memcmp(keys[*out_index], key, size) == 0)
      return TIR_OK;
  char quoted[TIR_QUOTED_MAX];
  return tir_ser_fail_at(p->error, p->pos, TIR_ERR_FORMAT,
                         "header: key %s is not known",
                         quote_cut(key, size, quoted));
}

// One "key: value".
static tir_status take_item(parser *p, tir_ser_npy_header *header,
                            bool seen[N_KEYS]) {
  int index = 0;
  TIR_TRY(take_key(p, &index));
  if (seen[index])
    return tir_ser_fail_at(p->error, p->pos, TIR_ERR_FORMAT,
                           "header: %s is given twice", keys[index]);
  seen[index] = true;
  if (!take(p, ':')) return fail(p, "':'");
  if (index == 0) return take_dtype(p, &header->dtype);
  if (index == 1) return take_truth(p, &header->fortran_order);
  return take_shape(p, header);
}

tir_status tir_ser_npy_parse(const char *text, size_t size,
                             tir_ser_npy_header *out_header, tir_error *error) {
  *out_header = (tir_ser_npy_header){0};
  parser p = {.text = text, .size = size, .error = error};
  bool seen[N_KEYS] = {false};
  if (!take(&p, '{')) return fail(&p, "'{'");
  bool comma = true;
  while (!take(&p, '}')) {
    if (!comma) return fail(&p, "',' or '}'");
    TIR_TRY(take_item(&p, out_header, seen));
    comma = take(&p, ',');
  }
  skip_space(&p);
  // Behind the dictionary there is only padding.
  if (p.pos != p.size) return fail(&p, "nothing more");
  for (int i = 0; i < N_KEYS; i++)
    if (!seen[i])
      return tir_ser_fail_at(error, p.pos, TIR_ERR_FORMAT,
                             "header: %s is missing", keys[i]);
  return TIR_OK;
}

// --- writing ---------------------------------------------------------------

size_t tir_ser_npy_print(const tir_ser_npy_header *header,
                         uint8_t out_bytes[TIR_SER_NPY_MAX_WRITTEN]) {
  const char *code = "";
  for (size_t i = 0; i < N_CODES; i++)
    if (codes[i].dtype == header->dtype) code = codes[i].code;
  // 8 dims of 19 digits each fit many times over.
  char text[TIR_SER_NPY_MAX_WRITTEN];
  int n = snprintf(text, sizeof text,
                   "{'descr': '%c%s', 'fortran_order': False, 'shape': (",
                   code[1] == '1' ? '|' : '<', code);
  for (int i = 0; i < header->rank; i++)
    n += snprintf(text + n, sizeof text - (size_t)n, "%" PRId64 "%s",
                  header->dims[i],
                  i + 1 < header->rank ? ", "
                  : header->rank == 1  ? ","
                                       : "");
  n += snprintf(text + n, sizeof text - (size_t)n, "), }");
  // Data starts on a multiple of 64; the text ends with a newline.
  const size_t total = ((size_t)n + 1 + 10 + 63) / 64 * 64;
  const size_t length = total - 10;
  memcpy(out_bytes, magic, sizeof magic);
  out_bytes[6] = 1;
  out_bytes[7] = 0;
  // The length fits two bytes many times over: version 1.0 will do.
  out_bytes[8] = (uint8_t)length;
  out_bytes[9] = (uint8_t)(length >> 8);
  memset(out_bytes + 10, ' ', length);
  memcpy(out_bytes + 10, text, (size_t)n);
  out_bytes[total - 1] = '\n';
  return total;
}
