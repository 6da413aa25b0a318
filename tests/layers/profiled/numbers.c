// Floating point in loops that are vectorised, and the mathematical library.
#include <math.h>
#include <stdio.h>

static double a[60][60], b[60][60], c[60][60];

int main(void) {
  for (int i = 0; i < 60; ++i)
    for (int j = 0; j < 60; ++j) a[i][j] = sin(i * 0.1 + j), b[i][j] = exp(-(i + j) * 0.01);
  for (int i = 0; i < 60; ++i)
    for (int j = 0; j < 60; ++j)
      for (int k = 0; k < 60; ++k) c[i][j] += a[i][k] * b[k][j];
  double trace = 0;
  for (int i = 0; i < 60; ++i) trace += pow(fabs(c[i][i]), 0.3);
  printf("%.6f\n", trace);
  return 0;
}
