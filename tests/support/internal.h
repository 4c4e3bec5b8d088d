// Internal C headers for C++17 tests.
//
// Include this before anything else that is internal; wrap further internal
// headers (passes/, exec/, serialize/) in extern "C" { }.
#ifndef TAPEIR_TESTS_SUPPORT_INTERNAL_H
#define TAPEIR_TESTS_SUPPORT_INTERNAL_H

// System headers first, so that none is met inside the extern "C" below.
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <atomic>

// Compound literals in inline functions are C, not C++.
#pragma GCC diagnostic ignored "-Wpedantic"

extern "C" {
#include "ir/base/arena.h"
#include "ir/base/atomics.h"
#include "ir/base/checked.h"
#include "ir/base/context.h"
#include "ir/base/error.h"
#include "ir/base/hash.h"
#include "ir/base/strings.h"
#include "ir/base/tensor.h"
#include "ir/base/vec.h"
#include "ir/body.h"
#include "ir/dtype.h"
#include "ir/graph.h"
#include "ir/infer.h"
#include "ir/module.h"
#include "ir/op.h"
#include "ir/record.h"
#include "ir/text.h"
#include "ir/type.h"
}

#endif
