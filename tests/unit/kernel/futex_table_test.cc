// The table of futex waiters by itself: order, removal from anywhere, addresses apart.
#include "kernel/futex_table.h"

#include <gtest/gtest.h>

namespace orrery::kernel {
namespace {

TEST(FutexTable, KeepsTheOrderOfArrival) {
  FutexTable table;
  FutexWaiter waiters[4];
  for (FutexWaiter& waiter : waiters) {
    waiter.address = 64;
    table.add(waiter);
  }
  table.remove(waiters[1]);
  table.remove(waiters[1]);
  EXPECT_EQ(table.first(64), &waiters[0]);
  EXPECT_EQ(waiters[0].after, &waiters[2]);
  table.remove(waiters[0]);
  EXPECT_EQ(table.first(64), &waiters[2]);
  table.remove(waiters[3]);
  EXPECT_EQ(waiters[2].after, nullptr);
  table.remove(waiters[2]);
  EXPECT_EQ(table.first(64), nullptr);
  EXPECT_FALSE(waiters[2].queued);
}

TEST(FutexTable, KeepsAddressesApart) {
  FutexTable table;
  FutexWaiter here{.address = 4}, there{.address = 8};
  table.add(here);
  table.add(there);
  EXPECT_EQ(table.first(4), &here);
  EXPECT_EQ(table.first(8), &there);
  EXPECT_EQ(here.after, nullptr);
  table.remove(here);
  EXPECT_EQ(table.first(4), nullptr);
  EXPECT_EQ(table.first(8), &there);
}

}  // namespace
}  // namespace orrery::kernel
