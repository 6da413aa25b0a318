// Linked against a library that is gone when it runs.
// why: could not start: the library libgone.so is missing
// why: libgone.so is needed by
// why: places where the loader looked
int answer(void);
int main(void) { return answer() - 42; }
