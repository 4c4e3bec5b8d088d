// Common mistakes in calls of ops, and what inference says about them.
#ifndef TAPEIR_TESTS_OPS_MISTAKES_H
#define TAPEIR_TESTS_OPS_MISTAKES_H

#include "tests/ops/op_calls.h"

struct Mistake {
  OpCall call;
  const char *message;
};

// Tables of at least two rows an op. Several, because the time to compile one
// grows with the square of its rows.
std::vector<Mistake> MistakesOfStructure();
std::vector<Mistake> MistakesOfCustom();
std::vector<Mistake> MistakesOfUnary();
std::vector<Mistake> MistakesOfBinary();
std::vector<Mistake> MistakesOfReductions();
std::vector<Mistake> MistakesOfLimits();
std::vector<Mistake> MistakesOfNormalizing();
std::vector<Mistake> MistakesOfMovement();
std::vector<Mistake> MistakesOfWindows();
std::vector<Mistake> MistakesOfIndexing();
std::vector<Mistake> MistakesOfOptimisers();

#endif
