/// @file
/// Tapeir: record numeric C code, differentiate it, plan it, run it, save it.
#ifndef TAPEIR_TAPEIR_H
#define TAPEIR_TAPEIR_H

#include "tapeir/base.h"
#include "tapeir/check.h"
#include "tapeir/custom.h"
#include "tapeir/data.h"
#include "tapeir/file.h"
#include "tapeir/graph.h"
#include "tapeir/init.h"
#include "tapeir/inspect.h"
#include "tapeir/ops.h"
#include "tapeir/optim.h"
#include "tapeir/program.h"
#include "tapeir/tape.h"
#include "tapeir/train.h"

#endif
