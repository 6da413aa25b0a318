// Two runs of it part at a place that its input decides: the first word of the file `input` says how.
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static volatile unsigned long sink;
static char text[64];
static int turns, limit;

/// Long before anything differs: a loop without calls, and one with.
static void work(void) {
  for (unsigned long i = 0; i < 200000; ++i) sink += i * i;
  for (int i = 0; i < 1000; ++i) sink += strlen(text);
}

static int decide(int value) {
  int count = value * 2;
  work();
  if (count > limit) {  // PARTS HERE
    sink += 3;          // THE WAY OF MORE
    return 1;
  }
  sink += 5;  // THE WAY OF LESS
  return 0;
}

static int loop(int value) {
  for (turns = 0; turns < value; ++turns)  // THE LOOP ENDS
    sink += (unsigned long)turns;
  return turns > 0;
}

static int more(void) { return 7; }
static int less(void) { return 8; }

static int indirect(int value) {
  int (*const function)(void) = value > 10 ? more : less;
  return function();  // THE CALL
}

static void* thread(void* argument) { return (void*)(long)decide(*(int*)argument); }

/// Takes many quanta, and more than main takes beside it: main waits for it in every run.
static void* thread_of_turns(void* argument) {
  for (int i = 0; i < 200; ++i) work();
  return thread(argument);
}

static void say(const char* words) { (void)!write(1, words, strlen(words)); }

int main(int count, char** words) {
  const int input = open("input", O_RDONLY);
  if (input < 0) return 2;
  (void)!read(input, text, sizeof text - 1);
  close(input);
  int value = atoi(text);
  const char* how = count > 1 ? words[1] : "";
  limit = 20;
  int result = 0;
  say("begins\n");
  if (strcmp(how, "branch") == 0) result = decide(value);
  if (strcmp(how, "loop") == 0) result = loop(value);
  if (strcmp(how, "indirect") == 0) result = indirect(value);
  if (strcmp(how, "thread") == 0) {
    pthread_t other;
    pthread_create(&other, 0, thread, &value);
    void* out;
    pthread_join(other, &out);
    result = (int)(long)out;
  }
  if (strcmp(how, "turns") == 0) {
    pthread_t other;
    pthread_create(&other, 0, thread_of_turns, &value);
    for (int i = 0; i < 40; ++i) work();
    void* out;
    pthread_join(other, &out);
    result = (int)(long)out;
  }
  if (strcmp(how, "fork") == 0 && fork() == 0) _exit(decide(value));
  if (strcmp(how, "data") == 0) say(value > 0 ? text : text + 1);
  if (result == 1) say("more\n");
  if (result == 7) say("seven\n");
  return 0;
}
