/* A library without symbols between two of the program's functions. */
#include <alloca.h>
#include <string.h>

typedef int (*visitor)(int depth, char* text);

int walk(int depth, visitor visit) {
  char* const text = alloca(16 + 8 * (unsigned)depth);
  memset(text, 'a' + depth % 26, 15 + 8 * (unsigned)depth);
  text[15 + 8 * depth] = 0;
  const int left = depth > 0 ? walk(depth - 1, visit) : 0;
  return left + visit(depth, text);
}
