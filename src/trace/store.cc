// Keeping mapped files.
//
// The problem: the recording must hold the bytes of every file the program maps (libraries, locale
// archives, its own executable), and most runs map the same few. Hashing them at each mmap would cost
// more than the mmap; so a version of a file is named by what the file system says of it:
// device-inode-size-mtime-ctime. ctime cannot be set by a program, and any write or truncate changes it.
//
// When that name could lie, and what is done:
//  * ctime has the granularity of the kernel's timer tick (4 to 10 ms; finer from Linux 6.13 on), so a
//    write shortly after the copy could leave the name as it was. A file whose ctime is younger than
//    kYoungNs, or lies in the future, is copied for this recording alone.
//  * Files in memory (tmpfs, memfds) have a ctime that no store through a mapping changes (mm/shmem.c has no
//    page_mkwrite). They are copied for this recording alone.
//  * The file may change while it is copied: it is identified before and after, and copied anew if it
//    differs. After three attempts the copy is used as it is, again for this recording alone: the guest maps
//    this copy, so a replay sees the same bytes in any case.
//  * Stores through a shared writable mapping of another process touch ctime only at the first store
//    after a write-back. A file that is mapped, dirty and written on for more than kYoungNs after its
//    last ctime can be kept under the same name with older bytes. Such a recording is still exact; it
//    shows the program that the file is some seconds older. Linkers that write through mappings unmap
//    before their output is run.
//  * After a power cut an entry may be empty, since entries are not synced: the size is compared.
//
// Entries appear under their name by rename, whole or not at all; two recorders that keep the same
// file at once replace equal by equal. Entries are 0400 and never written again.
//
// Reflink first (no space, no time), then copy_file_range, then read and write; the last two leave out holes.
#include "trace/store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>

namespace orrery::trace {
namespace {

constexpr u64 kYoungNs = 20'000'000;
constexpr int kAttempts = 3;
constexpr u64 kCopyStepBytes = u64{256} << 20;
constexpr u64 kBounceBytes = 16384;  // on the engine's stack
constexpr u64 kSparseBytesLeast = 1 << 20;

/// Appends to a StoreName. Long enough by construction.
class NameBuilder {
 public:
  void character(char c) { name_.text[length_++] = c; }
  void number(u64 value, u64 base) {
    char digits[20];
    int count = 0;
    do {
      digits[count++] = "0123456789abcdef"[value % base];
      value /= base;
    } while (value != 0);
    while (count != 0) character(digits[--count]);
  }
  StoreName finish() {
    name_.text[length_] = 0;
    return name_;
  }

 private:
  StoreName name_{};
  u64 length_ = 0;
};

bool is_young(const FileIdentity& identity, u64 now_ns) { return identity.ctime_ns + kYoungNs > now_ns; }

i64 copy_by_hand(StoreCalls& calls, int from_fd, int to_fd, u64 done, u64 end) {
  u8 bounce[kBounceBytes];
  while (done < end) {
    const u64 wanted = end - done < kBounceBytes ? end - done : kBounceBytes;
    const i64 got = calls.read_at(from_fd, bounce, wanted, done);
    if (got == -EINTR) continue;
    if (got < 0) return got;
    if (got == 0) return 0;  // it became shorter; the identity will tell
    for (i64 written = 0; written < got;) {
      const i64 step = calls.write_at(to_fd, bounce + written, static_cast<u64>(got - written),
                                      done + static_cast<u64>(written));
      if (step == -EINTR) continue;
      if (step < 0) return step;
      written += step;
    }
    done += static_cast<u64>(got);
  }
  return 0;
}

i64 copy_bytes(StoreCalls& calls, int from_fd, int to_fd, u64 start, u64 end) {
  u64 done = start;
  while (done < end) {
    const u64 step = end - done < kCopyStepBytes ? end - done : kCopyStepBytes;
    const i64 copied = calls.copy_range(from_fd, done, to_fd, done, step);
    if (copied == -EINTR) continue;
    if (copied == -ENOSPC || copied == -EDQUOT || copied == -EIO) return copied;
    if (copied <= 0) break;  // another file system, or a kind that cannot: by hand, from where it stopped
    done += static_cast<u64>(copied);
  }
  return copy_by_hand(calls, from_fd, to_fd, done, end);
}

/// Another description of the file, whose position is nobody else's. /proc may be missing.
i64 open_again(StoreCalls& calls, int fd) {
  NameBuilder path;
  for (const char c : std::string_view("/proc/self/fd/")) path.character(c);
  path.number(static_cast<u64>(fd), 10);
  return calls.open_at(AT_FDCWD, path.finish().text, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0);
}

/// Holes become holes: a program may have mapped a file of gigabytes to use a page of it.
i64 copy_data(StoreCalls& calls, int from_fd, int to_fd, u64 size_bytes) {
  const i64 looked_at = size_bytes >= kSparseBytesLeast ? open_again(calls, from_fd) : -EINVAL;
  if (looked_at < 0) return copy_bytes(calls, from_fd, to_fd, 0, size_bytes);
  const int seek_fd = static_cast<int>(looked_at);
  i64 error = 0;
  for (u64 at = 0; at < size_bytes && error == 0;) {
    const i64 data = calls.seek(seek_fd, at, SEEK_DATA);
    if (data == -ENXIO) break;  // a hole up to the end
    const i64 hole = data < 0 ? data : calls.seek(seek_fd, static_cast<u64>(data), SEEK_HOLE);
    const u64 end = hole < 0 || static_cast<u64>(hole) > size_bytes ? size_bytes : static_cast<u64>(hole);
    error = copy_bytes(calls, from_fd, to_fd, data < 0 ? at : static_cast<u64>(data), end);
    at = end;
  }
  calls.close(seek_fd);
  return error < 0 ? error : calls.resize(to_fd, size_bytes);
}

}  // namespace

StoreName store_key(const FileIdentity& identity) {
  NameBuilder name;
  name.number(identity.device, 16);
  const u64 parts[] = {identity.inode, identity.size_bytes, identity.mtime_ns, identity.ctime_ns};
  for (const u64 part : parts) {
    name.character('-');
    name.number(part, 16);
  }
  return name.finish();
}

StoreName file_name(u32 file_number) {
  NameBuilder name;
  name.number(file_number, 10);
  return name.finish();
}

i64 FileStore::keep(int guest_fd, u32 file_number, FileReference& reference) {
  const i64 fd = keep_as(guest_fd, file_name(file_number).text, reference);
  reference.file_number = file_number;
  return fd;
}

i64 FileStore::keep_as(int guest_fd, const char* name, FileReference& reference) {
  FileIdentity identity;
  if (const i64 error = calls_.identify(guest_fd, identity); error < 0) return error;
  if ((identity.mode & S_IFMT) != S_IFREG) return -EINVAL;
  reference = {.file_number = 0,
               .flags = 0,
               .size_bytes = identity.size_bytes,
               .mtime_ns = identity.mtime_ns,
               .device = identity.device,
               .inode = identity.inode};
  const StoreName key = store_key(identity);

  const bool has_key = calls_.dates_stores(guest_fd);
  const i64 linked = has_key ? calls_.link_at(store_, key.text, files_, name) : -ENOENT;
  if (linked == 0) {
    const i64 fd = open_kept(name, identity, true);
    if (fd != -EUCLEAN) return fd;
    calls_.unlink_at(files_, name);
    calls_.unlink_at(store_, key.text);
  } else if (linked == -EEXIST) {
    return linked;
  }
  const i64 fd = keep_new(guest_fd, identity, has_key ? key.text : nullptr, name);
  if (fd < 0) return fd;
  FileIdentity kept;
  if (calls_.identify(static_cast<int>(fd), kept) == 0) reference.size_bytes = kept.size_bytes;
  return fd;
}

/// A copy goes into REC/files first. If it may serve others it is then linked into the store; where links
/// cannot be made (another file system) the recording simply has its own.
i64 FileStore::keep_new(int guest_fd, const FileIdentity& identity, const char* key, const char* name) {
  FileIdentity copied_identity = identity;
  Copied copied = Copied::changing;
  if (const i64 error = copy_settled(guest_fd, name, copied_identity, copied); error < 0) {
    if (error != -EEXIST) calls_.unlink_at(files_, name);
    return error;
  }
  const bool is_settled = copied == Copied::stable && copied_identity == identity;
  if (key != nullptr && is_settled && !is_young(identity, calls_.now_ns())) {
    NameBuilder builder;
    builder.character('.');
    builder.number(calls_.process_id(), 10);
    builder.character('.');
    builder.number(calls_.now_ns(), 16);
    const StoreName temporary = builder.finish();
    if (calls_.link_at(files_, name, store_, temporary.text) == 0 &&
        calls_.rename_at(store_, temporary.text, key) < 0)
      calls_.unlink_at(store_, temporary.text);
  }
  return open_kept(name, identity, false);
}

/// Copies until the file has stood still meanwhile, or kAttempts times.
i64 FileStore::copy_settled(int guest_fd, const char* name, FileIdentity& identity, Copied& copied) {
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    if (attempt != 0) calls_.unlink_at(files_, name);
    if (const i64 error = copy_file(calls_, guest_fd, files_, name); error < 0) return error;
    FileIdentity after;
    if (const i64 error = calls_.identify(guest_fd, after); error < 0) return error;
    copied = after == identity ? Copied::stable : Copied::changing;
    identity = after;
    if (copied == Copied::stable) return 0;
  }
  return 0;
}

i64 FileStore::copy_file(StoreCalls& calls, int from_fd, int directory, const char* name) {
  FileIdentity identity;
  if (const i64 error = calls.identify(from_fd, identity); error < 0) return error;
  const i64 opened = calls.open_at(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0400);
  if (opened < 0) return opened;
  const int fd = static_cast<int>(opened);
  i64 error = calls.clone(fd, from_fd);
  if (error < 0) error = copy_data(calls, from_fd, fd, identity.size_bytes);
  calls.close(fd);
  return error;
}

/// -EUCLEAN when the entry is not what its name says.
i64 FileStore::open_kept(const char* name, const FileIdentity& identity, bool must_match) {
  const i64 fd = calls_.open_at(files_, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0);
  if (fd < 0 || !must_match) return fd;
  FileIdentity kept;
  const i64 error = calls_.identify(static_cast<int>(fd), kept);
  if (error == 0 && kept.size_bytes == identity.size_bytes && (kept.mode & S_IFMT) == S_IFREG) return fd;
  calls_.close(static_cast<int>(fd));
  return error < 0 ? error : -EUCLEAN;
}

}  // namespace orrery::trace
