// A block is freed twice.
// why: it freed the same memory twice
// why: double free detected
// why-O0: close_session(session=
#include <stdlib.h>
#include <string.h>

struct session {
  char* user;
};

__attribute__((noinline)) void close_session(struct session* session) {
  free(session->user);  // CRASH
}

int main(void) {
  struct session session = {strdup("ada")};
  close_session(&session);  // TAIL
  close_session(&session);  // TAIL
  return 0;
}
