// Structures whose members miss in known numbers: a shuffled list, of which a walk reads one member; an array
// of structures, of which one member is summed; a large block that is read once, and a small one often.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { kNodes = 4096, kBodies = 8192, kStream = 1 << 20, kTable = 512 };

struct key {
  int low, high;
};
struct node {
  struct key key;
  char padding[112];
  struct node* next;
};
struct body {
  double place[3];
  union {
    double speed[3];
    long words[3];
  };
  int mass;
  unsigned flags : 4, kind : 12;
};

static struct body bodies[kBodies];
long counter;

__attribute__((noipa)) static struct node* make_node(int number) {
  struct node* node = malloc(sizeof *node);
  node->key.low = number;
  node->key.high = -number;
  return node;
}

__attribute__((noipa)) static struct node* make_list(void) {
  static struct node* all[kNodes];
  for (int i = 0; i < kNodes; ++i) all[i] = make_node(i);
  for (int i = 0; i < kNodes; ++i) all[i]->next = all[(i + 1601) % kNodes];
  struct node* last = all[kNodes - 1601];
  last->next = NULL;
  return all[0];
}

__attribute__((noipa)) static long walk(struct node* node) {
  long count = 0;
  while (node != NULL) {
    node = node->next;  // WALK
    ++count;
  }
  return count;
}

__attribute__((noipa)) static long keys(struct node* node) {
  long sum = 0;
  while (node != NULL) {
    sum += node->key.high;  // KEYS
    node = node->next;
  }
  return sum;
}

__attribute__((noipa)) static long masses(const struct body* all) {
  long sum = 0;
  for (int i = 0; i < kBodies; ++i) sum += all[i].mass;  // MASSES
  return sum;
}

__attribute__((noipa)) static void move(void) {
  for (int i = 0; i < kBodies; ++i) bodies[i].place[1] += bodies[i].speed[2];  // MOVE
}

__attribute__((noipa)) static long stream(void) {
  long* words = malloc(kStream);  // STREAM
  memset(words, 1, kStream);
  long sum = 0;
  for (int i = 0; i < kStream / 8; ++i) sum += words[i];  // READ
  free(words);
  return sum;
}

__attribute__((noipa)) static long table(void) {
  int* table = calloc(kTable, sizeof *table);  // TABLE
  for (int i = 0; i < 100000; ++i) table[i % kTable] += i, ++counter;
  long sum = table[7];
  free(table);
  return sum;
}

int main(void) {
  struct node* list = make_list();
  long sum = 0;
  for (int i = 0; i < 4; ++i) sum += walk(list);
  sum += keys(list);
  move();
  sum += masses(bodies) + stream() + table();
  printf("%ld\n", sum);
  return 0;
}
