// Each case, named by the first argument, makes an error with lists, trees, tables and threads.
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void* volatile kept;
static volatile long sink;
#define NEVER_INLINE __attribute__((noinline))

struct Node {
  long number, weight;
  struct Node *next, *left, *right;
};

NEVER_INLINE static struct Node* make_node(long number, struct Node* next) {
  struct Node* const made = calloc(1, sizeof(struct Node));
  made->number = number;
  made->next = next;
  return made;
}
NEVER_INLINE static struct Node* make_list(int length) {
  struct Node* head = NULL;
  for (int i = 0; i < length; ++i) head = make_node(i, head);
  return head;
}

static void asks_for_a_pointers_size(void) {
  volatile struct Node* const node = malloc(sizeof node);
  kept = (void*)node;
  node->number = 1;
  node->weight = 2;
  node->next = NULL;
}
static void goes_on_from_what_it_freed(void) {
  int count = 0;
  for (volatile struct Node* node = make_list(4); count < 4; node = node->next, ++count) free((void*)node);
}
static void frees_the_head_alone(void) { free(make_list(5)); }
static void leaks_half_a_tree(void) {
  struct Node* const root = make_node(1, NULL);
  root->left = make_node(2, NULL);
  root->right = make_node(3, NULL);
  root->right->left = make_node(4, NULL);
  root->right->right = make_node(5, NULL);
  free(root->left);
  free(root);
}
static void leaks_a_double_list(void) {
  struct Node *last = NULL, *head = NULL;
  for (int i = 0; i < 6; ++i) {
    struct Node* const node = make_node(i, head);
    node->left = last;
    last = head = node;
  }
  head = last = NULL;
}
static void keeps_a_member_alone(void) { kept = &make_node(7, NULL)->next; }
static void keeps_the_first_of_a_list(void) { kept = make_list(3); }
static void loses_the_table_with_its_rows(void) {
  char** const table = malloc(5 * sizeof(char*));
  for (int i = 0; i < 5; ++i) table[i] = malloc(30);
}
static void frees_all_rows_but_the_last(void) {
  char** const table = malloc(5 * sizeof(char*));
  for (int i = 0; i < 5; ++i) table[i] = malloc(30);
  for (int i = 0; i < 4; ++i) free(table[i]);
  free(table);
}
static void frees_the_table_before_its_rows(void) {
  char* volatile* const table = malloc(5 * sizeof(char*));
  for (int i = 0; i < 5; ++i) table[i] = malloc(30);
  char* const third = table[2];
  free((void*)table);
  sink += table[2] == third;
}
static void counts_one_too_many(void) {
  volatile int* const numbers = calloc(12, sizeof(int));
  for (int i = 0; i <= 12; ++i) sink += numbers[i];
  kept = (void*)numbers;
}
static void begins_one_too_early(void) {
  volatile short* const numbers = calloc(12, sizeof(short));
  for (int i = 11; i >= -1; --i) numbers[i] = i;
  kept = (void*)numbers;
}
struct Message {
  int length;
  char text[];
};
static void forgets_the_flexible_part(void) {
  volatile struct Message* const message = malloc(sizeof(struct Message) + 5);
  message->length = 6;
  for (int i = 0; i < message->length; ++i) message->text[i] = 'x';
  kept = (void*)message;
}
struct __attribute__((packed)) Packed {
  char kind;
  int length;
};
static void writes_across_the_end(void) {
  volatile struct Packed* const packed = malloc(3);
  packed->length = 9;
  kept = (void*)packed;
}
static void uses_the_old_place(void) {
  long* const numbers = malloc(10 * sizeof(long));
  volatile long* const third = numbers + 3;
  void* const above = malloc(100);
  long* const more = realloc(numbers, 5000 * sizeof(long));
  *third = 5;
  free(more);
  free(above);
}
static void shrinks_and_goes_on(void) {
  volatile int* const numbers = realloc(malloc(100 * sizeof(int)), 10 * sizeof(int));
  sink += numbers[10];
  kept = (void*)numbers;
}
static void gives_back_by_size_zero(void) {
  volatile long* const numbers = malloc(2000);
  kept = realloc((void*)numbers, 0);
  sink += numbers[100];
}
static void reallocates_what_was_freed(void) {
  void* const numbers = malloc(2000);
  void* const above = malloc(100);
  free(numbers);
  free(above);
  kept = realloc(numbers, 3000);
}
struct Closure {
  void (*call)(struct Closure*);
  long data[20];
};
static void count(struct Closure* closure) { sink += *(volatile long*)&closure->data[10]; }
static void calls_back_too_late(void) {
  struct Closure* const closure = calloc(1, sizeof(struct Closure));
  closure->call = count;
  void (*const call)(struct Closure*) = closure->call;
  free(closure);
  call(closure);
}
static void copies_a_struct_that_is_gone(void) {
  struct Closure* volatile closure = calloc(1, sizeof(struct Closure));
  free(closure);
  static struct Closure copy;
  copy = *closure;
  sink += copy.data[3];
}

static void in_threads(int threads, void* (*run)(void*), void* argument) {
  pthread_t all[8];
  for (int i = 0; i < threads; ++i) pthread_create(&all[i], NULL, run, argument);
  for (int i = 0; i < threads; ++i) pthread_join(all[i], NULL);
}
static void* loses_a_block(void* unused) {
  sink += malloc(70) != NULL;
  return NULL;
}
static void leaks_in_four_threads(void) { in_threads(4, loses_a_block, NULL); }
static void* makes_a_list(void* unused) { return kept = make_list(3); }
static void uses_what_a_thread_made(void) {
  in_threads(1, makes_a_list, NULL);
  struct Node* const list = kept;
  kept = NULL;
  volatile long* const number = &list->next->weight;
  free(list->next->next);
  free(list->next);
  free(list);
  sink += *number;
}
static void* fills_too_much(void* which) {
  for (int i = 0; i < 11; ++i) ((volatile long*)which)[i] = i;
  return NULL;
}
static void two_threads_fill_too_much(void) {
  kept = malloc(10 * sizeof(long));
  in_threads(2, fills_too_much, kept);
}
static pthread_key_t key;
static void* sets_a_value(void* unused) {
  pthread_setspecific(key, malloc(90));
  return NULL;
}
static void leaks_a_threads_own_value(void) {
  pthread_key_create(&key, NULL);
  in_threads(1, sets_a_value, NULL);
}
static void* frees_all(void* which) {
  for (struct Node *node = which, *next; node; node = next) {
    next = node->next;
    free(node);
  }
  return NULL;
}
static void ends_well_with_threads(void) {
  pthread_key_create(&key, free);
  in_threads(2, sets_a_value, NULL);
  for (int i = 0; i < 3; ++i) in_threads(1, frees_all, make_list(50));
  struct Node* const list = make_list(3);
  kept = realloc(list, 9000);
  frees_all(kept);
  kept = NULL;
}

static const struct {
  const char* name;
  void (*run)(void);
} cases[] = {
#define CASE(name) \
  { #name, name }
    CASE(asks_for_a_pointers_size),    CASE(goes_on_from_what_it_freed),
    CASE(frees_the_head_alone),        CASE(leaks_half_a_tree),
    CASE(leaks_a_double_list),         CASE(keeps_a_member_alone),
    CASE(keeps_the_first_of_a_list),   CASE(loses_the_table_with_its_rows),
    CASE(frees_all_rows_but_the_last), CASE(frees_the_table_before_its_rows),
    CASE(counts_one_too_many),         CASE(begins_one_too_early),
    CASE(forgets_the_flexible_part),   CASE(writes_across_the_end),
    CASE(uses_the_old_place),          CASE(shrinks_and_goes_on),
    CASE(gives_back_by_size_zero),     CASE(reallocates_what_was_freed),
    CASE(calls_back_too_late),         CASE(copies_a_struct_that_is_gone),
    CASE(leaks_in_four_threads),       CASE(uses_what_a_thread_made),
    CASE(two_threads_fill_too_much),   CASE(leaks_a_threads_own_value),
    CASE(ends_well_with_threads),
};

#include "run_case.h"
