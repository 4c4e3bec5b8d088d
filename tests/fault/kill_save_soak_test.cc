#include "tests/fault/kill_save.h"

TEST(KillSaveSoak, NothingIsLostOrTorn) { KillMany(1000); }
