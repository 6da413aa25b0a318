// Formatted output and input.
#include <stdio.h>
#include <stdlib.h>

int main(void) {
  char text[200];
  double total = 0;
  for (int i = 0; i < 500; ++i) {
    int number = 0;
    double real = 0;
    snprintf(text, sizeof text, "%d %08.3f %s %#x %-10ld|", i, i * 1.25, i % 2 ? "odd" : "even", i * 17u,
             (long)i * i);
    sscanf(text, "%d %lf", &number, &real);
    total += number + real + strtol(text, NULL, 10) + atof("2.5e3");
  }
  printf("%.2f\n%s\n", total, text);
  return 0;
}
