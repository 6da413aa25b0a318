// Three calls deep, with values of every kind.
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum color { RED, GREEN = 5 };
enum flags { READ = 1, WRITE = 2, EXECUTE = 4 };
struct point {
  int x, y;
};
struct packed {
  unsigned low : 3, mid : 7;
  int top : 5;
  enum color color : 4;
};
union number {
  int i;
  float f;
};
struct shape {
  struct point corner;
  double scale;
  const char* name;
  char tag[8];
  union number number;
  struct shape* next;
};
typedef int (*operation)(int, int);
static int add(int a, int b) { return a + b; }

__attribute__((noinline)) static int inner(struct shape* shape, const char* text, int count, double factor) {
  char buffer[24];
  int squares[5] = {0, 1, 4, 9, 16}, zeros[40] = {0};
  enum color color = GREEN;
  enum flags flags = READ | EXECUTE;
  struct packed packed = {.low = 5, .mid = 100, .top = -3, .color = GREEN};
  operation chosen = add;
  unsigned char byte = 'A';
  long long wide = -1234567890123LL;
  _Bool yes = 1;
  long double precise = 1.25L;
  int grid[2][3] = {{1, 2, 3}, {4, 5, 6}};
  snprintf(buffer, sizeof buffer, "%s-%d", text, count);
  {
    struct point inside = {count, byte};
    raise(SIGUSR1);
    return (int)strlen(buffer) + squares[2] + inside.x + chosen(zeros[0], (int)packed.mid) + yes +
           (int)precise + (int)factor + (int)wide + grid[1][2] + (int)color + (int)flags + shape->corner.x;
  }
}
__attribute__((noinline)) static int middle(int depth, int length) {
  int row[length];
  for (int i = 0; i < length; i++) row[i] = i * depth;
  struct shape square = {{1, 2}, 2.5, "square", "tag", {7}, NULL},
               circle = {{3, 4}, 0.1, "circle", "round", {8}, &square};
  int sum = depth == 0 ? inner(&circle, "deep", row[1], 1.5) : middle(depth - 1, length);
  return sum + row[length - 1];
}
static void handler(int number) { write(1, "!", number == SIGUSR1); }
static int main_waits(void) {
  char line[300];
  int found = 0;
  snprintf(line, sizeof line, "/proc/self/task/%d/status", (int)getpid());
  FILE* from = fopen(line, "r");
  while (fgets(line, sizeof line, from)) found |= strncmp(line, "State:\tS", 8) == 0;
  fclose(from);
  return found;
}
static void* work(void* argument) {
  long long total = (long)argument;
  while (!main_waits()) usleep(1000);
  int result = middle(1, 3);
  sleep(1);
  total += result;
  return (void*)total;
}
int main(void) {
  signal(SIGUSR1, handler);
  pthread_t thread;
  pthread_create(&thread, NULL, work, (void*)5L);
  int sum = middle(2, 4);
  pthread_join(thread, NULL);
  printf("%d\n", sum);
  return 0;
}
