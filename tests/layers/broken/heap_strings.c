// Each case, named by the first argument, makes an error with text: room for it, lines of files, buffers of
// calls.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char* volatile kept;
static volatile long sink;
static const char* volatile text = "a text of 30 letters, no more.";

static void copies_without_room_for_the_end(void) {
  char* const copy = malloc(strlen(text));
  strcpy(copy, text);
  kept = copy;
}
static void appends_too_much(void) {
  char* const joined = malloc(32);
  strcpy(joined, text);
  strcat(joined, "...");
  kept = joined;
}
static void reads_behind_a_duplicate(void) {
  char* const copy = strdup(text);
  sink += ((volatile char*)copy)[31];
  kept = copy;
}
static void reads_behind_a_short_duplicate(void) {
  char* const copy = strndup(text, 5);
  sink += ((volatile char*)copy)[8];
  kept = copy;
}
/// strncpy() writes no zero where the text is as long as the room.
static void looks_for_the_end(void) {
  char* const copy = malloc(8);
  strncpy(copy, text, 8);
  kept = copy;
  for (volatile int i = 0; i < 10; ++i) sink += ((volatile char*)copy)[i];
}
static void moves_too_much(void) {
  char* const buffer = malloc(40);
  memset(buffer, 'x', 40);
  memmove(buffer + 20, buffer, 24);
  kept = buffer;
}
static void sets_too_much(void) {
  char* const buffer = malloc(40);
  memset(buffer, 'x', 44);
  kept = buffer;
}
static void prints_what_was_freed(void) {
  FILE* const nowhere = fopen("/dev/null", "w");
  char* const copy = strdup(text);
  free(copy);
  fwrite(copy, 1, 30, nowhere);
  fclose(nowhere);
}
static void upper_case_behind(void) {
  char* const copy = malloc(30);
  memcpy(copy, text, 30);
  kept = copy;
  for (int i = 0; i <= 30; ++i) ((volatile char*)copy)[i] &= ~0x20;
}
static void terminates_before(void) {
  char* const copy = strdup(text);
  kept = copy;
  int length = 0;
  ((volatile char*)copy)[length - 1] = 0;
}
static void reads_a_line_that_is_gone(void) {
  FILE* const file = fmemopen((void*)text, 30, "r");
  char* line = NULL;
  size_t room = 0;
  sink += getline(&line, &room, file);
  free(line);
  sink += ((volatile char*)line)[20];
  fclose(file);
}
static void leaks_a_line(void) {
  FILE* const file = fmemopen((void*)text, 30, "r");
  char* line = NULL;
  size_t room = 0;
  sink += getline(&line, &room, file);
  fclose(file);
}
static void leaks_what_asprintf_made(void) {
  char* made = NULL;
  sink += asprintf(&made, "%s: %d", text, 12345);
}
static void leaks_a_path(void) { sink += realpath("/usr/bin/..", NULL) != NULL; }
static void leaks_an_open_file(void) { sink += fopen("/dev/null", "r") != NULL; }
static void frees_a_literal(void) { free((void*)text); }
static void frees_a_local(void) {
  char local[64];
  char* volatile where = local + 16;
  free(where);
}
static void frees_a_duplicate_twice(void) {
  char* volatile copy = strdup(text);
  free(copy);
  free(copy);
}
static void reads_a_file_into_too_little(void) {
  const int file = open("/dev/zero", O_RDONLY);
  char* const buffer = malloc(10);
  sink += read(file, buffer, 20);
  kept = buffer;
  close(file);
}
static void asks_for_a_name_too_long(void) {
  char* const buffer = malloc(16);
  sink += readlink("/proc/self/exe", buffer, 64);
  kept = buffer;
}
static void opens_a_path_that_is_gone(void) {
  char* const path = strdup("/no/such/path/of/thirty/letters");
  free(path);
  sink += syscall(2 /* open */, path, O_RDONLY);
}
static void closes_a_file_twice(void) {
  FILE* const file = fopen("/dev/null", "r");
  fclose(file);
  fclose(file);
}
static void uses_a_setting_that_is_gone(void) {
  char* const setting = strdup("ORRERY_SETTING=some longer value");
  putenv(setting);
  const char* const value = getenv("ORRERY_SETTING");
  unsetenv("ORRERY_SETTING");
  free(setting);
  sink += ((volatile const char*)value)[10];
}
static void ends_well_with_text(void) {
  char* joined = NULL;
  sink += asprintf(&joined, "%s %s", text, text);
  joined = realloc(joined, 200);
  strcat(joined, " and more");
  sink += (long)strlen(joined) + (strstr(joined, "more") != NULL) + strncmp(joined, text, 30);
  for (char* word = strtok(joined, " "); word; word = strtok(NULL, " ")) sink += word[0];
  free(joined);
}

static const struct {
  const char* name;
  void (*run)(void);
} cases[] = {
#define CASE(name) \
  { #name, name }
    CASE(copies_without_room_for_the_end),
    CASE(appends_too_much),
    CASE(reads_behind_a_duplicate),
    CASE(reads_behind_a_short_duplicate),
    CASE(looks_for_the_end),
    CASE(moves_too_much),
    CASE(sets_too_much),
    CASE(prints_what_was_freed),
    CASE(upper_case_behind),
    CASE(terminates_before),
    CASE(reads_a_line_that_is_gone),
    CASE(leaks_a_line),
    CASE(leaks_what_asprintf_made),
    CASE(leaks_a_path),
    CASE(leaks_an_open_file),
    CASE(frees_a_literal),
    CASE(frees_a_local),
    CASE(frees_a_duplicate_twice),
    CASE(reads_a_file_into_too_little),
    CASE(asks_for_a_name_too_long),
    CASE(opens_a_path_that_is_gone),
    CASE(closes_a_file_twice),
    CASE(uses_a_setting_that_is_gone),
    CASE(ends_well_with_text),
};

#include "run_case.h"
