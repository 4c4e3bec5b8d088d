#include "tests/equiv/op_table_checks.h"

namespace {

TEST(EquivOpTable, SameBits) { CheckOpTableGraphs(1, 300); }

}  // namespace
