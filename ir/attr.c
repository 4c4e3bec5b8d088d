// Attributes through their schema. Structs have no padding (ir/attrs.h), but
// entries of a list past its length are not looked at. Every loop here goes
// over the schema and none over ops, so an op with new attributes needs no
// change in this file.
#include "ir/attr.h"

#include <inttypes.h>
#include <string.h>

#include "ir/base/hash.h"

// Fields are read by memcpy: their static type is the op's struct, which
// generic code does not know.
static int64_t load_i64(const tir_ir_attr *attr, const void *attrs) {
  int64_t value;
  memcpy(&value, tir_ir_attr_field(attr, attrs), sizeof value);
  return value;
}

_Static_assert(sizeof(tir_ir_ints) == sizeof(tir_ir_floats),
               "lists are laid out alike");

static bool is_list(const tir_ir_attr *attr) {
  return attr->kind == TIR_ATTR_INTS || attr->kind == TIR_ATTR_FLOATS;
}

size_t tir_ir_attr_size(const tir_ir_attr *attr) {
  if (is_list(attr)) return sizeof(tir_ir_ints);
  return attr->kind == TIR_ATTR_LABEL ? sizeof(tir_ir_label) : sizeof(int64_t);
}

// A length out of range counts as the longest: this is asked of attributes that
// nobody has checked yet, and must not read past the field.
size_t tir_ir_attr_used(const tir_ir_attr *attr, const void *attrs) {
  if (!is_list(attr)) return tir_ir_attr_size(attr);
  const int64_t n = load_i64(attr, attrs);
  const size_t n_used = n < 0 || n > TIR_MAX_RANK ? TIR_MAX_RANK : (size_t)n;
  return (1 + n_used) * sizeof(int64_t);
}

// --- labels ----------------------------------------------------------------

static bool is_label_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-' || c == '/';
}

// Zeros to the end, so that labels compare and hash as bytes.
bool tir_ir_label_set(tir_ir_label *label, const char *text, size_t size) {
  memset(label, 0, sizeof *label);
  if (size >= sizeof label->text) return false;
  for (size_t i = 0; i < size; i++)
    if (!is_label_char(text[i])) return false;
  if (size) memcpy(label->text, text, size);
  return true;
}

// What a label may be: characters of the set, then zeros to the end.
static bool is_label(const tir_ir_label *label) {
  const size_t size = strnlen(label->text, sizeof label->text);
  tir_ir_label same;
  return tir_ir_label_set(&same, label->text, size) &&
         memcmp(&same, label, sizeof same) == 0;
}

// The first attribute of that kind is the op's name; no op has two. The text of
// a label that was not checked may lack its end, hence the zero at the end of
// the buffer.
const char *tir_ir_attrs_label(const tir_op_desc *desc, const void *attrs,
                               char buffer[sizeof(tir_ir_label) + 1]) {
  buffer[0] = '\0';
  for (size_t i = 0; i < desc->n_attrs; i++) {
    if (desc->attrs[i].kind != TIR_ATTR_LABEL) continue;
    const tir_ir_label *label = tir_ir_attr_field(&desc->attrs[i], attrs);
    buffer[0] = ' ';
    memcpy(buffer + 1, label->text, sizeof label->text);
    buffer[sizeof *label] = '\0';
    break;
  }
  return buffer;
}

// --- fields ----------------------------------------------------------------

// Linear: ops have a handful of attributes, and text and files name them once.
const tir_ir_attr *tir_ir_attr_find(const tir_op_desc *desc, const char *name,
                                    size_t size) {
  for (size_t i = 0; i < desc->n_attrs; i++) {
    const char *there = desc->attrs[i].name;
    if (strlen(there) == size && memcmp(there, name, size) == 0)
      return &desc->attrs[i];
  }
  return NULL;
}

// Lists have no default but the empty one, which zero bytes already are.
void tir_ir_attrs_default(const tir_op_desc *desc, void *attrs) {
  if (desc->attrs_size) memset(attrs, 0, desc->attrs_size);
  for (size_t i = 0; i < desc->n_attrs; i++) {
    const tir_ir_attr *attr = &desc->attrs[i];
    char *field = (char *)attrs + attr->offset;
    if (attr->kind == TIR_ATTR_F64)
      memcpy(field, &attr->default_f64, sizeof attr->default_f64);
    else if (tir_ir_attr_size(attr) == sizeof attr->default_i64)
      memcpy(field, &attr->default_i64, sizeof attr->default_i64);
  }
}

// Compared as bits, so that −0 and a NaN count as what they are. A required
// attribute is always written.
bool tir_ir_attr_is_default(const tir_ir_attr *attr, const void *attrs) {
  if (attr->required) return false;
  const void *field = tir_ir_attr_field(attr, attrs);
  switch (attr->kind) {
    case TIR_ATTR_F64:
      return memcmp(field, &attr->default_f64, sizeof(double)) == 0;
    case TIR_ATTR_INTS:
    case TIR_ATTR_FLOATS:
      return load_i64(attr, attrs) == 0;
    case TIR_ATTR_LABEL:
      return *(const char *)field == '\0';
    default:
      return memcmp(field, &attr->default_i64, sizeof(int64_t)) == 0;
  }
}

bool tir_ir_attrs_equal(const tir_op_desc *desc, const void *a, const void *b) {
  // Structure ops keep words that no schema describes.
  if (desc->n_attrs == 0) return memcmp(a, b, desc->attrs_size) == 0;
  for (size_t i = 0; i < desc->n_attrs; i++) {
    const tir_ir_attr *attr = &desc->attrs[i];
    // The length of a list is its first word, so a shorter one differs there.
    if (memcmp(tir_ir_attr_field(attr, a), tir_ir_attr_field(attr, b),
               tir_ir_attr_used(attr, a)) != 0)
      return false;
  }
  return true;
}

// Attributes that compare equal hash equal: both look at the same bytes.
uint64_t tir_ir_attrs_hash(const tir_op_desc *desc, const void *attrs) {
  if (desc->n_attrs == 0)
    return desc->attrs_size ? tir_base_hash(attrs, desc->attrs_size) : 0;
  uint64_t hash = 0;
  for (size_t i = 0; i < desc->n_attrs; i++) {
    const tir_ir_attr *attr = &desc->attrs[i];
    // Field by field: what stands behind the end of a list is no part of it.
    // The factor keeps equal fields from cancelling out.
    const uint64_t field = tir_base_hash(tir_ir_attr_field(attr, attrs),
                                         tir_ir_attr_used(attr, attrs));
    hash = hash * 0x9e3779b97f4a7c15u + field;
  }
  return hash;
}

// Only what the kind itself forbids; ranges are the op's affair.
static tir_status check_field(const tir_op_desc *desc, const tir_ir_attr *attr,
                              const void *attrs, tir_error *error) {
  // Whatever the kind, a field has eight bytes at least.
  const int64_t value = load_i64(attr, attrs);
  switch (attr->kind) {
    case TIR_ATTR_BOOL:
      if (value == 0 || value == 1) return TIR_OK;
      return tir_base_fail(error, TIR_ERR_ARGUMENT,
                           "%s: %s is %" PRId64 ", expected 0 or 1", desc->name,
                           attr->name, value);
    case TIR_ATTR_DTYPE:
      if (value > 0 && value < TIR_N_DTYPES) return TIR_OK;
      return tir_base_fail(error, TIR_ERR_ARGUMENT,
                           "%s: %s is %" PRId64 ", which is no dtype",
                           desc->name, attr->name, value);
    case TIR_ATTR_LABEL:
      if (is_label(tir_ir_attr_field(attr, attrs))) return TIR_OK;
      return tir_base_fail(error, TIR_ERR_ARGUMENT,
                           "%s: %s is no name: expected at most %zu letters, "
                           "digits and _ . - /",
                           desc->name, attr->name,
                           sizeof((tir_ir_label *)0)->text - 1);
    case TIR_ATTR_INTS:
    case TIR_ATTR_FLOATS:
      if (value >= 0 && value <= TIR_MAX_RANK) return TIR_OK;
      return tir_base_fail(error, TIR_ERR_ARGUMENT,
                           "%s: %s has %" PRId64 " entries, expected 0 to %d",
                           desc->name, attr->name, value, TIR_MAX_RANK);
    default:
      return TIR_OK;
  }
}

tir_status tir_ir_attrs_check(const tir_op_desc *desc, const void *attrs,
                              tir_error *error) {
  for (size_t i = 0; i < desc->n_attrs; i++)
    TIR_TRY(check_field(desc, &desc->attrs[i], attrs, error));
  return TIR_OK;
}
