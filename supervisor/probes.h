/* Starting the loader of the eBPF probes, once. They only watch: without them
 * the node works the same. */
#ifndef RAFTFS_SUPERVISOR_PROBES_H
#define RAFTFS_SUPERVISOR_PROBES_H

#include "supervisor/supervisor.h"

/* Run `raftfs-bpf -c CONFIG -g CGROUP`, CGROUP being the node's directory with
 * one directory per child, all of them filled by now. It loads, attaches, pins
 * and exits; when it is absent or refuses, one line says so. */
void probes_start(struct supervisor *supervisor);

/* At an orderly stop: take the pins away by `raftfs-bpf -c CONFIG -u`, when
 * they were ever asked for. Blocks until it is done, PROBES_UNLOAD_MS at most.
 * (When the supervisor dies they stay and go on counting.) */
#define PROBES_UNLOAD_MS 2000
void probes_stop(struct supervisor *supervisor);

#endif
