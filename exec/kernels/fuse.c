// Fused steps when compiled: nodes to instructions, values to registers.
//
// Registers are given out as the parts are gone through in order, and taken
// back after the last part that reads them. A result may take the register of
// an operand that dies with it, if both are of one type: loops work in place.
//
// Which nodes make a step was decided before (passes/). Here nothing is refused
// but a part that turns out to have no loop.
#include <string.h>

#include "exec/kernels/fused_program.h"
#include "exec/kernels/reduce.h"
#include "ir/base/checked.h"

// Slots are numbered when all are known. Until then one is a number of those in
// outer memory, or of a register with this bit. Both counts stay far below it:
// they are bounded by the operands of the parts.
#define REGISTER 0x80000000u
#define NEVER UINT32_MAX

// A value in a register in the shape of all elements or rows of the tile: what
// reads the same operand in the same shape takes it from there.
typedef struct expansion {
  const tir_exec_fused_operand *operand;
  const tir_ir_type *type, *to;
  uint32_t slot;
} expansion;

typedef struct builder {
  tir_exec_prepare *q;
  tir_exec_fusing *fusing;
  TIR_VEC(tir_exec_fused_op) ops;
  TIR_VEC(tir_exec_fused_op) setup;
  TIR_VEC(tir_exec_fused_slot) moving;
  TIR_VEC(uint32_t) last;  // by register: part that reads it last; NEVER: free
  TIR_VEC(expansion) expansions;  // those whose register is not free
  uint32_t *place;                // by part: slot of its value
  size_t n_folds;                 // of parts of rows
  double cost;                    // of an element
  size_t moved_bytes;             // per element, in outer memory
  size_t widest;                  // bytes of an element
} builder;

static tir_status no_memory(builder *b, size_t size) {
  return tir_base_fail_memory(b->q->error, size);
}

// --- registers and slots -----------------------------------------------------

// The first free register, or a new one. All are equally long, so a value of
// any dtype fits.
static tir_status take_register(builder *b, uint32_t last, size_t size,
                                uint32_t *out_slot) {
  if (size > b->widest) b->widest = size;
  for (uint32_t i = 0; i < b->last.count; i++) {
    if (b->last.data[i] != NEVER) continue;
    b->last.data[i] = last;
    *out_slot = i | REGISTER;
    return TIR_OK;
  }
  *out_slot = (uint32_t)b->last.count | REGISTER;
  if (TIR_VEC_PUSH(b->fusing->context, &b->last, last)) return TIR_OK;
  return no_memory(b, sizeof last);
}

// One that no other value had before: it is filled before all tiles.
static tir_status take_for_good(builder *b, size_t size, uint32_t *out_slot) {
  // No part has this number, so nothing takes it back.
  const uint32_t never_dies = NEVER - 1;
  if (size > b->widest) b->widest = size;
  *out_slot = (uint32_t)b->last.count | REGISTER;
  if (TIR_VEC_PUSH(b->fusing->context, &b->last, never_dies)) return TIR_OK;
  return no_memory(b, sizeof never_dies);
}

// Slots in outer memory belong to nobody here.
static bool dies(const builder *b, uint32_t slot, uint32_t part) {
  return (slot & REGISTER) && b->last.data[slot & ~REGISTER] == part;
}

static void give_register(builder *b, uint32_t slot, uint32_t part) {
  if (!dies(b, slot, part)) return;
  b->last.data[slot & ~REGISTER] = NEVER;
  size_t kept = 0;
  for (size_t i = 0; i < b->expansions.count; i++)
    if (b->expansions.data[i].slot != slot)
      b->expansions.data[kept++] = b->expansions.data[i];
  b->expansions.count = kept;
}

// One slot per argument and use: an operand that several parts read is moved on
// once. A value per row counts as no traffic, being short.
static tir_status outer_slot(builder *b, uint32_t arg, bool per_row,
                             size_t size, uint32_t *out_slot) {
  for (uint32_t i = 0; i < b->moving.count; i++) {
    const tir_exec_fused_slot *s = &b->moving.data[i];
    if (s->arg != arg || s->per_row != per_row) continue;
    *out_slot = i;
    return TIR_OK;
  }
  *out_slot = (uint32_t)b->moving.count;
  if (!per_row) b->moved_bytes += size;
  const tir_exec_fused_slot slot = {
      .arg = arg, .per_row = per_row, .size = size};
  if (TIR_VEC_PUSH(b->fusing->context, &b->moving, slot)) return TIR_OK;
  return no_memory(b, sizeof slot);
}

static tir_status add_op(builder *b, tir_exec_fused_op op) {
  if (TIR_VEC_PUSH(b->fusing->context, &b->ops, op)) return TIR_OK;
  return no_memory(b, sizeof op);
}

// --- operands ----------------------------------------------------------------

static bool is_same_operand(const tir_exec_fused_operand *a,
                            const tir_exec_fused_operand *b) {
  if (a->is_shape || b->is_shape || a->part != b->part) return false;
  return a->part != TIR_EXEC_OUTER || a->arg == b->arg;
}

static bool is_expansion(const expansion *e,
                         const tir_exec_fused_operand *operand,
                         const tir_ir_type *type, const tir_ir_type *to) {
  return is_same_operand(e->operand, operand) &&
         tir_ir_same_shape(e->type, type) && tir_ir_same_shape(e->to, to);
}

// The shape a part wants its operands in: that of its result, or, if it folds
// rows, of what it folds.
static const tir_ir_type *wanted_shape(const tir_exec_fused_part *p) {
  const uint32_t none = TIR_TRAIT_MOVEMENT | TIR_TRAIT_ELEMENTWISE;
  return p->desc->traits & none ? &p->types[p->n_in] : &p->types[0];
}

// The last part that reads the same, at least `part`.
static uint32_t last_reader(const builder *b, uint32_t part,
                            const expansion *e) {
  for (uint32_t i = b->fusing->n_parts - 1; i > part; i--) {
    const tir_exec_fused_part *p = &b->fusing->parts[i];
    for (uint32_t k = 0; k < p->n_in; k++)
      if (is_expansion(e, &p->in[k], &p->types[k], wanted_shape(p))) return i;
  }
  return part;
}

// Is the operand in a register in that shape already? Else gives it one, and
// `op` is to fill it.
static tir_status expand(builder *b, uint32_t part,
                         const tir_exec_fused_operand *operand,
                         const tir_ir_type *type, const tir_ir_type *to,
                         tir_exec_fused_op *op, uint32_t *out_slot) {
  for (size_t i = 0; i < b->expansions.count; i++) {
    *out_slot = b->expansions.data[i].slot;
    if (is_expansion(&b->expansions.data[i], operand, type, to)) return TIR_OK;
  }
  expansion e = {.operand = operand, .type = type, .to = to};
  TIR_TRY(take_register(b, last_reader(b, part, &e), op->size, &e.slot));
  *out_slot = op->out = e.slot;
  if (!TIR_VEC_PUSH(b->fusing->context, &b->expansions, e))
    return no_memory(b, sizeof e);
  return add_op(b, *op);
}

// The only element of an outer operand, repeated once for all tiles.
static tir_status read_scalar(builder *b, const tir_exec_fused_op *op,
                              uint32_t *out_slot) {
  for (size_t i = 0; i < b->setup.count; i++) {
    *out_slot = b->setup.data[i].out;
    if (b->setup.data[i].arg == op->arg) return TIR_OK;
  }
  TIR_TRY(take_for_good(b, op->size, out_slot));
  tir_exec_fused_op once = *op;
  once.out = *out_slot;
  once.per_row = false;
  if (TIR_VEC_PUSH(b->fusing->context, &b->setup, once)) return TIR_OK;
  return no_memory(b, sizeof once);
}

static tir_status read_outer(builder *b, uint32_t part,
                             const tir_exec_fused_operand *operand,
                             const tir_ir_type *type, const tir_ir_type *to,
                             bool per_row, uint32_t *out_slot) {
  tir_exec_elementwise *broadcast = tir_base_arena_alloc(
      b->q->arena, sizeof *broadcast, _Alignof(tir_exec_elementwise));
  if (!broadcast) return no_memory(b, sizeof *broadcast);
  tir_exec_broadcast(type, to, broadcast);
  // Lies element by element: read where it is.
  const size_t size = tir_dtype_size(type->dtype);
  if (tir_exec_is_flat(broadcast))
    return outer_slot(b, operand->arg, per_row, size, out_slot);
  tir_exec_fused_op op = {.kind = TIR_FUSED_EXPAND,
                          .per_row = per_row,
                          .arg = operand->arg,
                          .size = size,
                          .broadcast = broadcast};
  if (tir_exec_is_scalar(broadcast)) return read_scalar(b, &op, out_slot);
  return expand(b, part, operand, type, to, &op, out_slot);
}

// Slot where operand `k` of the part is found in the shape of `to`.
static tir_status read_operand(builder *b, uint32_t part, uint32_t k,
                               const tir_ir_type *to, bool per_row,
                               uint32_t *out_slot) {
  const tir_exec_fused_part *p = &b->fusing->parts[part];
  const tir_exec_fused_operand *operand = &p->in[k];
  const tir_ir_type *type = &p->types[k];
  if (operand->part == TIR_EXEC_OUTER)
    return read_outer(b, part, operand, type, to, per_row, out_slot);
  *out_slot = b->place[operand->part];
  if (tir_ir_type_numel(type) == tir_ir_type_numel(to)) return TIR_OK;
  // One for each row, wanted for all elements.
  tir_exec_fused_op op = {.kind = TIR_FUSED_REPEAT,
                          .size = tir_dtype_size(type->dtype)};
  op.in[0] = *out_slot;
  return expand(b, part, operand, type, to, &op, out_slot);
}

// --- parts -------------------------------------------------------------------

// Where the part's result goes; takes a register if it stays inside.
static tir_status place_result(builder *b, uint32_t part, bool per_row,
                               uint32_t *out_slot) {
  const tir_exec_fused_part *p = &b->fusing->parts[part];
  const size_t size = tir_dtype_size(p->types[p->n_in].dtype);
  TIR_TRY(p->out_arg != TIR_EXEC_OUTER
              ? outer_slot(b, p->out_arg, per_row, size, out_slot)
              : take_register(b, p->last_part, size, out_slot));
  b->place[part] = *out_slot;
  return TIR_OK;
}

static tir_status add_fold(builder *b, uint32_t part,
                           const tir_exec_prepare *found) {
  const tir_exec_fused_part *p = &b->fusing->parts[part];
  tir_exec_fused_op op = {.kind = TIR_FUSED_FOLD_ROWS,
                          .size = tir_dtype_size(p->types[0].dtype),
                          .folding = found->folding};
  TIR_TRY(read_operand(b, part, 0, &p->types[0], false, &op.in[0]));
  if (b->fusing->long_rows) {
    op.kind = TIR_FUSED_FOLD_PART;
    op.arg = p->out_arg;
    op.shared = b->n_folds++;  // its number, until the tile is known
  } else {
    // Before the operand is given back: a fold does not work in place.
    TIR_TRY(place_result(b, part, true, &op.out));
  }
  TIR_TRY(add_op(b, op));
  give_register(b, op.in[0], part);
  return TIR_OK;
}

// A broadcast value is what it is made from; copied if it is wanted outside.
static tir_status add_copy(builder *b, uint32_t part, bool per_row) {
  const tir_exec_fused_part *p = &b->fusing->parts[part];
  tir_exec_fused_op op = {.kind = TIR_FUSED_COPY,
                          .per_row = per_row,
                          .size = tir_dtype_size(p->types[0].dtype)};
  TIR_TRY(read_operand(b, part, 0, &p->types[p->n_in], per_row, &op.in[0]));
  if (p->out_arg == TIR_EXEC_OUTER) {
    b->place[part] = op.in[0];
    // The value lives on under another name; its register as long as either.
    if (!(op.in[0] & REGISTER)) return TIR_OK;
    uint32_t *last = &b->last.data[op.in[0] & ~REGISTER];
    if (*last < p->last_part) *last = p->last_part;
    return TIR_OK;
  }
  TIR_TRY(place_result(b, part, per_row, &op.out));
  TIR_TRY(add_op(b, op));
  give_register(b, op.in[0], part);
  return TIR_OK;
}

static bool is_value_of(const builder *b, const tir_exec_fused_operand *operand,
                        uint32_t slot) {
  return operand->part != TIR_EXEC_OUTER && b->place[operand->part] == slot;
}

// A sum of many goes through a register up to its last term: the result may
// stand in the memory of any of them.
static tir_status add_sum(builder *b, uint32_t part, tir_exec_loop loop,
                          bool per_row) {
  const tir_exec_fused_part *p = &b->fusing->parts[part];
  const tir_ir_type *to = &p->types[p->n_in];
  tir_exec_fused_op op = {
      .kind = TIR_FUSED_LOOP, .per_row = per_row, .loop = loop};
  uint32_t sum = 0, out = 0;
  TIR_TRY(read_operand(b, part, 0, to, per_row, &op.in[0]));
  // Operands stay until the sum is done: the same one may be a later term.
  const uint32_t first = op.in[0];
  TIR_TRY(take_register(b, part, tir_dtype_size(to->dtype), &sum));
  TIR_TRY(place_result(b, part, per_row, &out));
  for (uint32_t k = 1; k < p->n_in; k++) {
    TIR_TRY(read_operand(b, part, k, to, per_row, &op.in[1]));
    op.out = k + 1 == p->n_in ? out : sum;
    TIR_TRY(add_op(b, op));
    op.in[0] = sum;
    // What was made for this alone; operands may come again.
    if (!is_value_of(b, &p->in[k], op.in[1])) give_register(b, op.in[1], part);
  }
  give_register(b, first, part);
  give_register(b, sum, part);
  for (uint32_t k = 0; k < p->n_in; k++)
    if (p->in[k].part != TIR_EXEC_OUTER)
      give_register(b, b->place[p->in[k].part], part);
  return TIR_OK;
}

static tir_status add_loop(builder *b, uint32_t part, tir_exec_loop loop,
                           bool per_row) {
  const tir_exec_fused_part *p = &b->fusing->parts[part];
  const tir_ir_type *to = &p->types[p->n_in];
  tir_exec_fused_op op = {
      .kind = TIR_FUSED_LOOP, .per_row = per_row, .loop = loop};
  uint32_t n_read = 0;
  bool may_take[TIR_EXEC_MAX_OPERANDS] = {false};
  for (uint32_t k = 0; k < p->n_in; k++) {
    // Not data: the loop is not given it.
    if (p->in[k].is_shape) continue;
    TIR_TRY(read_operand(b, part, k, to, per_row, &op.in[n_read]));
    may_take[n_read++] = p->types[k].dtype == to->dtype;
  }
  for (uint32_t k = 0; k < n_read; k++)
    if (may_take[k]) give_register(b, op.in[k], part);
  TIR_TRY(place_result(b, part, per_row, &op.out));
  TIR_TRY(add_op(b, op));
  for (uint32_t k = 0; k < n_read; k++)
    if (!may_take[k]) give_register(b, op.in[k], part);
  return TIR_OK;
}

static tir_status add_part(builder *b, uint32_t part) {
  const tir_exec_fused_part *p = &b->fusing->parts[part];
  const tir_ir_type *to = &p->types[p->n_in];
  const bool moves = p->desc->traits & TIR_TRAIT_MOVEMENT;
  const bool folds = !moves && !(p->desc->traits & TIR_TRAIT_ELEMENTWISE);
  // A result of fewer elements than the step has one for each row.
  const bool per_row = !folds && tir_ir_type_numel(to) != b->fusing->n_elements;
  if (moves) return add_copy(b, part, per_row);
  tir_exec_prepare found = {
      .desc = p->desc,
      .attrs = p->attrs,
      .in = p->types,
      .n_in = p->n_in,
      .out = to,
      .n_out = 1,
      .cpu_level = b->q->cpu_level,
      .arena = b->q->arena,
      .error = b->q->error,
      .is_part = true,
  };
  // Until the next one: if it is refused, this is the part to name.
  b->fusing->at_part = part;
  TIR_TRY(p->kernel->prepare(&found));
  if (folds ? !found.folding.part : !found.loop)
    return tir_base_fail(b->q->error, TIR_ERR_UNSUPPORTED,
                         "%s: has no part of a fused step", p->desc->name);
  b->cost += per_row ? found.cost / (double)b->fusing->row : found.cost;
  if (folds) return add_fold(b, part, &found);
  // An op of any number of operands is a sum; of one it is that operand.
  if (p->n_in > TIR_EXEC_MAX_OPERANDS || p->desc->max_inputs == UINT8_MAX)
    return p->n_in == 1 ? add_copy(b, part, per_row)
                        : add_sum(b, part, found.loop, per_row);
  return add_loop(b, part, found.loop, per_row);
}

// --- the whole ---------------------------------------------------------------

// A tile and all that moves through it fit the nearest cache, if that leaves
// loops long enough.
static void choose_tile(const builder *b, tir_exec_fused *p) {
  const int64_t near_bytes = 32768, shortest = 512, longest = 4096;
  // Bytes that an element of the tile takes: in all registers, and in memory.
  const int64_t element =
      (int64_t)(b->last.count * b->widest + b->moved_bytes + 1);
  int64_t tile = near_bytes / element;
  if (tile > longest) tile = longest;
  tile = tile < shortest ? shortest : tile / 64 * 64;
  // Tests want many tiles.
  const bool is_test = b->q->grain > 0 && b->q->grain < 1;
  if (is_test) tile = 7;
  if (b->fusing->long_rows) {
    // A power of two of blocks: then a tile is a whole branch of the row's
    // tree.
    p->tile = TIR_EXEC_ROW_BLOCK;
    while (2 * p->tile <= tile) p->tile *= 2;
    p->tiles_per_row = (p->row + p->tile - 1) / p->tile;
    p->n_tiles = p->tiles_per_row * (p->n / p->row);
    return;
  }
  // Whole rows, at least one, however long it is.
  if (p->row > 0) tile = tile > p->row ? tile / p->row * p->row : p->row;
  p->tile = tile < p->n ? tile : p->n;
  p->n_tiles = (p->n + p->tile - 1) / p->tile;
}

// Registers, slots, and accumulators of rows; then, if the step is not cut,
// behind those that all tiles share.
static bool lay_out(const builder *b, tir_exec_fused *p, size_t *out_bytes) {
  const size_t tile = (size_t)p->tile;
  // Accumulators take 8 bytes at most.
  const size_t n_rows =
      p->row > 0 && !p->tiles_per_row ? tile / (size_t)p->row : 0;
  size_t a_register = 0, slots = 0, folding = 0, shared = 0;
  return tir_base_size_mul(tile, b->widest, &a_register) &&
         tir_base_size_align(a_register, 64, &p->register_bytes) &&
         tir_base_size_mul(p->register_bytes, b->last.count, &p->slots_at) &&
         tir_base_size_align(p->n_slots * sizeof(char *), 64, &slots) &&
         tir_base_size_add(p->slots_at, slots, &p->folding_at) &&
         tir_base_size_mul(n_rows, 8, &folding) &&
         tir_base_size_align(folding, 64, &folding) &&
         tir_base_size_add(p->folding_at, folding, out_bytes) &&
         tir_base_size_mul((size_t)p->n_tiles, 8, &shared) &&
         tir_base_size_mul(shared, b->n_folds, &shared) &&
         tir_base_size_align(shared, 64, &p->shared_bytes);
}

static uint32_t final_slot(const builder *b, uint32_t slot) {
  return slot & REGISTER ? (uint32_t)b->moving.count + (slot & ~REGISTER)
                         : slot;
}

static void copy_ops(const builder *b, tir_exec_fused *p) {
  for (uint32_t i = 0; i < p->n_ops; i++) {
    tir_exec_fused_op *op = &p->ops[i];
    *op = i < p->n_setup ? b->setup.data[i] : b->ops.data[i - p->n_setup];
    op->out = final_slot(b, op->out);
    for (int k = 0; k < TIR_EXEC_MAX_OPERANDS; k++)
      op->in[k] = final_slot(b, op->in[k]);
    // From its number to its place: each fold has an accumulator per tile.
    if (op->kind == TIR_FUSED_FOLD_PART) op->shared *= (size_t)p->n_tiles * 8;
  }
  for (uint32_t i = 0; i < p->n_slots; i++)
    p->slots[i] = i < p->n_moving
                      ? b->moving.data[i]
                      : (tir_exec_fused_slot){.arg = TIR_EXEC_OUTER,
                                              .number = i - p->n_moving};
}

static tir_status finish(builder *b) {
  tir_exec_prepare *q = b->q;
  tir_exec_fused *p =
      tir_base_arena_alloc(q->arena, sizeof *p, _Alignof(tir_exec_fused));
  if (!p) return no_memory(b, sizeof *p);
  *p = (tir_exec_fused){
      .n = b->fusing->n_elements,
      .row = b->fusing->row,
      .n_moving = (uint32_t)b->moving.count,
      .n_slots = (uint32_t)(b->moving.count + b->last.count),
      .n_setup = (uint32_t)b->setup.count,
      .n_ops = (uint32_t)(b->setup.count + b->ops.count),
  };
  // One more of each, so that no size is 0.
  const size_t ops_bytes = (p->n_ops + 1) * sizeof *p->ops;
  const size_t slots_bytes = (p->n_slots + 1) * sizeof *p->slots;
  p->ops = tir_base_arena_alloc(q->arena, ops_bytes, 8);
  p->slots = tir_base_arena_alloc(q->arena, slots_bytes, 8);
  if (!p->ops || !p->slots) return no_memory(b, ops_bytes + slots_bytes);
  choose_tile(b, p);
  // Shared memory is asked for by itself where lanes have scratch of their own.
  p->per_unit = tir_exec_cut(q, p->n_tiles, b->cost * (double)p->tile);
  const bool is_cut = q->split.n_units > 1;
  if (!lay_out(b, p, &q->scratch_bytes) ||
      (!is_cut && !tir_base_size_add(q->scratch_bytes, p->shared_bytes,
                                     &q->scratch_bytes)))
    return tir_base_fail(q->error, TIR_ERR_LIMIT,
                         "compile: scratch memory exceeds the address space");
  copy_ops(b, p);
  q->run = tir_exec_fused_run;
  q->params = p;
  if (!is_cut) return TIR_OK;
  q->split.shared_bytes = p->shared_bytes;
  if (p->tiles_per_row > 0) q->split.finish = tir_exec_fused_finish;
  return TIR_OK;
}

tir_status tir_exec_prepare_fused(tir_exec_prepare *q,
                                  tir_exec_fusing *fusing) {
  tir_context *context = fusing->context;
  const size_t place_bytes = fusing->n_parts * sizeof(uint32_t);
  builder b = {.q = q, .fusing = fusing, .widest = 1};
  b.place = tir_base_alloc(context, place_bytes, _Alignof(uint32_t));
  tir_status status = b.place ? TIR_OK : no_memory(&b, place_bytes);
  for (uint32_t i = 0; i < fusing->n_parts && status == TIR_OK; i++)
    status = add_part(&b, i);
  if (status == TIR_OK) status = finish(&b);
  TIR_VEC_FREE(context, &b.ops);
  TIR_VEC_FREE(context, &b.setup);
  TIR_VEC_FREE(context, &b.moving);
  TIR_VEC_FREE(context, &b.last);
  TIR_VEC_FREE(context, &b.expansions);
  tir_base_free(context, b.place, place_bytes, _Alignof(uint32_t));
  return status;
}
