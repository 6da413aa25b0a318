// A configuration file is missing.
// why: gave up with exit status 1
// why: /nonexistent/settings.conf
// why: No such file or directory (ENOENT)
// why: written by open_settings() at failed_open.c:{WRITES}
// why: open_settings(path="/nonexistent/settings.conf")
#include <stdio.h>
#include <stdlib.h>

__attribute__((noinline)) FILE* open_settings(const char* path) {
  FILE* file = fopen(path, "r");  // OPENS
  if (!file) perror(path);        // WRITES
  return file;
}

int main(void) {
  FILE* file = open_settings("/nonexistent/settings.conf");
  if (!file) return 1;
  fclose(file);
  return 0;
}
