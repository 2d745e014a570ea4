/* The supervisors of a local cluster as processes: start, find, signal. */
#ifndef RAFTFS_CLIENT_CLI_CLUSTER_PROCESS_H
#define RAFTFS_CLIENT_CLI_CLUSTER_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/os/config.h"

/* The pid of the node's supervisor if it runs: its pid file is locked by it
 * and the process is a raftfs-supervisor; else 0. */
pid_t cluster_process_find(const struct config *config);

/* Start the supervisor, detached, output appended to DIR/nX/log. Returns its
 * pid, or -1 with the reason said. */
pid_t cluster_process_start(const struct config *config);

/* SIGTERM, wait at most limit_ns, then SIGKILL to it and its children. True
 * when it went by itself (or did not run). */
bool cluster_process_stop(const struct config *config, int64_t limit_ns);

/* The same signal to the supervisor and every child of it (SIGSTOP: the
 * supervisor first; SIGCONT: last). Returns how many processes got it. */
int cluster_process_signal_all(pid_t supervisor, int signal);

/* The path of DIR/nX/log. Static buffer, one thread. */
const char *cluster_process_log(const struct config *config);

#endif
