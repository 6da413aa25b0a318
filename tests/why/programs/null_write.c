// A record that was never found is written through.
// why: died of SIGSEGV
// why: through a null pointer
// why: `account` is NULL
// why: deposit(account=NULL, amount=7)
#include <stddef.h>

struct account {
  const char* owner;
  int balance;
};

static struct account accounts[] = {{"ada", 10}, {"bob", 20}};

__attribute__((noinline)) static struct account* find(const char* owner) {
  for (size_t i = 0; i < sizeof accounts / sizeof *accounts; ++i)
    if (accounts[i].owner[0] == owner[0]) return &accounts[i];
  return NULL;
}

__attribute__((noinline)) void deposit(struct account* account, int amount) {
  account->balance += amount;  // CRASH
}

int main(void) {
  deposit(find("ada"), 5);
  deposit(find("zoe"), 7);
  return 0;
}
