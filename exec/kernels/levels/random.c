// Philox4x32-10 over 64 counters side by side (docs/numerics.md §1.2).
//
// Counters are kept word by word, so that a round is the same few operations on
// vectors. Integers only: every level gives the same bits.
#include "exec/kernels/levels.h"

enum { N = TIR_EXEC_PHILOX_BLOCKS };

// c[j][i] is word j of counter i.
typedef struct words {
  uint32_t c[4][N];
} words;

// Two 64-bit products, and the words change places. w->c[1] and c[3] are read
// before they are overwritten.
static void one_round(words *w, uint32_t k0, uint32_t k1) {
  TIR_IVDEP
  for (int i = 0; i < N; i++) {
    const uint64_t p0 = (uint64_t)0xD2511F53u * w->c[0][i];
    const uint64_t p1 = (uint64_t)0xCD9E8D57u * w->c[2][i];
    const uint32_t c1 = w->c[1][i];
    const uint32_t c3 = w->c[3][i];
    w->c[0][i] = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
    w->c[1][i] = (uint32_t)p1;
    w->c[2][i] = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
    w->c[3][i] = (uint32_t)p0;
  }
}

static void philox(const uint32_t key[2], uint64_t step, uint64_t first,
                   uint32_t out[4 * N]) {
  words w;
  for (int i = 0; i < N; i++) {
    // The counter: the number of the block, then the step.
    const uint64_t number = first + (uint64_t)i;
    w.c[0][i] = (uint32_t)number;
    w.c[1][i] = (uint32_t)(number >> 32);
    w.c[2][i] = (uint32_t)step;
    w.c[3][i] = (uint32_t)(step >> 32);
  }
  // The keys move on after each round; the last move is not used.
  uint32_t k0 = key[0], k1 = key[1];
  for (int round = 0; round < 10; round++) {
    one_round(&w, k0, k1);
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  for (int i = 0; i < N; i++)
    for (int j = 0; j < 4; j++) out[4 * i + j] = w.c[j][i];
}

const tir_exec_level_random TIR_LEVEL(tir_exec_random) = {.words = philox};
