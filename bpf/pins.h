/* The node's directory in the BPF file system. */
#ifndef RAFTFS_BPF_PINS_H
#define RAFTFS_BPF_PINS_H

#include <stddef.h>

#include "common/err.h"

#define PINS_BPFFS "/sys/fs/bpf"
#define PINS_ROOT  PINS_BPFFS "/raftfs-v1"

/* "/sys/fs/bpf/raftfs-v1/NODE/NAME" (NAME may be "") into path. */
void pins_path(const char *node, const char *name, char *path, size_t size);

/* Make the node's directory, empty, mounting bpffs if it is not there yet.
 * Logged when it cannot be done: NOTSUP (no bpffs), DENIED, IO. */
RFS_MUST_USE enum rfs_err pins_create(const char *node);

/* Remove all pins of the node, and its directory. */
void pins_remove(const char *node);

#endif
