/* Without headers, clang writes a checksum of its source into the line table. */
static void blot(volatile int* page) { *page = 7; /* BLOT */ }

int main(int count, char** arguments) {
  blot(count > 9 ? (volatile int*)arguments : 0);
  return 0;
}
