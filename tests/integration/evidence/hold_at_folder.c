/*
 * Holds a backup of a running VM up where it has decided what to read and does not yet work on the VM. The first lock on
 * the VM's folder is for cleaning up, the second is for the capture: then the file $HELD is made, and waited for to go.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int flock(int descriptor, int operation) {
  static int locks = 0;
  int (*real)(int, int) = (int (*)(int, int))dlsym(RTLD_NEXT, "flock");
  const int status = real(descriptor, operation);
  char link[64];
  char path[4096] = {0};
  snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  if (status != 0 || readlink(link, path, sizeof path - 1) < 0) return status;
  if (strstr(path, "/qemu/domain-") != NULL && ++locks == 2) {
    close(open(getenv("HELD"), O_CREAT | O_WRONLY, 0600));
    while (access(getenv("HELD"), F_OK) == 0) usleep(10000);
  }
  return status;
}
