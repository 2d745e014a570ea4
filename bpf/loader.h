/* Loading the probes: open, set, load, fill, attach, pin; go on without, if
 * refused.
 *
 * Maps and links are pinned under <bpffs>/raftfs-v1/<node>/ (mode 0700, the
 * name is that of the cgroup directory, see bpf/pins.h), so that they go on
 * counting without a process, and bpftool finds them by name.
 */
#ifndef RAFTFS_BPF_LOADER_H
#define RAFTFS_BPF_LOADER_H

#include "common/err.h"
#include "common/os/config.h"

/* Load every probe and attach it below the node's cgroup directory. Pins of an
 * earlier start are replaced.
 *
 * OK: all of them count. Otherwise one line per probe that is off was logged,
 * with the reason; those that could be loaded count all the same. */
RFS_MUST_USE enum rfs_err loader_up(const struct config *config,
				    const char *cgroup);

/* Take all pins of the node with that cgroup directory away; without its links a probe is gone. */
void loader_down(const char *cgroup);

#endif
