/* Starting the loader of the eBPF probes, once. They only watch: without them
 * the node works the same. */
#ifndef RAFTFS_SUPERVISOR_PROBES_H
#define RAFTFS_SUPERVISOR_PROBES_H

#include "supervisor/supervisor.h"

/* Run `raftfs-bpf -c CONFIG -g CGROUP`, CGROUP being the node's directory with
 * one directory per child, all of them filled by now. It loads, attaches, pins
 * and exits; when it is absent or refuses, one line says so. */
void probes_start(struct supervisor *supervisor);

/* The loader no longer matters: let go of its watcher. */
void probes_fini(struct supervisor *supervisor);

#endif
