/*
 * Holds a backup of a running VM up where the guest's file systems are frozen and the guest is not paused yet: then the
 * file $HELD is made, and waited for to go.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

int virDomainSuspend(void* domain) {
  int (*real)(void*) = (int (*)(void*))dlsym(RTLD_NEXT, "virDomainSuspend");
  close(open(getenv("HELD"), O_CREAT | O_WRONLY, 0600));
  while (access(getenv("HELD"), F_OK) == 0) usleep(10000);
  return real(domain);
}
