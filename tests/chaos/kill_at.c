/* Kills its process with SIGKILL at one exact step towards the disk: LD_PRELOAD this library.
 *
 *   KILL_AT_FOLDER  steps on files below this folder count; nothing else does
 *   KILL_AT_LOG     optional: a file to which each step is added as a line "<operation> <path>"
 *   KILL_AT_FROM    steps are counted from the first whose line in the log would hold this text
 *   KILL_AT_STEP    die in place of this step, counted from 1; 0: never
 *   KILL_AT_TORN    "1": if that step is a write, half of it still happens
 *
 * Steps are: create, write, fsync, rename, link, unlink, truncate, mkdir.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;
static long counted = 0;

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static const char *setting(const char *name) {
  const char *value = getenv(name);
  return value ? value : "";
}

static void die(void) { kill(getpid(), SIGKILL); }

/* True if the process is to die in place of this step. */
static int is_last(const char *operation, const char *path) {
  const char *folder = setting("KILL_AT_FOLDER");
  if (!*folder || strncmp(path, folder, strlen(folder)) != 0) return 0;
  char line[PATH_MAX + 32];
  int length = snprintf(line, sizeof line, "%s %s\n", operation, path);
  pthread_mutex_lock(&one_at_a_time);
  const char *log = setting("KILL_AT_LOG");
  int file = *log ? (int)syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644) : -1;
  if (file >= 0) {
    syscall(SYS_write, file, line, (size_t)length);
    syscall(SYS_close, file);
  }
  if (counted > 0 || strstr(line, setting("KILL_AT_FROM"))) counted++;
  int last = counted > 0 && counted == atol(setting("KILL_AT_STEP"));
  pthread_mutex_unlock(&one_at_a_time);
  return last;
}

static void step(const char *operation, const char *path) {
  char absolute[PATH_MAX];
  if (path[0] != '/' && getcwd(absolute, sizeof absolute)) {
    size_t used = strlen(absolute);
    snprintf(absolute + used, sizeof absolute - used, "/%s", path);
    path = absolute;
  }
  if (is_last(operation, path)) die();
}

static int path_of(int file, char *path, size_t size) {
  char name[64];
  snprintf(name, sizeof name, "/proc/self/fd/%d", file);
  ssize_t length = readlink(name, path, size - 1);
  if (length < 0) return 0;
  path[length] = 0;
  return 1;
}

static void step_of(const char *operation, int file) {
  char path[PATH_MAX];
  if (path_of(file, path, sizeof path) && path[0] == '/') step(operation, path);
}

ssize_t write(int file, const void *data, size_t size) {
  char path[PATH_MAX];
  if (path_of(file, path, sizeof path) && path[0] == '/' && is_last("write", path)) {
    if (*setting("KILL_AT_TORN") == '1') syscall(SYS_write, file, data, size / 2);
    die();
  }
  return REAL(write)(file, data, size);
}

int fsync(int file) {
  step_of("fsync", file);
  return REAL(fsync)(file);
}

int fdatasync(int file) {
  step_of("fsync", file);
  return REAL(fdatasync)(file);
}

int ftruncate(int file, off_t size) {
  step_of("truncate", file);
  return REAL(ftruncate)(file, size);
}

int ftruncate64(int file, off64_t size) {
  step_of("truncate", file);
  return REAL(ftruncate64)(file, size);
}

int rename(const char *from, const char *to) {
  step("rename", to);
  return REAL(rename)(from, to);
}

int link(const char *from, const char *to) {
  step("link", to);
  return REAL(link)(from, to);
}

int linkat(int from_folder, const char *from, int to_folder, const char *to, int flags) {
  step("link", to);
  return REAL(linkat)(from_folder, from, to_folder, to, flags);
}

int unlink(const char *path) {
  step("unlink", path);
  return REAL(unlink)(path);
}

int mkdir(const char *path, mode_t mode) {
  step("mkdir", path);
  return REAL(mkdir)(path, mode);
}

#define OPEN(name)                                \
  int name(const char *path, int flags, ...) {    \
    mode_t mode = 0;                              \
    if (flags & O_CREAT) {                        \
      va_list more;                               \
      va_start(more, flags);                      \
      mode = va_arg(more, mode_t);                \
      va_end(more);                               \
      step("create", path);                       \
    }                                             \
    return REAL(name)(path, flags, mode);         \
  }

OPEN(open)
OPEN(open64)
