#include "lens/races/thread_functions.h"

#include "lens/heap/allocator_functions.h"
#include "lens/load/object_file.h"

namespace orrery::lens::races {
namespace {

using enum ThreadFunctionKind;

constexpr ThreadFunction kFunctions[] = {
    {"pthread_create", create},
    {"thrd_create", create},
    {"pthread_join", join},
    {"pthread_tryjoin_np", join},
    {"pthread_timedjoin_np", join},
    {"pthread_clockjoin_np", join},
    {"thrd_join", join},
    {"pthread_mutex_init", make_lock},
    {"pthread_mutex_destroy", destroy_lock},
    {"pthread_mutex_lock", lock},
    {"pthread_mutex_trylock", lock, true},
    {"pthread_mutex_timedlock", lock, true},
    {"pthread_mutex_clocklock", lock, true},
    {"pthread_mutex_unlock", unlock},
    {"mtx_init", make_lock},
    {"mtx_destroy", destroy_lock},
    {"mtx_lock", lock},
    {"mtx_trylock", lock, true},
    {"mtx_timedlock", lock, true},
    {"mtx_unlock", unlock},
    {"pthread_spin_destroy", destroy_lock},
    {"pthread_spin_lock", lock},
    {"pthread_spin_trylock", lock, true},
    // In glibc pthread_spin_init is the same function.
    {"pthread_spin_unlock", unlock_or_make},
    {"pthread_rwlock_init", make_lock},
    {"pthread_rwlock_destroy", destroy_lock},
    {"pthread_rwlock_rdlock", read_lock},
    {"pthread_rwlock_tryrdlock", read_lock, true},
    {"pthread_rwlock_timedrdlock", read_lock, true},
    {"pthread_rwlock_clockrdlock", read_lock, true},
    {"pthread_rwlock_wrlock", lock},
    {"pthread_rwlock_trywrlock", lock, true},
    {"pthread_rwlock_timedwrlock", lock, true},
    {"pthread_rwlock_clockwrlock", lock, true},
    {"pthread_rwlock_unlock", unlock},
    {"pthread_cond_wait", wait_condition},
    {"pthread_cond_timedwait", wait_condition},
    {"pthread_cond_clockwait", wait_condition},
    {"cnd_wait", wait_condition},
    {"cnd_timedwait", wait_condition},
    {"pthread_cond_signal", signal},
    {"pthread_cond_broadcast", signal},
    {"cnd_signal", signal},
    {"cnd_broadcast", signal},
    {"sem_post", post},
    {"sem_wait", wait_semaphore},
    {"sem_trywait", wait_semaphore, true},
    {"sem_timedwait", wait_semaphore, true},
    {"sem_clockwait", wait_semaphore, true},
    {"pthread_barrier_init", make_barrier},
    {"pthread_barrier_wait", wait_barrier},
    {"pthread_once", once},
    {"call_once", once},
    {"__cxa_guard_acquire", guard_begin, false, 1},
    {"__cxa_guard_release", guard_end},
};

}  // namespace

std::map<u64, const ThreadFunction*> find_thread_functions(elf::StoppedMachine& machine,
                                                           const elf::MappedRegion& region) {
  std::map<u64, const ThreadFunction*> found;
  const std::shared_ptr<load::ObjectFile> file =
      region.kept_file.empty() ? nullptr : load::ObjectFile::open(region.kept_file);
  if (!file) return found;
  const u64 bias = heap::place_of_file(machine, region).begin - page_floor(file->first_address());
  for (const ThreadFunction& function : kFunctions) {
    const load::Definition* const exported = file->find_definition(function.name);
    const std::optional<u64> own =
        exported != nullptr ? std::optional(exported->address) : file->find_function(function.name);
    if (own && file->is_code(*own)) found.try_emplace(bias + *own, &function);
  }
  return found;
}

}  // namespace orrery::lens::races
