// Preloaded into the program: SIGKILL when it is about to make the Nth system call that changes a folder.
//
// CHANGES_UNDER  the folder, a path without a link in it
// CHANGES_LOG    a file that gets a line "CALL NAME" for each such call, before it is made
// DIE_AT         N, from 1; absent or 0: it lives
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static int changes;

static int is_under(const char* path) {
  const char* folder = getenv("CHANGES_UNDER");
  const size_t size = folder ? strlen(folder) : 0;
  return size > 0 && strncmp(path, folder, size) == 0 && (path[size] == '/' || path[size] == '\0');
}

static void note(const char* call, const char* path) {
  if (!is_under(path)) return;
  const int number = __atomic_add_fetch(&changes, 1, __ATOMIC_SEQ_CST);
  char line[4400];
  const int size = snprintf(line, sizeof line, "%s %s\n", call, path);
  const int log = open(getenv("CHANGES_LOG"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  ssize_t (*real_write)(int, const void*, size_t) = dlsym(RTLD_NEXT, "write");
  if (log < 0 || real_write(log, line, size) != size) abort();
  close(log);
  const char* at = getenv("DIE_AT");
  if (at && number == atoi(at)) {
    kill(getpid(), SIGKILL);
    pause();
  }
}

static void note_at(const char* call, int folder, const char* name) {
  char path[8192];
  ssize_t size = 0;
  if (name[0] != '/') {
    char link[64];
    snprintf(link, sizeof link, folder == AT_FDCWD ? "/proc/self/cwd" : "/proc/self/fd/%d", folder);
    size = readlink(link, path, 4096);
    if (size < 0) return;
    path[size++] = '/';
  }
  snprintf(path + size, sizeof path - size, "%s", name);
  note(call, path);
}

static void note_open(const char* call, int descriptor) {
  char link[64];
  char path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  const ssize_t size = readlink(link, path, sizeof path - 1);
  if (size < 0) return;
  path[size] = '\0';
  note(call, path);
}

#define REAL(name) __typeof__(&name) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)
// A call on an open file, and one on a name.
#define ON_OPEN(result, name, arguments, ...) \
  result name arguments { REAL(name); note_open(#name, descriptor); return real(descriptor, ##__VA_ARGS__); }
#define ON_NAME(name, arguments, ...) \
  int name arguments { REAL(name); note_at(#name, AT_FDCWD, path); return real(path, ##__VA_ARGS__); }
#define ON_NAME_AT(name, arguments, ...) \
  int name arguments { REAL(name); note_at(#name, folder, path); return real(folder, path, ##__VA_ARGS__); }

ON_OPEN(ssize_t, write, (int descriptor, const void* bytes, size_t size), bytes, size)
ON_OPEN(ssize_t, pwrite, (int descriptor, const void* bytes, size_t size, off_t at), bytes, size, at)
ON_OPEN(ssize_t, pwrite64, (int descriptor, const void* bytes, size_t size, off_t at), bytes, size, at)
ON_OPEN(ssize_t, writev, (int descriptor, const struct iovec* parts, int count), parts, count)
ON_OPEN(int, fsync, (int descriptor))
ON_OPEN(int, fdatasync, (int descriptor))
ON_OPEN(int, ftruncate, (int descriptor, off_t size), size)
ON_OPEN(int, fchmod, (int descriptor, mode_t mode), mode)
ON_NAME(mkdir, (const char* path, mode_t mode), mode)
ON_NAME(chmod, (const char* path, mode_t mode), mode)
ON_NAME(unlink, (const char* path))
ON_NAME(rename, (const char* path, const char* to), to)
ON_NAME(link, (const char* path, const char* to), to)
ON_NAME_AT(unlinkat, (int folder, const char* path, int flags), flags)
ON_NAME_AT(mkdirat, (int folder, const char* path, mode_t mode), mode)

int linkat(int folder, const char* path, int to_folder, const char* to, int flags) {
  REAL(linkat);
  note_at("linkat", to_folder, to);
  return real(folder, path, to_folder, to, flags);
}

int renameat2(int folder, const char* path, int to_folder, const char* to, unsigned flags) {
  REAL(renameat2);
  note_at("renameat2", to_folder, to);
  return real(folder, path, to_folder, to, flags);
}

static int changes_by_opening(int flags) {
  return (flags & (O_CREAT | O_TRUNC)) != 0 || (flags & O_TMPFILE) == O_TMPFILE;
}

int open(const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = va_arg(rest, mode_t);
  va_end(rest);
  REAL(open);
  if (changes_by_opening(flags)) note_at("open", AT_FDCWD, path);
  return real(path, flags, mode);
}

int openat(int folder, const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = va_arg(rest, mode_t);
  va_end(rest);
  REAL(openat);
  if (changes_by_opening(flags)) note_at("openat", folder, path);
  return real(folder, path, flags, mode);
}
