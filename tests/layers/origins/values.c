// Values whose way back is known: each comment in capitals is a line that `orrery origin` has to name.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct Item {
  long number;
  struct Item* next;
};

static struct Item* volatile shared;
static struct Item* volatile copies[3];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char text[64];

__attribute__((noinline)) static struct Item* make(long number) {
  struct Item* const item = malloc(sizeof *item);  // IT IS MADE
  item->number = number;
  item->next = 0;
  return item;
}

static void* producer(void* unused) {
  (void)unused;
  struct Item* const item = make(7);
  pthread_mutex_lock(&lock);
  shared = item;  // THE THREAD STORES IT
  pthread_mutex_unlock(&lock);
  return 0;
}

__attribute__((noinline)) static void check(const void* value) { (void)!write(-1, value, 0); }

static void use_after_free(void) {
  pthread_t thread;
  pthread_create(&thread, 0, producer, 0);
  pthread_join(thread, 0);
  copies[0] = shared;  // THE FIRST COPY
  memcpy((void*)&copies[1], (void*)&copies[0], sizeof(void*));
  struct Item holder[2] = {{0, 0}, {1, copies[1]}};  // THE THIRD COPY
  struct Item other[2];
  memcpy(other, holder, sizeof other);
  struct Item* const pointer = other[1].next;
  free(pointer);
  check(pointer);
}

static void from_the_kernel(void) {
  void* value = 0;
  int ends[2];
  if (pipe(ends) != 0) return;
  (void)!write(ends[1], "abcdefgh", 8);
  (void)!read(ends[0], &value, sizeof value);  // THE KERNEL WRITES IT
  check(value);
}

static void constant(void) {
  volatile unsigned long number = 0;
  for (volatile int i = 0; i < 3; ++i) number = 0x1234;  // THE CONSTANT
  check((void*)number);
}

static void address_of_text(void) {
  char* volatile pointer = text + 5;  // THE ADDRESS
  pointer = pointer + 3;
  check(pointer);
}

/// The value is made long before millions of other accesses.
static void long_ago(void) {
  static void* volatile kept;
  static volatile unsigned long sink;
  kept = make(9);
  for (unsigned long i = 0; i < 4000000; ++i) sink += i;
  check(kept);
}

static void computed(void) {
  volatile unsigned long left = 0x100, right = 0x20;
  check((void*)(left * right));  // THE PRODUCT
}

int main(int count, char** words) {
  const char* const how = count > 1 ? words[1] : "";
  if (strcmp(how, "use_after_free") == 0) use_after_free();
  if (strcmp(how, "from_the_kernel") == 0) from_the_kernel();
  if (strcmp(how, "constant") == 0) constant();
  if (strcmp(how, "address_of_text") == 0) address_of_text();
  if (strcmp(how, "long_ago") == 0) long_ago();
  if (strcmp(how, "computed") == 0) computed();
  return 0;
}
