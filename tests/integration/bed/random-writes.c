// random-writes DEVICE: 4 KiB at random places of DEVICE, past every cache, one after the other, for ever; a line
// "TL WRITES n" a second says how many there were. What `fio --rw=randwrite --bs=4k --direct=1 --ioengine=psync` does,
// in a program that links nothing.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

int main(int count, char **words) {
  enum { kBlock = 4096 };
  uint64_t state = 0x9e3779b97f4a7c15;
  void *block = NULL;
  int device = count == 2 ? open(words[1], O_WRONLY | O_DIRECT) : -1;
  off_t size = device < 0 ? 0 : lseek(device, 0, SEEK_END);
  if (size < kBlock || posix_memalign(&block, kBlock, kBlock) != 0) {
    perror("random-writes");
    return 1;
  }
  memset(block, 0x5a, kBlock);
  double since = now();
  for (long writes = 0;;) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    memcpy(block, &state, sizeof state);
    off_t place = (off_t)(state % (uint64_t)(size / kBlock)) * kBlock;
    if (pwrite(device, block, kBlock, place) != kBlock) {
      perror("random-writes");
      return 1;
    }
    ++writes;
    double time = now();
    if (time - since >= 1) {
      printf("TL WRITES %.0f\n", (double)writes / (time - since));
      fflush(stdout);
      writes = 0;
      since = time;
    }
  }
}
