#include "tests/fault/kill_save.h"

TEST(KillSaveGate, NothingIsLostOrTorn) { KillMany(100); }
