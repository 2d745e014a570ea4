/* What a daemon gives up once it runs: files it never opens, system calls it
 * never makes. An attacker who makes it do what it should not has no more than
 * it needs itself.
 *
 * Both are promises to the kernel that cannot be taken back. Where the kernel
 * knows one of them not, one line says so and the daemon goes on; the same
 * where there is code in the process that nobody made a list for: sanitizers,
 * or a library of LD_PRELOAD.
 */
#ifndef RAFTFS_COMMON_OS_CONFINE_H
#define RAFTFS_COMMON_OS_CONFINE_H

#include <stddef.h>

/* From now on only what lies below these directories can be made, changed and
 * opened, and what lies below /dev, /etc, /proc and /sys be read; descriptors
 * that are open stay. A directory that is not there is made.
 *
 *   dirs  ended by NULL
 *
 * By Landlock, hence for this thread and those it starts later: call it before
 * there are others. Needs no_new_privs (process_harden()). */
void confine_files(const char *const *dirs);

/* From now on, in every thread, only these system calls; any other fails with
 * EPERM, but execve(2), ptrace(2) and what else no daemon has a use for ends
 *the process. Besides, socket(2) is for unix, IPv4 and IPv6 only, and no memory
 * can be made executable.
 *
 *   calls  names as the kernel has them, ended by NULL; one that this
 *	    architecture has not is passed over
 *
 * By seccomp. Needs no_new_privs. */
void confine_calls(const char *const *calls);

/* What is in force, for the status: "35 system calls; files by landlock 7";
 * "off" parts say so. Never NULL. */
const char *confine_text(void);

#endif
