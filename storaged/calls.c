/* One list; by strace, with room for what C library, LMDB and kernel may do
 * instead. */
#include "storaged/calls.h"

#include <stddef.h>

#include "common/os/confine.h"

void calls_confine(void)
{
	static const char *const all[] = {
		/* the loop, and what wakes it */
		"epoll_wait", "epoll_ctl", "futex", "rt_sigreturn",
		"restart_syscall", "clock_gettime", "exit_group",
		/* chunks, packs, snapshots; LMDB, which a snapshot opens anew
		 */
		"openat", "close", "read", "write", "writev", "pread64",
		"preadv2", "pwrite64", "pwritev", "lseek", "fdatasync", "fsync",
		"sync_file_range", "fadvise64", "ftruncate", "copy_file_range",
		"newfstatat", "fstatfs", "faccessat2", "access", "getdents64",
		"mkdir", "mkdirat", "rename", "renameat", "unlink", "unlinkat",
		"fcntl", "chmod", "msync", "uname",
		/* clients, peers, raftd, the supervisor */
		"socket", "connect", "bind", "listen", "accept4", "sendmsg",
		"recvmsg", "sendto", "recvfrom", "setsockopt", "getsockopt",
		"getrandom", "geteuid", "dup", "ioctl",
		/* memory, and threads that come as they are needed */
		"mmap", "munmap", "mprotect", "mremap", "madvise", "brk",
		"clone3", "set_robust_list", "rseq", "sched_getaffinity",
		"rt_sigaction", "rt_sigprocmask", "exit",
		/* abort() */
		"getpid", "gettid", "tgkill", NULL};

	confine_calls(all);
}
