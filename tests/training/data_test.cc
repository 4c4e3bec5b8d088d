// Batches: every row once an epoch, fair orders, exact resuming, no memory per
// batch. Metrics: counted by hand.
#include "tapeir/data.h"

#include <set>

#include "tests/support/failing_allocator.h"
#include "tests/training/training_fixture.h"

namespace {

using Rows = std::vector<int64_t>;

struct DestroyBatches {
  void operator()(tir_batches *b) const { tir_batches_destroy(b); }
};
using OwnedBatches = std::unique_ptr<tir_batches, DestroyBatches>;

class Data : public TrainingTest {
 protected:
  OwnedBatches Make(int64_t n_rows, int64_t batch, uint64_t seed = 1,
                    bool in_order = false, bool drop_last = false) {
    tir_batches_options options = {};
    options.n_rows = n_rows;
    options.batch = batch;
    options.seed = seed;
    options.in_order = in_order;
    options.drop_last = drop_last;
    tir_batches *b = nullptr;
    Check(tir_batches_create(c, &options, &b, &error));
    return OwnedBatches(b);
  }
  static Rows Next(const OwnedBatches &b) {
    const int64_t *rows = nullptr;
    const int64_t n = tir_batches_next(b.get(), &rows);
    return rows ? Rows(rows, rows + n) : Rows();
  }
  // All rows up to the end of the epoch.
  static Rows Epoch(const OwnedBatches &b) {
    Rows all;
    for (Rows rows = Next(b); !rows.empty(); rows = Next(b))
      all.insert(all.end(), rows.begin(), rows.end());
    return all;
  }
};

TEST_F(Data, EveryEpochHasEveryRowOnceInAnOrderOfItsOwn) {
  const OwnedBatches b = Make(103, 10);
  EXPECT_EQ(tir_batches_per_epoch(b.get()), 11);
  std::set<Rows> orders;
  for (int epoch = 0; epoch < 5; epoch++) {
    EXPECT_EQ(tir_batches_tell(b.get()).epoch, epoch);
    Rows rows = Epoch(b);
    EXPECT_TRUE(orders.insert(rows).second);
    std::sort(rows.begin(), rows.end());
    ASSERT_EQ(rows.size(), 103u);
    for (int64_t i = 0; i < 103; i++)
      EXPECT_EQ(rows[static_cast<size_t>(i)], i);
  }
  EXPECT_EQ(Epoch(Make(103, 10)), Epoch(Make(103, 7))) << "only cut elsewhere";
  EXPECT_EQ(orders.count(Epoch(Make(103, 10))), 1u) << "repeats";
  EXPECT_EQ(orders.count(Epoch(Make(103, 10, 2))), 0u) << "another seed";
}

TEST_F(Data, TheLastBatchIsShorterOrLeftOut) {
  const OwnedBatches all = Make(10, 4), whole = Make(10, 4, 1, false, true);
  EXPECT_EQ(Next(all).size(), 4u);
  EXPECT_EQ(Next(all).size(), 4u);
  EXPECT_EQ(Next(all).size(), 2u);
  EXPECT_EQ(Next(all).size(), 0u);
  EXPECT_EQ(Next(all).size(), 4u) << "the next epoch";
  EXPECT_EQ(tir_batches_per_epoch(all.get()), 3);
  EXPECT_EQ(Epoch(whole).size(), 8u);
  EXPECT_EQ(tir_batches_per_epoch(whole.get()), 2);
  EXPECT_EQ(Epoch(Make(3, 100)).size(), 3u);
  EXPECT_EQ(Epoch(Make(1, 1)), (Rows{0}));
}

TEST_F(Data, InOrderMeansInOrder) {
  const OwnedBatches b = Make(5, 2, 1, true);
  EXPECT_EQ(Next(b), (Rows{0, 1}));
  EXPECT_EQ(Next(b), (Rows{2, 3}));
  EXPECT_EQ(Next(b), (Rows{4}));
  EXPECT_EQ(Next(b), (Rows{}));
  EXPECT_EQ(Next(b), (Rows{0, 1}));
}

// Each of the 24 orders of four rows; 24 000 epochs, 23 degrees of freedom.
TEST_F(Data, OrdersAreEquallyLikely) {
  const OwnedBatches b = Make(4, 4, 7);
  std::map<Rows, double> seen;
  for (int epoch = 0; epoch < 24000; epoch++) seen[Epoch(b)]++;
  ASSERT_EQ(seen.size(), 24u);
  double chi = 0;
  for (const auto &one : seen) chi += std::pow(one.second - 1000, 2) / 1000;
  EXPECT_LT(chi, 60) << "p = 4e-5";
  EXPECT_GT(chi, 4) << "too even to be random";
}

TEST_F(Data, ResumeAnywhere) {
  const OwnedBatches b = Make(50, 8, 3);
  for (int i = 0; i < 30; i++) {
    const tir_batches_position at = tir_batches_tell(b.get());
    const OwnedBatches again = Make(50, 8, 3);
    Check(tir_batches_seek(again.get(), at, &error));
    Rows expected[9];
    for (Rows &rows : expected) rows = Next(again);
    Check(tir_batches_seek(again.get(), at, &error));
    EXPECT_EQ(Next(again), expected[0]) << "and back";
    EXPECT_EQ(Next(b), expected[0]) << i;
  }
}

TEST_F(Data, RefusePlacesAndOptionsThatAreNone) {
  const OwnedBatches b = Make(50, 8);
  for (const tir_batches_position at :
       {tir_batches_position{-1, 0}, {0, -8}, {0, 3}, {0, 56}, {INT64_MAX, 0}})
    EXPECT_EQ(tir_batches_seek(b.get(), at, &error), TIR_ERR_ARGUMENT);
  EXPECT_STREQ(error.message,
               "batches: no batch begins at epoch "
               "9223372036854775807, row 0");
  Check(tir_batches_seek(b.get(), {3, 50}, &error));
  EXPECT_EQ(Next(b), (Rows{})) << "the end of an epoch is a place";
  tir_batches_options options = {};
  tir_batches *none = nullptr;
  EXPECT_EQ(tir_batches_create(c, &options, &none, &error), TIR_ERR_ARGUMENT);
  EXPECT_STREQ(error.message,
               "batches: n_rows is 0, batch 0, expected 1 or "
               "more");
  options.n_rows = 3;
  options.batch = 4;
  options.drop_last = true;
  EXPECT_EQ(tir_batches_create(c, &options, &none, &error), TIR_ERR_ARGUMENT);
  options.drop_last = false;
  options.reserved[7] = 1;
  EXPECT_EQ(tir_batches_create(c, &options, &none, &error), TIR_ERR_ARGUMENT);
  options.reserved[7] = 0;
  options.n_rows = INT64_MAX;
  EXPECT_EQ(tir_batches_create(c, &options, &none, &error), TIR_ERR_MEMORY);
  tir_batches_destroy(nullptr);
}

TEST(DataMemory, NothingIsAllocatedPerBatch) {
  ForEachFailingAllocation([](FailingAllocator &allocator) {
    const tir_context_options options = allocator.Options();
    tir_context *context = nullptr;
    tir_status status = tir_context_create(&options, &context, nullptr);
    if (status != TIR_OK) return status;
    tir_batches_options walk = {};
    walk.n_rows = 20;
    walk.batch = 3;
    tir_batches *b = nullptr;
    status = tir_batches_create(context, &walk, &b, nullptr);
    if (status == TIR_OK) {
      const uint64_t before = allocator.n_allocs();
      for (int i = 0; i < 40; i++) tir_batches_next(b, nullptr);
      EXPECT_EQ(allocator.n_allocs(), before);
    }
    tir_batches_destroy(b);
    tir_context_destroy(context);
    return status;
  });
}

TEST_F(Data, GatherCopiesRows) {
  const float from[] = {0, 1, 10, 11, 20, 21};
  float to[6] = {};
  const int64_t rows[] = {2, 0, 2};
  tir_gather_rows(to, from, 2 * sizeof *from, rows, 3);
  EXPECT_EQ(std::vector<float>(to, to + 6),
            (std::vector<float>{20, 21, 0, 1, 20, 21}));
  tir_gather_rows(nullptr, nullptr, 0, rows, 3);
}

TEST_F(Data, ConfusionCountsRows) {
  int64_t counts[9] = {};
  const int32_t target[] = {0, 0, 1, 2, 2, 2};
  const int64_t found[] = {0, 1, 1, 2, 2, 0};
  EXPECT_TRUE(std::isnan(tir_confusion_accuracy(counts, 3)));
  Check(tir_confusion_add(counts, 3, target, TIR_DTYPE_I32, found,
                          TIR_DTYPE_I64, 6, &error));
  Check(tir_confusion_add(counts, 3, target, TIR_DTYPE_I32, target,
                          TIR_DTYPE_I32, 2, &error));
  EXPECT_EQ(Rows(counts, counts + 9), (Rows{3, 1, 0, 0, 1, 0, 1, 0, 2}));
  EXPECT_EQ(tir_confusion_accuracy(counts, 3), 6. / 8);
  EXPECT_EQ(tir_confusion_precision(counts, 3, 0), 3. / 4);
  EXPECT_EQ(tir_confusion_precision(counts, 3, 1), 1. / 2);
  EXPECT_EQ(tir_confusion_recall(counts, 3, 0), 3. / 4);
  EXPECT_EQ(tir_confusion_recall(counts, 3, 2), 2. / 3);
  EXPECT_TRUE(std::isnan(tir_confusion_recall(counts, 3, 3)));
  EXPECT_TRUE(std::isnan(tir_confusion_precision(counts, 3, -1)));
}

TEST_F(Data, ConfusionCountsNothingOnAMistake) {
  int64_t counts[4] = {};
  const int32_t target[] = {0, 1, 2}, found[] = {0, 1, 1};
  EXPECT_EQ(tir_confusion_add(counts, 2, target, TIR_DTYPE_I32, found,
                              TIR_DTYPE_I32, 3, &error),
            TIR_ERR_VALUE);
  EXPECT_STREQ(error.message, "confusion_add: target[2] is 2, expected 0 to 1");
  EXPECT_EQ(tir_confusion_add(counts, 2, target, TIR_DTYPE_F32, found,
                              TIR_DTYPE_I32, 2, &error),
            TIR_ERR_DTYPE);
  EXPECT_EQ(tir_confusion_add(counts, 0, target, TIR_DTYPE_I32, found,
                              TIR_DTYPE_I32, 2, &error),
            TIR_ERR_ARGUMENT);
  EXPECT_EQ(Rows(counts, counts + 4), (Rows{0, 0, 0, 0}));
}

}  // namespace
