/* A scratch directory in memory for fuzz targets of what is read from files. */
#ifndef RAFTFS_TESTS_FUZZ_SCRATCH_H
#define RAFTFS_TESTS_FUZZ_SCRATCH_H

#include <stddef.h>

/* Made at the first call, removed with what is in it when the process ends;
 * log lines go nowhere from then on. Never NULL. */
const char *scratch_dir(void);

/* Replace the file `name` in it. Returns its path, valid until the next call;
 * never NULL. */
const char *scratch_file(const char *name, const void *data, size_t bytes);

/* Remove all files in it. */
void scratch_clear(void);

#endif
