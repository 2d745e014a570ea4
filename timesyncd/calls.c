/* One list; by strace, with room for what C library and kernel may do instead.
 * Most is for the driftfile, the control socket and notes to the supervisor:
 * time itself needs the first two lines. */
#include "timesyncd/calls.h"

#include "common/os/confine.h"

#define CALLS                                                                  \
	"epoll_wait", "epoll_ctl", "recvmsg", "sendmsg", "clock_gettime",      \
		"rt_sigreturn", "restart_syscall", "exit_group", "read",       \
		"write", "pread64", "openat", "newfstatat", "fcntl", "fsync",  \
		"rename", "unlink", "close", "mmap", "munmap", "brk", "futex", \
		"socket", "connect", "bind", "accept4", "setsockopt",          \
		"getsockopt", "sendto", "getrandom", "ioctl",                  \
		"rt_sigprocmask", "getpid", "gettid", "tgkill"

void calls_confine(bool steers)
{
	static const char *const all[] = {CALLS, NULL};
	static const char *const steering[] = {CALLS, "adjtimex",
					       "clock_adjtime", NULL};

	confine_calls(steers ? steering : all);
}
