/* What every daemon's main does first and last: readiness, limits, privileges.
 */
#ifndef RAFTFS_COMMON_OS_PROCESS_H
#define RAFTFS_COMMON_OS_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/err.h"

/* Send one sd_notify(3) datagram, e.g. "READY=1\nSTATUS=leader of term 3", to
 * NOTIFY_SOCKET; nothing happens when the variable is unset. Never blocks, and
 * is lost when the receiver's queue is full; but READY=1, which is said once,
 * waits for room, up to a second at a time. */
void process_notify(const char *state);

/* umask 077, no core of secrets (PR_SET_DUMPABLE 0 unless RAFTFS_DUMPABLE),
 * no_new_privs, stdin from /dev/null, SIGPIPE ignored. */
void process_harden(void);

/* Become `user` for good (all ids, groups emptied, no capabilities). OK also
 * when user is empty or already is who we are. DENIED, NOENT: logged. */
RFS_MUST_USE enum rfs_err process_become(const char *user);

/* The same, but for capabilities (bits 1 << CAP_...): those of them that we have
 * stay, also for the program that is executed next. One that we have not is
 * logged and gone without. */
RFS_MUST_USE enum rfs_err process_become_with(const char *user,
					      uint64_t capabilities);

/* This thread is woken for little work that cannot wait: ask the scheduler for
 * short slices, which is no more of the CPU but sooner (Linux 6.12; older ones
 * ignore it). Needs no privilege; never fails. */
void process_wake_soon(void);

/* A thread of ours runs before all ordinary ones, whatever session or control
 * group they are of, until it calls process_wake_soon(). False: no right to
 * (RLIMIT_RTPRIO). */
bool process_go_first(pid_t thread);

/* mkdir -p with mode 0700 for what is created; IO logged with the path. */
RFS_MUST_USE enum rfs_err process_make_dir(const char *path);

#endif
