/* The node's directory in the BPF file system. */
#ifndef RAFTFS_BPF_PINS_H
#define RAFTFS_BPF_PINS_H

#include <stddef.h>

#include "common/err.h"

#define PINS_BPFFS "/sys/fs/bpf"
#define PINS_ROOT  PINS_BPFFS "/raftfs-v1"

/* The name a node's pins go by: that of its cgroup directory, which no other
 * node of this host has, even one of the same name in another cluster. A view
 * into cgroup. */
const char *pins_node(const char *cgroup);

/* "/sys/fs/bpf/raftfs-v1/NODE/NAME" (NAME may be "") into path. */
void pins_path(const char *node, const char *name, char *path, size_t size);

/* Make the node's directory, empty, mounting bpffs if it is not there yet.
 * Logged when it cannot be done: NOTSUP (no bpffs), DENIED, IO. */
RFS_MUST_USE enum rfs_err pins_create(const char *node);

/* Remove what nodes named NAME-PID left behind when their supervisor, PID, was
 * killed: that process is gone, and so is their cgroup beside this one. */
void pins_sweep(const char *cgroup);

/* Remove all pins of the node, and its directory. */
void pins_remove(const char *node);

#endif
