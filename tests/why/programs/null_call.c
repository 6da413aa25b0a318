// A callback that nobody set is called.
// why: it called a function through a null pointer
// why-O0: dispatch(handler=
#include <stddef.h>

struct handler {
  const char* name;
  int (*run)(int);
};

__attribute__((noinline)) int dispatch(const struct handler* handler, int value) {
  return handler->run(value) + 1;  // CALLER
}

int main(void) {
  const struct handler handlers[] = {{"start", NULL}};
  return dispatch(&handlers[0], 3);
}
