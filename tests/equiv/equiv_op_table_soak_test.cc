#include "tests/equiv/op_table_checks.h"

namespace {

TEST(EquivOpTable, SameBits) { CheckOpTableGraphs(1000001, 10000); }

}  // namespace
