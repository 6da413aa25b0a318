// Loops shared out among four threads, a critical section and barriers.
#include <omp.h>
#include <stdio.h>

int main(void) {
  double sum = 0;
  long entered = 0;
  omp_set_num_threads(4);
#pragma omp parallel for reduction(+ : sum) schedule(dynamic, 100)
  for (int i = 0; i < 200000; ++i) sum += 1.0 / (1 + i % 97);
#pragma omp parallel
  {
#pragma omp critical
    entered += omp_get_thread_num() + 1;
#pragma omp barrier
  }
  printf("%.3f %ld\n", sum, entered);
  return 0;
}
