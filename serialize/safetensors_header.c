// Parsing the header of a safetensors file.
//
// The text is of unknown origin. It is read once, front to back, by loops that
// know the three levels it may have; entries are then ordered by their place in
// the data, which they must cover exactly. Names and metadata stay in the text:
// the header only points to them.
#include <inttypes.h>
#include <string.h>

#include "ir/base/checked.h"
#include "serialize/header.h"
#include "serialize/json.h"
#include "serialize/safetensors.h"

const char tir_ser_st_metadata[] = "__metadata__";

static const struct {
  const char *code;
  tir_dtype dtype;
} codes[] = {
    {"F32", TIR_DTYPE_F32},   {"F64", TIR_DTYPE_F64}, {"F16", TIR_DTYPE_F16},
    {"BF16", TIR_DTYPE_BF16}, {"I8", TIR_DTYPE_I8},   {"U8", TIR_DTYPE_U8},
    {"I16", TIR_DTYPE_I16},   {"I32", TIR_DTYPE_I32}, {"I64", TIR_DTYPE_I64},
    {"BOOL", TIR_DTYPE_BOOL},
};
enum { N_CODES = sizeof codes / sizeof *codes };

const char *tir_ser_st_dtype(tir_dtype dtype) {
  for (size_t i = 0; i < N_CODES; i++)
    if (codes[i].dtype == dtype) return codes[i].code;
  return NULL;
}

// Names and metadata are the caller's text.
void tir_ser_st_free(tir_ser_st_header *header) {
  TIR_VEC_FREE(header->context, &header->tensors);
  TIR_VEC_FREE(header->context, &header->metadata);
}

// --- memory ----------------------------------------------------------------

typedef struct parsing {
  tir_ser_json json;
  tir_ser_st_header *header;
  const tir_load_options *limits;
  tir_ser_budget *budget;
} parsing;

// Room for another element of `size` bytes in a vector: growing it holds the
// old and the new block for a moment. Counted before it is asked for.
static tir_status take_growth(parsing *p, size_t count, size_t capacity,
                              size_t size) {
  if (count < capacity) return TIR_OK;
  const uint64_t growth = (2 * (uint64_t)capacity + 16) * size;
  TIR_TRY(tir_ser_budget_take(p->budget, growth, p->json.error));
  return TIR_OK;
}

#define PUSH(p, vec, item)                                                \
  do {                                                                    \
    TIR_TRY(take_growth(p, (vec)->count, (vec)->capacity, sizeof(item))); \
    if (!TIR_VEC_PUSH((p)->header->context, vec, item))                   \
      return tir_base_fail_memory((p)->json.error, sizeof(item));         \
  } while (0)

// --- entries ---------------------------------------------------------------

// By name; a dtype we do not have is refused, though the file may be right.
static tir_status take_dtype(parsing *p, tir_ser_st_tensor *tensor) {
  const char *text = NULL;
  size_t size = 0;
  TIR_TRY(tir_ser_json_string(&p->json, &text, &size));
  for (size_t i = 0; i < N_CODES; i++) {
    if (strcmp(text, codes[i].code) != 0) continue;
    tensor->dtype = codes[i].dtype;
    return TIR_OK;
  }
  char quoted[TIR_QUOTED_MAX];
  return tir_ser_fail_at(
      p->json.error, tir_ser_json_place(&p->json), TIR_ERR_UNSUPPORTED,
      "header: dtype %s is not supported", tir_base_quote(text, quoted));
}

// Any number of dims up to our rank; `rank` counts those that were read.
static tir_status take_shape(parsing *p, tir_ser_st_tensor *tensor) {
  TIR_TRY(tir_ser_json_expect(&p->json, '['));
  for (tensor->rank = 0;; tensor->rank++) {
    bool more = false;
    uint64_t dim = 0;
    TIR_TRY(tir_ser_json_more(&p->json, (size_t)tensor->rank, ']', &more));
    if (!more) return TIR_OK;
    if (tensor->rank == TIR_MAX_RANK)
      return tir_ser_fail_at(p->json.error, tir_ser_json_place(&p->json),
                             TIR_ERR_LIMIT, "header: more than %d dims",
                             TIR_MAX_RANK);
    TIR_TRY(tir_ser_json_integer(&p->json, &dim));
    tensor->dims[tensor->rank] = (int64_t)dim;
  }
}

// Places in the data behind the header. Whether they fit is checked later.
static tir_status take_offsets(parsing *p, tir_ser_st_tensor *tensor) {
  TIR_TRY(tir_ser_json_expect(&p->json, '['));
  TIR_TRY(tir_ser_json_integer(&p->json, &tensor->begin));
  TIR_TRY(tir_ser_json_expect(&p->json, ','));
  TIR_TRY(tir_ser_json_integer(&p->json, &tensor->end));
  return tir_ser_json_expect(&p->json, ']');
}

static const char *const keys[] = {"dtype", "shape", "data_offsets"};
enum { N_KEYS = sizeof keys / sizeof *keys };

// Keys come in any order, each once; others are refused, since they may matter.
static tir_status take_key(parsing *p, bool seen[N_KEYS], size_t *out_key) {
  const char *text = NULL;
  size_t size = 0, key = 0;
  char quoted[TIR_QUOTED_MAX];
  TIR_TRY(tir_ser_json_string(&p->json, &text, &size));
  while (key < N_KEYS && strcmp(text, keys[key]) != 0) key++;
  if (key == N_KEYS || seen[key])
    return tir_ser_fail_at(p->json.error, tir_ser_json_place(&p->json),
                           TIR_ERR_FORMAT, "header: key %s is %s",
                           tir_base_quote(text, quoted),
                           key == N_KEYS ? "not known" : "given twice");
  seen[key] = true;
  *out_key = key;
  return tir_ser_json_expect(&p->json, ':');
}

// Shape and dtype against the bytes named for them.
static tir_status check_tensor(const parsing *p,
                               const tir_ser_st_tensor *tensor) {
  char quoted[TIR_QUOTED_MAX];
  tir_base_quote(tensor->name, quoted);
  size_t bytes = 0;
  if (!tir_base_tensor_bytes(tensor->dims, tensor->rank,
                             tir_dtype_size(tensor->dtype), &bytes))
    return tir_ser_fail_at(p->json.error, tensor->place, TIR_ERR_LIMIT,
                           "header: the shape of tensor %s is too large",
                           quoted);
  if (tensor->end < tensor->begin || tensor->end - tensor->begin != bytes)
    return tir_ser_fail_at(p->json.error, tensor->place, TIR_ERR_FORMAT,
                           "header: tensor %s has data from %" PRIu64
                           " to %" PRIu64 ", its shape needs %zu bytes",
                           quoted, tensor->begin, tensor->end, bytes);
  return TIR_OK;
}

static tir_status take_tensor(parsing *p, tir_ser_st_tensor *tensor) {
  bool seen[N_KEYS] = {false};
  TIR_TRY(tir_ser_json_expect(&p->json, '{'));
  for (size_t n = 0;; n++) {
    bool more = false;
    size_t key = 0;
    TIR_TRY(tir_ser_json_more(&p->json, n, '}', &more));
    if (!more) break;
    TIR_TRY(take_key(p, seen, &key));
    TIR_TRY(key == 0   ? take_dtype(p, tensor)
            : key == 1 ? take_shape(p, tensor)
                       : take_offsets(p, tensor));
  }
  char quoted[TIR_QUOTED_MAX];
  for (size_t key = 0; key < N_KEYS; key++)
    if (!seen[key])
      return tir_ser_fail_at(p->json.error, tensor->place, TIR_ERR_FORMAT,
                             "header: tensor %s has no %s",
                             tir_base_quote(tensor->name, quoted), keys[key]);
  // All three are there: only now do they say something together.
  TIR_TRY(check_tensor(p, tensor));
  if (p->header->tensors.count >= p->limits->max_tensors)
    return tir_ser_fail_at(p->json.error, tensor->place, TIR_ERR_LIMIT,
                           "header: more than %" PRIu64 " tensors",
                           p->limits->max_tensors);
  PUSH(p, &p->header->tensors, *tensor);
  return TIR_OK;
}

// Texts only, as the format has it.
static tir_status take_metadata(parsing *p) {
  TIR_TRY(tir_ser_json_expect(&p->json, '{'));
  for (size_t n = 0;; n++) {
    bool more = false;
    TIR_TRY(tir_ser_json_more(&p->json, n, '}', &more));
    if (!more) return TIR_OK;
    tir_ser_st_text item = {.place = tir_ser_json_place(&p->json)};
    TIR_TRY(tir_ser_json_string(&p->json, &item.key, &item.key_size));
    TIR_TRY(tir_ser_json_expect(&p->json, ':'));
    TIR_TRY(tir_ser_json_string(&p->json, &item.value, &item.value_size));
    PUSH(p, &p->header->metadata, item);
  }
}

// A tensor, or the one key that is none.
static tir_status take_entry(parsing *p, bool *had_metadata) {
  tir_ser_st_tensor tensor = {.place = tir_ser_json_place(&p->json)};
  TIR_TRY(tir_ser_json_string(&p->json, &tensor.name, &tensor.name_size));
  TIR_TRY(tir_ser_json_expect(&p->json, ':'));
  if (strcmp(tensor.name, tir_ser_st_metadata) != 0)
    return take_tensor(p, &tensor);
  if (*had_metadata)
    return tir_ser_fail_at(p->json.error, tensor.place, TIR_ERR_FORMAT,
                           "header: %s is given twice", tir_ser_st_metadata);
  *had_metadata = true;
  return take_metadata(p);
}

// --- order -----------------------------------------------------------------

// By place in the data, then as written: empty tensors share a place.
static bool is_before(const tir_ser_st_tensor *a, const tir_ser_st_tensor *b) {
  if (a->begin != b->begin) return a->begin < b->begin;
  if (a->end != b->end) return a->end < b->end;
  return a->place < b->place;
}

// Item `at` of a heap with the largest on top goes down to its place.
static void sink(tir_ser_st_tensor *heap, size_t at, size_t n) {
  const tir_ser_st_tensor item = heap[at];
  for (size_t child = 2 * at + 1; child < n; child = 2 * at + 1) {
    if (child + 1 < n && is_before(&heap[child], &heap[child + 1])) child++;
    if (!is_before(&item, &heap[child])) break;
    heap[at] = heap[child];
    at = child;
  }
  heap[at] = item;
}

// Heap sort: no recursion, no memory, no bad case. Files are mostly in order,
// which is one pass.
static void sort(tir_ser_st_tensor *tensors, size_t n) {
  // No two entries are equal: each has a place of its own in the text.
  size_t in_order = 1;
  while (in_order < n && is_before(&tensors[in_order - 1], &tensors[in_order]))
    in_order++;
  if (in_order >= n) return;
  for (size_t i = n / 2; i-- > 0;) sink(tensors, i, n);
  for (size_t last = n - 1; last > 0; last--) {
    const tir_ser_st_tensor largest = tensors[0];
    tensors[0] = tensors[last];
    tensors[last] = largest;
    sink(tensors, 0, last);
  }
}

// Sorted by place, each tensor must begin where the one before it ends: so no
// byte has two owners, and none has no owner.
static tir_status check_cover(const tir_ser_st_header *header,
                              uint64_t data_bytes, tir_error *error) {
  uint64_t end = 0, place = 0;
  for (size_t i = 0; i < header->tensors.count; i++) {
    const tir_ser_st_tensor *tensor = &header->tensors.data[i];
    char quoted[TIR_QUOTED_MAX];
    place = tensor->place;
    if (tensor->begin != end)
      return tir_ser_fail_at(error, place, TIR_ERR_FORMAT,
                             "header: tensor %s begins at %" PRIu64
                             ", the data before it ends at %" PRIu64,
                             tir_base_quote(tensor->name, quoted),
                             tensor->begin, end);
    end = tensor->end;
  }
  if (end != data_bytes)
    return tir_ser_fail_at(error, place, TIR_ERR_FORMAT,
                           "file has %" PRIu64
                           " bytes of data, its tensors need %" PRIu64,
                           data_bytes, end);
  return TIR_OK;
}

// --- entry -----------------------------------------------------------------

tir_status tir_ser_st_parse(tir_ser_st_header *header, char *text, size_t size,
                            uint64_t data_bytes, const tir_load_options *limits,
                            tir_ser_budget *budget, tir_error *error) {
  parsing p = {
      .json = {text, size, 0, TIR_SER_ST_START, error},
      .header = header,
      .limits = limits,
      .budget = budget,
  };
  // The outermost level: names and what they stand for.
  bool had_metadata = false, more = false;
  TIR_TRY(tir_ser_json_expect(&p.json, '{'));
  for (size_t n = 0;; n++) {
    TIR_TRY(tir_ser_json_more(&p.json, n, '}', &more));
    if (!more) break;
    TIR_TRY(take_entry(&p, &had_metadata));
  }
  TIR_TRY(tir_ser_json_end(&p.json));
  sort(header->tensors.data, header->tensors.count);
  return check_cover(header, data_bytes, error);
}
