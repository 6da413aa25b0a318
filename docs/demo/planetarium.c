/* A small program with a real kind of bug, for `./dev demo`. It reads a configuration file of
 * `name = value` lines, looks settings up, and prints a table. One optional setting is looked up
 * like the required ones, and its absence is noticed three calls later. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct setting {
  char* name;
  char* value;
  struct setting* next;
};

static char* trimmed(char* text) {
  while (*text == ' ') text++;
  char* end = text + strlen(text);
  while (end > text && (end[-1] == ' ' || end[-1] == '\n')) *--end = '\0';
  return strdup(text);
}

static struct setting* read_settings(const char* path) {
  FILE* file = fopen(path, "r");
  if (file == NULL) {
    perror(path);
    exit(1);
  }
  struct setting* all = NULL;
  char line[256];
  while (fgets(line, sizeof line, file) != NULL) {
    char* equals = strchr(line, '=');
    if (line[0] == '#' || equals == NULL) continue;
    *equals = '\0';
    struct setting* one = malloc(sizeof *one);
    one->name = trimmed(line);
    one->value = trimmed(equals + 1);
    one->next = all;
    all = one;
  }
  fclose(file);
  return all;
}

static const struct setting* find(const struct setting* settings, const char* name) {
  while (settings != NULL && strcmp(settings->name, name) != 0) settings = settings->next;
  return settings;
}

static double number(const struct setting* setting) {
  return strtod(setting->value, NULL); /* the bug: nobody asked whether it was found */
}

static double speed_of(const struct setting* settings, const char* planet) {
  char name[64];
  snprintf(name, sizeof name, "%s.period_days", planet);
  return 360.0 / number(find(settings, name));
}

static void print_table(const struct setting* settings) {
  static const char* const planets[] = {"mercury", "venus", "earth", "mars"};
  for (size_t i = 0; i < sizeof planets / sizeof planets[0]; i++)
    printf("%-8s %7.4f degrees a day\n", planets[i], speed_of(settings, planets[i]));
}

int main(int argc, char** argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: planetarium CONFIGURATION\n");
    return 2;
  }
  const struct setting* settings = read_settings(argv[1]);
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  printf("positions at %ld.%09ld\n", (long)now.tv_sec, now.tv_nsec);
  fflush(stdout);
  print_table(settings);
  return 0;
}
