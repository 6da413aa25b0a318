// A little interpreter: a switch by a table of jumps.
#include <stdio.h>

enum { PUSH, ADD, MUL, DUP, SWAP, JNZ, DEC, DROP, HALT };

__attribute__((noinline)) static long run(const int* code) {
  long stack[32];
  int top = 0;
  for (int at = 0;;) switch (code[at++]) {
      case PUSH:
        stack[top++] = code[at++];
        break;
      case ADD:
        --top, stack[top - 1] += stack[top];
        break;
      case MUL:
        --top, stack[top - 1] = stack[top - 1] * stack[top] % 1000003;
        break;
      case DUP:
        stack[top] = stack[top - 1], ++top;
        break;
      case SWAP: {
        const long t = stack[top - 1];
        stack[top - 1] = stack[top - 2], stack[top - 2] = t;
        break;
      }
      case JNZ:
        at = stack[top - 1] != 0 ? code[at] : at + 1;
        break;
      case DEC:
        --stack[top - 1];
        break;
      case DROP:
        --top;
        break;
      case HALT:
        return stack[top - 1];
    }
}

int main(void) {
  static const int kCode[] = {PUSH, 1,   PUSH, 2000, SWAP, PUSH, 3,    MUL, PUSH,
                              1,    ADD, SWAP, DEC,  JNZ,  4,    DROP, HALT};
  printf("%ld\n", run(kCode));
  return 0;
}
