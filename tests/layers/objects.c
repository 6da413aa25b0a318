/* Threads that wait for each of glibc's objects, one after the other: a reader for a writer, a writer for
   readers, a post, a signal, a barrier. Prints its threads' ids and how often Linux says that each was
   switched out. */
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct {
  long before;
  pthread_rwlock_t lock;
} guarded = {.lock = PTHREAD_RWLOCK_INITIALIZER};
static sem_t posted;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t together;
static int state;

static void say(const char* who) {
  char path[64], line[128];
  int switches = -1, id = (int)syscall(SYS_gettid);
  snprintf(path, sizeof path, "/proc/self/task/%d/status", id);
  FILE* file = fopen(path, "r");
  while (file && fgets(line, sizeof line, file)) sscanf(line, "voluntary_ctxt_switches: %d", &switches);
  if (file) fclose(file);
  printf("%s %d %d\n", who, id, switches);
}

static void* writer(void* unused) {
  pthread_rwlock_wrlock(&guarded.lock);
  usleep(30000);
  pthread_rwlock_unlock(&guarded.lock);
  usleep(10000);
  pthread_rwlock_wrlock(&guarded.lock); /* the reader has it */
  pthread_rwlock_unlock(&guarded.lock);
  sem_wait(&posted);
  pthread_mutex_lock(&mutex);
  while (state == 0) pthread_cond_wait(&changed, &mutex);
  while (state == 1) pthread_cond_wait(&changed, &mutex); /* the other word of the condition */
  pthread_mutex_unlock(&mutex);
  pthread_barrier_wait(&together);
  for (int i = 0; i < 25; ++i) usleep(1000);
  say("writer");
  return unused;
}

int main(void) {
  pthread_t thread;
  sem_init(&posted, 0, 0);
  pthread_barrier_init(&together, 0, 2);
  pthread_create(&thread, 0, writer, 0);
  usleep(10000);
  pthread_rwlock_rdlock(&guarded.lock); /* the writer has it */
  usleep(30000);
  pthread_rwlock_unlock(&guarded.lock);
  usleep(10000);
  sem_post(&posted);
  for (int next = 1; next <= 2; ++next) {
    usleep(10000);
    pthread_mutex_lock(&mutex);
    state = next;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&mutex);
  }
  usleep(10000);
  pthread_barrier_wait(&together);
  pthread_join(thread, 0);
  say("reader");
  return 0;
}
