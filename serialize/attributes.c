// Attributes between their C struct and the file.
//
// Everything goes by the op's schema: names, kinds and offsets. Bodies are not
// attributes in a file and are left to encode_graph.c and decode_node.c.
#include "serialize/attributes.h"

#include <inttypes.h>
#include <string.h>

#include "ir/attr.h"
#include "ir/dtype.h"
#include "serialize/bytes.h"

// --- encoding --------------------------------------------------------------

// The list is copied: protobuf-c wants a pointer that lives until packing, and
// attribute structs may lie unaligned in the graph. The whole array is, so that
// no count from the graph decides how many bytes.
static void encode_ints(tir_ser_attrs *out, const tir_ir_ints *ints) {
  int64_t *values = out->values[out->n];
  memcpy(values, ints->v, sizeof ints->v);
  Tapeir__Integers *integers = &out->integers[out->n];
  tapeir__integers__init(integers);
  integers->n_values = (size_t)ints->n;
  integers->values = values;
}

// As encode_ints.
static void encode_floats(tir_ser_attrs *out, const tir_ir_floats *floats) {
  double *numbers = out->numbers[out->n];
  memcpy(numbers, floats->v, sizeof floats->v);
  Tapeir__Reals *reals = &out->reals[out->n];
  tapeir__reals__init(reals);
  reals->n_values = (size_t)floats->n;
  reals->values = numbers;
}

// Every kind but a list is eight bytes in the struct, so one read serves all.
static void encode_one(const tir_ir_attr *attr, const void *field,
                       tir_ser_attrs *out) {
  Tapeir__Attribute *message = &out->messages[out->n];
  tapeir__attribute__init(message);
  message->name = tir_ser_text(attr->name);
  int64_t number = 0;
  memcpy(&number, field, sizeof number);
  switch (attr->kind) {
    case TIR_ATTR_I64:
      message->value_case = TAPEIR__ATTRIBUTE__VALUE_INTEGER;
      message->integer = number;
      break;
    case TIR_ATTR_BOOL:
      message->value_case = TAPEIR__ATTRIBUTE__VALUE_TRUTH;
      message->truth = number != 0;
      break;
    case TIR_ATTR_DTYPE:
      message->value_case = TAPEIR__ATTRIBUTE__VALUE_DTYPE;
      message->dtype = tir_ser_text(tir_dtype_name((tir_dtype)number));
      break;
    case TIR_ATTR_F64:
      message->value_case = TAPEIR__ATTRIBUTE__VALUE_REAL;
      memcpy(&message->real, field, sizeof message->real);
      break;
    case TIR_ATTR_INTS:
      message->value_case = TAPEIR__ATTRIBUTE__VALUE_INTEGERS;
      encode_ints(out, field);
      message->integers = &out->integers[out->n];
      break;
    case TIR_ATTR_FLOATS:
      message->value_case = TAPEIR__ATTRIBUTE__VALUE_REALS;
      encode_floats(out, field);
      message->reals = &out->reals[out->n];
      break;
    case TIR_ATTR_LABEL:
      message->value_case = TAPEIR__ATTRIBUTE__VALUE_LABEL;
      message->label = tir_ser_text(field);
      break;
    case TIR_ATTR_BODY:
      break;
  }
  out->list[out->n] = message;
  out->n++;
}

// Defaults are not written: a file then does not depend on the version that
// wrote it, and equal graphs give equal bytes.
tir_status tir_ser_attrs_encode(const tir_op_desc *desc, const void *attrs,
                                tir_ser_attrs *out_attrs, tir_error *error) {
  out_attrs->n = 0;
  for (size_t i = 0; i < desc->n_attrs; i++) {
    const tir_ir_attr *attr = &desc->attrs[i];
    // Bodies have a field of their own.
    if (attr->kind == TIR_ATTR_BODY || tir_ir_attr_is_default(attr, attrs))
      continue;
    if (out_attrs->n == TIR_SER_MAX_ATTRS)
      return tir_base_fail(error, TIR_ERR_LIMIT, "%s: more than %d attributes",
                           desc->name, TIR_SER_MAX_ATTRS);
    encode_one(attr, tir_ir_attr_field(attr, attrs), out_attrs);
  }
  return TIR_OK;
}

// --- decoding --------------------------------------------------------------

// With its article, for messages.
static const char *kind_name(tir_ir_attr_kind kind) {
  switch (kind) {
    case TIR_ATTR_I64:
      return "an integer";
    case TIR_ATTR_F64:
      return "a real number";
    case TIR_ATTR_BOOL:
      return "a truth value";
    case TIR_ATTR_DTYPE:
      return "a dtype";
    case TIR_ATTR_INTS:
      return "a list of integers";
    case TIR_ATTR_FLOATS:
      return "a list of real numbers";
    case TIR_ATTR_LABEL:
      return "a name";
    case TIR_ATTR_BODY:
      return "a body";
  }
  return "unknown";
}

// The member of the message that holds a value of this kind.
static Tapeir__Attribute__ValueCase case_of(tir_ir_attr_kind kind) {
  switch (kind) {
    case TIR_ATTR_I64:
      return TAPEIR__ATTRIBUTE__VALUE_INTEGER;
    case TIR_ATTR_F64:
      return TAPEIR__ATTRIBUTE__VALUE_REAL;
    case TIR_ATTR_BOOL:
      return TAPEIR__ATTRIBUTE__VALUE_TRUTH;
    case TIR_ATTR_DTYPE:
      return TAPEIR__ATTRIBUTE__VALUE_DTYPE;
    case TIR_ATTR_INTS:
      return TAPEIR__ATTRIBUTE__VALUE_INTEGERS;
    case TIR_ATTR_FLOATS:
      return TAPEIR__ATTRIBUTE__VALUE_REALS;
    case TIR_ATTR_LABEL:
      return TAPEIR__ATTRIBUTE__VALUE_LABEL;
    case TIR_ATTR_BODY:
      break;
  }
  return TAPEIR__ATTRIBUTE__VALUE__NOT_SET;
}

// Dtypes are stored by name, like ops: numbers are this version's affair.
static tir_status decode_dtype(const tir_op_desc *desc, const tir_ir_attr *attr,
                               const Tapeir__Attribute *message, void *field,
                               tir_error *error) {
  const char *name = (const char *)message->dtype.data;
  // An empty text has no bytes, and perhaps no pointer.
  const tir_dtype dtype =
      tir_ir_dtype_parse(name ? name : "", message->dtype.len);
  if (dtype == TIR_DTYPE_INVALID) {
    char quoted[TIR_QUOTED_MAX];
    return tir_base_fail(error, TIR_ERR_UNSUPPORTED,
                         "%s: attribute %s: dtype %s is not known", desc->name,
                         attr->name, tir_ser_quote(&message->dtype, quoted));
  }
  // In the graph every kind but a list takes eight bytes.
  const int64_t number = dtype;
  memcpy(field, &number, sizeof number);
  return TIR_OK;
}

// The struct has room for one number per axis; longer lists cannot be meant.
static tir_status decode_ints(const tir_op_desc *desc, const tir_ir_attr *attr,
                              const Tapeir__Integers *integers, void *field,
                              tir_error *error) {
  if (integers->n_values > TIR_MAX_RANK)
    return tir_base_fail(
        error, TIR_ERR_LIMIT, "%s: attribute %s: %zu numbers, at most %d",
        desc->name, attr->name, integers->n_values, TIR_MAX_RANK);
  tir_ir_ints ints = {.n = (int64_t)integers->n_values};
  // An empty list has no pointer to copy from.
  if (integers->n_values)
    memcpy(ints.v, integers->values, integers->n_values * sizeof *ints.v);
  memcpy(field, &ints, sizeof ints);
  return TIR_OK;
}

static tir_status decode_floats(const tir_op_desc *desc,
                                const tir_ir_attr *attr,
                                const Tapeir__Reals *reals, void *field,
                                tir_error *error) {
  if (reals->n_values > TIR_MAX_RANK)
    return tir_base_fail(error, TIR_ERR_LIMIT,
                         "%s: attribute %s: %zu numbers, at most %d",
                         desc->name, attr->name, reals->n_values, TIR_MAX_RANK);
  tir_ir_floats floats = {.n = (int64_t)reals->n_values};
  // As above.
  if (reals->n_values)
    memcpy(floats.v, reals->values, reals->n_values * sizeof *floats.v);
  memcpy(field, &floats, sizeof floats);
  return TIR_OK;
}

// Letters and lengths are checked where labels are made, as for the API.
static tir_status decode_label(const tir_op_desc *desc, const tir_ir_attr *attr,
                               const Tapeir__Attribute *message, void *field,
                               tir_error *error) {
  const ProtobufCBinaryData *text = &message->label;
  if (tir_ir_label_set(field, (const char *)text->data, text->len))
    return TIR_OK;
  char quoted[TIR_QUOTED_MAX];
  return tir_base_fail(error, TIR_ERR_FORMAT,
                       "%s: attribute %s: %s is no name of at most %zu "
                       "letters, digits and _ . - /",
                       desc->name, attr->name, tir_ser_quote(text, quoted),
                       sizeof((tir_ir_label *)0)->text - 1);
}

// Numbers are only copied: whether they make sense is for the op's inference.
static tir_status decode_one(const tir_op_desc *desc, const tir_ir_attr *attr,
                             const Tapeir__Attribute *message, void *field,
                             tir_error *error) {
  // Never converted: an integer in the place of a real number is an error.
  if (message->value_case != case_of(attr->kind))
    return tir_base_fail(error, TIR_ERR_FORMAT, "%s: attribute %s is not %s",
                         desc->name, attr->name, kind_name(attr->kind));
  switch (attr->kind) {
    case TIR_ATTR_I64:
      memcpy(field, &message->integer, sizeof message->integer);
      return TIR_OK;
    case TIR_ATTR_F64:
      memcpy(field, &message->real, sizeof message->real);
      return TIR_OK;
    // Eight bytes of 0 or 1, as the graph stores a truth value.
    case TIR_ATTR_BOOL: {
      const int64_t truth = message->truth != 0;
      memcpy(field, &truth, sizeof truth);
      return TIR_OK;
    }
    case TIR_ATTR_DTYPE:
      return decode_dtype(desc, attr, message, field, error);
    case TIR_ATTR_INTS:
      return decode_ints(desc, attr, message->integers, field, error);
    case TIR_ATTR_FLOATS:
      return decode_floats(desc, attr, message->reals, field, error);
    case TIR_ATTR_LABEL:
      return decode_label(desc, attr, message, field, error);
    case TIR_ATTR_BODY:
      break;
  }
  return TIR_OK;
}

// An attribute this version does not know may change what the op means, so it
// is refused by name, never skipped.
static tir_status find_attr(const tir_op_desc *desc,
                            const Tapeir__Attribute *message, size_t *out_index,
                            tir_error *error) {
  const char *name = message->name.len ? (const char *)message->name.data : "";
  const tir_ir_attr *attr = tir_ir_attr_find(desc, name, message->name.len);
  if (!attr || attr->kind == TIR_ATTR_BODY) {
    char quoted[TIR_QUOTED_MAX];
    return tir_base_fail(error, TIR_ERR_UNSUPPORTED,
                         "%s: attribute %s is not known", desc->name,
                         tir_ser_quote(&message->name, quoted));
  }
  *out_index = (size_t)(attr - desc->attrs);
  return TIR_OK;
}

tir_status tir_ser_attrs_decode(const tir_op_desc *desc,
                                Tapeir__Attribute *const *list, size_t n,
                                void *out_attrs, tir_error *error) {
  // What the file leaves out has its default, as the writer left it out for it.
  tir_ir_attrs_default(desc, out_attrs);
  // A schema has far fewer than 32 attributes.
  uint32_t seen = 0;  // by index in the schema
  for (size_t i = 0; i < n; i++) {
    size_t index = 0;
    TIR_TRY(find_attr(desc, list[i], &index, error));
    const tir_ir_attr *attr = &desc->attrs[index];
    if (seen & UINT32_C(1) << index)
      return tir_base_fail(error, TIR_ERR_FORMAT,
                           "%s: attribute %s is given twice", desc->name,
                           attr->name);
    seen |= UINT32_C(1) << index;
    void *field = (uint8_t *)out_attrs + attr->offset;
    TIR_TRY(decode_one(desc, attr, list[i], field, error));
  }
  for (size_t i = 0; i < desc->n_attrs; i++)
    if (desc->attrs[i].required && desc->attrs[i].kind != TIR_ATTR_BODY &&
        !(seen & UINT32_C(1) << i))
      return tir_base_fail(error, TIR_ERR_FORMAT, "%s: attribute %s is missing",
                           desc->name, desc->attrs[i].name);
  return TIR_OK;
}
