// Reading training data. Every format ends as elements of type double that are
// stored in the input's dtype one by one; a .npy of that dtype is copied.
//
// Files are not trusted: memory grows with what is read, not with what a header
// promises, and every row must have as many elements as the input takes.
#include "data.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { MAX_COLUMNS = 65536, MAX_IDX_RANK = 8 };

typedef struct reader {
  tool *t;
  const tir_port *port;
  const char *file;
  // Dims of the input behind the first, multiplied.
  size_t row_elements;
  tool_rows *out;
  size_t room;  // rows there is memory for
} reader;

static int fail(const reader *r, const char *what) {
  return tool_fail("%s: %s", tool_name(r->file), what);
}

// --- elements --------------------------------------------------------------

bool tool_store(tir_dtype dtype, void *element, double x) {
  // False for a NaN, which no integer is.
  const bool whole = x == floor(x);
  switch (dtype) {
    case TIR_DTYPE_F32:
      *(float *)element = (float)x;
      return true;
    case TIR_DTYPE_F64:
      *(double *)element = x;
      return true;
    case TIR_DTYPE_I64:
      // 2^53: from there on a double does not say which integer was meant.
      if (!whole || !(fabs(x) <= 9007199254740992.0)) return false;
      *(int64_t *)element = (int64_t)x;
      return true;
    case TIR_DTYPE_I32:
      if (!whole || !(x >= INT32_MIN && x <= INT32_MAX)) return false;
      *(int32_t *)element = (int32_t)x;
      return true;
    case TIR_DTYPE_U8:
    case TIR_DTYPE_BOOL:
      if (!whole || !(x >= 0 && x <= (dtype == TIR_DTYPE_U8 ? 255 : 1)))
        return false;
      *(uint8_t *)element = (uint8_t)x;
      return true;
    default:
      return false;
  }
}

// Rows count from 0 here, from 1 in messages.
static int put(reader *r, size_t row, size_t column, double x) {
  const size_t size = tir_dtype_size(r->port->dtype);
  char *element = r->out->bytes + row * r->out->row_bytes + column * size;
  if (tool_store(r->port->dtype, element, x)) return TOOL_OK;
  return tool_fail("%s: row %zu: %.17g is no %s", tool_name(r->file), row + 1,
                   x, tir_dtype_name(r->port->dtype));
}

static int make_rows(reader *r, size_t n_rows) {
  const size_t row_bytes = r->out->row_bytes;
  if (n_rows > (SIZE_MAX / 2) / (row_bytes + 1))
    return fail(r, "too many rows");
  // One byte more, so that no rows have an address too.
  char *bytes = realloc(r->out->bytes, n_rows * row_bytes + 1);
  if (!bytes) return tool_fail("out of memory");
  r->out->bytes = bytes;
  r->room = n_rows;
  return TOOL_OK;
}

static int wrong_row(const reader *r, size_t elements) {
  char type[256];
  return tool_fail("%s: a row has %zu elements, input %s is %s",
                   tool_name(r->file), elements, tool_name(r->port->name),
                   tool_type(r->port, type, sizeof type));
}

// --- .npy ------------------------------------------------------------------

static int copy_npy(reader *r, const tir_tensor *tensor) {
  if (tir_tensor_rank(tensor) == 0) return fail(r, "a scalar has no rows");
  const size_t n_rows = (size_t)tir_tensor_dim(tensor, 0);
  const size_t numel = (size_t)tir_tensor_numel(tensor);
  // Of no rows nobody knows the length: it fits.
  const size_t elements = n_rows ? numel / n_rows : r->row_elements;
  if (elements != r->row_elements) return wrong_row(r, elements);
  if (make_rows(r, n_rows) != TOOL_OK) return TOOL_FAILED;
  r->out->n_rows = n_rows;
  // The same dtype: as it is, halves too.
  if (tir_tensor_dtype(tensor) == r->port->dtype) {
    if (numel)
      memcpy(r->out->bytes, tir_tensor_data(tensor),
             tir_tensor_size_bytes(tensor));
    return TOOL_OK;
  }
  for (size_t i = 0; i < numel; i++)
    if (put(r, i / elements, i % elements, tool_element(tensor, i)) != TOOL_OK)
      return TOOL_FAILED;
  return TOOL_OK;
}

static int read_npy(reader *r) {
  tir_error error;
  tir_tensor *tensor;
  if (tir_npy_load(r->t->context, r->file, &tensor, &error))
    return tool_fail_error(tool_name(r->file), &error);
  const int status = copy_npy(r, tensor);
  tir_tensor_release(tensor);
  return status;
}

// --- idx -------------------------------------------------------------------

// Codes of the format: u8, i8, i16, i32, f32, f64.
static const struct {
  unsigned char code, size;
} idx_types[] = {{0x08, 1}, {0x09, 1}, {0x0b, 2},
                 {0x0c, 4}, {0x0d, 4}, {0x0e, 8}};

// An element, most significant byte first.
static double idx_element(unsigned char code, const unsigned char *b) {
  uint64_t bits = 0;
  double x;
  float f;
  const size_t size = code == 0x0e   ? 8
                      : code >= 0x0c ? 4
                      : code == 0x0b ? 2
                                     : 1;
  for (size_t i = 0; i < size; i++) bits = bits << 8 | b[i];
  const uint32_t low = (uint32_t)bits;
  switch (code) {
    case 0x08:
      return (double)bits;
    case 0x09:
      return (int8_t)bits;
    case 0x0b:
      return (int16_t)bits;
    case 0x0c:
      return (int32_t)bits;
    case 0x0d:
      memcpy(&f, &low, sizeof f);
      return (double)f;
    default:
      memcpy(&x, &bits, sizeof x);
      return x;
  }
}

typedef struct idx_header {
  unsigned char code;
  size_t element_bytes, n_rows, row_elements;
} idx_header;

static int read_idx_header(reader *r, gzFile file, idx_header *out) {
  unsigned char head[4], dim[4];
  *out = (idx_header){.row_elements = 1};
  // Two zero bytes, the type and the number of axes, then each axis in four
  // bytes.
  if (gzread(file, head, 4) != 4 || head[0] || head[1])
    return fail(r, "no .npy, .csv or idx file");
  for (size_t i = 0; i < sizeof idx_types / sizeof *idx_types; i++)
    if (idx_types[i].code == head[2]) out->element_bytes = idx_types[i].size;
  if (!out->element_bytes || head[3] < 1 || head[3] > MAX_IDX_RANK)
    return fail(r, "no .npy, .csv or idx file");
  out->code = head[2];
  for (int i = 0; i < head[3]; i++) {
    if (gzread(file, dim, 4) != 4) return fail(r, "the file is cut");
    const size_t n = (size_t)dim[0] << 24 | (size_t)dim[1] << 16 |
                     (size_t)dim[2] << 8 | dim[3];
    // The product leaves room for the size of an element.
    if (i == 0)
      out->n_rows = n;
    else if (n && out->row_elements > SIZE_MAX / 16 / n)
      return fail(r, "too large");
    else
      out->row_elements *= n;
  }
  return TOOL_OK;
}

static int read_idx_rows(reader *r, gzFile file, const idx_header *h,
                         unsigned char *row) {
  const size_t row_bytes = h->row_elements * h->element_bytes;
  // Pixels: 0 to 255 becomes 0 to 1.
  const bool scaled = h->code == 0x08 && tool_is_float(r->port->dtype);
  for (size_t i = 0; i < h->n_rows; i++) {
    // Memory grows with what is there, not with what the header says.
    if (i == r->room) {
      const size_t more = r->room ? 2 * r->room : 1024;
      if (make_rows(r, more < h->n_rows ? more : h->n_rows) != TOOL_OK)
        return TOOL_FAILED;
    }
    if (gzread(file, row, (unsigned)row_bytes) != (int)row_bytes)
      return fail(r, "the file is cut or damaged");
    for (size_t k = 0; k < h->row_elements; k++) {
      const double x = idx_element(h->code, row + k * h->element_bytes);
      if (put(r, i, k, scaled ? x / 255 : x) != TOOL_OK) return TOOL_FAILED;
    }
    r->out->n_rows = i + 1;
  }
  return TOOL_OK;
}

static int read_idx(reader *r, gzFile file) {
  idx_header h;
  int status = read_idx_header(r, file, &h);
  if (status != TOOL_OK) return status;
  if (h.row_elements != r->row_elements) return wrong_row(r, h.row_elements);
  // gzread counts in int.
  if (h.row_elements * h.element_bytes > INT32_MAX)
    return fail(r, "a row is too large");
  unsigned char *row = malloc(h.row_elements * h.element_bytes + 1);
  if (!row) return tool_fail("out of memory");
  status = read_idx_rows(r, file, &h, row);
  free(row);
  return status;
}

// --- csv -------------------------------------------------------------------

// Which of the columns are taken: "2-5,7", counted from 1; NULL: all.
static bool is_taken(const char *columns, size_t column) {
  if (!columns) return true;
  for (const char *at = columns; *at;) {
    char *end;
    const size_t first = strtoul(at, &end, 10);
    size_t last = first;
    if (*end == '-') last = strtoul(end + 1, &end, 10);
    if (column >= first && column <= last) return true;
    at = end + (*end == ',');
    // No step forward: what stands here is no list.
    if (end == at) return false;
  }
  return false;
}

// What stands in the fields of a line. Those taken are asked apart: other
// columns may hold anything.
typedef struct csv_line {
  size_t n;  // taken
  bool takes_text, takes_empty;
  bool any_text, any_number;
} csv_line;

// Notes one field and puts its number, if it is taken, into `out`.
static void note_field(const char *field, bool taken, double *out, size_t most,
                       csv_line *line) {
  char *end;
  const double x = strtod(field, &end);
  const bool number = end != field;
  while (isspace((unsigned char)*end)) end++;
  // Behind a number or blanks nothing else may stand.
  const bool text = *end != '\0';
  line->any_text |= text;
  line->any_number |= number && !text;
  if (!taken) return;
  line->takes_text |= text;
  line->takes_empty |= !number && !text;
  // Past the room too, for the message.
  if (line->n < most) out[line->n] = x;
  line->n++;
}

// Asked for each column, so the columns taken keep the order of the file.
static void split(char *text, const char *columns, double *out, size_t most,
                  csv_line *line) {
  size_t column = 0;
  *line = (csv_line){0};
  for (char *at = text;;) {
    // Whichever of them the file uses.
    char *stop = at + strcspn(at, ",;\t");
    const char after = *stop;
    *stop = '\0';
    note_field(at, is_taken(columns, ++column), out, most, line);
    if (!after) return;
    at = stop + 1;
  }
}

// Text is what makes headings. A row whose only fault is an empty field is
// none, unless there is no number in it at all, as in ",a,b" of which the
// first is taken.
static bool is_heading(const csv_line *line) {
  return line->takes_text || (line->any_text && !line->any_number);
}

static int read_csv_line(reader *r, char *text, const char *columns,
                         size_t number, double *fields) {
  static const char byte_order_mark[] = "\xef\xbb\xbf";
  csv_line line;
  text[strcspn(text, "\r\n")] = '\0';
  // Some editors begin files with it; a number behind it is one all the same.
  if (number == 1 && strncmp(text, byte_order_mark, 3) == 0) text += 3;
  if (!*text) return TOOL_OK;
  split(text, columns, fields, r->row_elements, &line);
  const size_t n = line.n;
  if (line.takes_text || line.takes_empty) {
    // Only the first line may hold no numbers.
    if (number == 1 && is_heading(&line)) return TOOL_OK;
    return tool_fail("%s:%zu: a field is %s", tool_name(r->file), number,
                     line.takes_text ? "no number" : "empty");
  }
  if (n != r->row_elements)
    return tool_fail("%s:%zu: %zu fields, a row of input %s has %zu",
                     tool_name(r->file), number, n, tool_name(r->port->name),
                     r->row_elements);
  const size_t row = r->out->n_rows;
  // Doubling, as the number of lines is not known.
  if (row == r->room && make_rows(r, row ? 2 * row : 1024) != TOOL_OK)
    return TOOL_FAILED;
  for (size_t i = 0; i < n; i++)
    if (put(r, row, i, fields[i]) != TOOL_OK) return TOOL_FAILED;
  r->out->n_rows++;
  return TOOL_OK;
}

static int read_csv(reader *r, gzFile file, const char *columns) {
  enum { LINE_BYTES = 1 << 20 };
  if (r->row_elements > MAX_COLUMNS)
    return fail(r, "a row is too long for csv");
  char *line = malloc(LINE_BYTES);
  double *fields = malloc((r->row_elements + 1) * sizeof *fields);
  if (!line || !fields) {
    free(line);
    free(fields);
    return tool_fail("out of memory");
  }
  int status = TOOL_OK;
  for (size_t number = 1; status == TOOL_OK && gzgets(file, line, LINE_BYTES);
       number++) {
    // gzgets stops where the buffer ends; the rest would pass for a line.
    if (strlen(line) == LINE_BYTES - 1) status = fail(r, "a line is too long");
    if (status == TOOL_OK)
      status = read_csv_line(r, line, columns, number, fields);
  }
  // The end and an error look alike to gzgets.
  int code;
  gzerror(file, &code);
  if (status == TOOL_OK && code != Z_OK && code != Z_STREAM_END)
    status = fail(r, "the file is cut or damaged");
  free(line);
  free(fields);
  return status;
}

// --- any of them -----------------------------------------------------------

// The columns behind the last colon; cuts them off `path`.
static const char *cut_columns(char *path) {
  // A colon may be part of a name: only digits, commas and dashes behind it
  // make it a list of columns.
  char *colon = strrchr(path, ':');
  if (!colon || !colon[1] || colon[1 + strspn(colon + 1, "0123456789,-")])
    return NULL;
  *colon = '\0';
  return colon + 1;
}

static int read_any(reader *r, char *path) {
  if (tool_ends_with(path, ".npy")) return read_npy(r);
  const char *columns = cut_columns(path);
  const bool is_csv =
      tool_ends_with(path, ".csv") || tool_ends_with(path, ".csv.gz");
  if (columns && !is_csv) return fail(r, "columns are for .csv files");
  // Reads files that are not compressed as they are.
  gzFile file = gzopen(path, "rb");
  if (!file) return fail(r, "cannot open it");
  const int status = is_csv ? read_csv(r, file, columns) : read_idx(r, file);
  gzclose(file);
  return status;
}

int tool_read_rows(tool *t, const tir_port *port, const char *file,
                   tool_rows *out) {
  *out = (tool_rows){0};
  if (port->rank < 1)
    return tool_fail("input %s is a scalar: give it with --set",
                     tool_name(port->name));
  reader r = {
      .t = t, .port = port, .file = file, .row_elements = 1, .out = out};
  // Fits: the type of the input was checked when the graph was loaded.
  for (int i = 1; i < port->rank; i++) r.row_elements *= (size_t)port->dims[i];
  out->row_bytes = r.row_elements * tir_dtype_size(port->dtype);
  char *path = strdup(file);
  if (!path) return tool_fail("out of memory");
  const int status = read_any(&r, path);
  free(path);
  if (status != TOOL_OK) tool_free_rows(out);
  return status;
}

void tool_free_rows(tool_rows *rows) {
  free(rows->bytes);
  *rows = (tool_rows){0};
}
