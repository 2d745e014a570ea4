/* One list; by strace, with room for what C library and kernel may do instead.
 */
#include "raftd/calls.h"

#include <stddef.h>

#include "common/os/confine.h"

void calls_confine(void)
{
	static const char *const all[] = {
		/* the loop, and what wakes it */
		"epoll_wait", "epoll_ctl", "timerfd_settime", "futex",
		"rt_sigreturn", "restart_syscall", "clock_gettime",
		"exit_group", "sched_setattr", "sched_setscheduler",
		"getpriority",
		/* the log, and what lies beside it */
		"openat", "close", "read", "write", "pread64", "pwrite64",
		"fdatasync", "fsync", "fadvise64", "ftruncate", "newfstatat",
		"getdents64", "mkdir", "rename", "renameat", "unlink",
		"unlinkat", "fcntl",
		/* peers, storaged, the supervisor */
		"socket", "connect", "accept4", "sendmsg", "recvmsg", "sendto",
		"recvfrom", "setsockopt", "getsockopt", "getrandom", "dup",
		"ioctl",
		/* memory; threads that have just been started */
		"mmap", "munmap", "mprotect", "madvise", "brk",
		"set_robust_list", "rseq", "setpriority", "rt_sigaction",
		"rt_sigprocmask", "exit",
		/* abort() */
		"getpid", "gettid", "tgkill", NULL};

	confine_calls(all);
}
