// A pointer overwritten with text: its value is no address at all.
// why: died of SIGSEGV: it used a wild pointer
// why: the text "hat is f"
// why: length(node=0x6620736920746168)
#include <stdio.h>
#include <string.h>

struct node {
  char name[8];
  struct node* next;
};

__attribute__((noinline)) int length(const struct node* node) {
  int count = 0;
  while (node) {
    node = node->next;  // CRASH
    ++count;
  }
  return count;
}

int main(int argc, char** argv) {
  struct node last = {"last", NULL};
  struct node first = {"first", &last};
  const char* name = argc > 1 ? argv[1] : "a name that is far too long";
  memcpy((char*)&first + 0, name, 16);
  printf("%d\n", length(&first));
  return 0;
}
