/* Seccomp by libseccomp, Landlock by its three system calls. */
#include "common/os/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/os/log.h"
#include "common/os/process.h"

/* Instrumented programs make calls of their own at any time. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define INSTRUMENTED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||     \
	__has_feature(memory_sanitizer)
#define INSTRUMENTED 1
#endif
#endif
#ifndef INSTRUMENTED
#define INSTRUMENTED 0
#endif

/* What is not in the list fails, and the program deals with it as with any
 * error. -DCONFINE_REFUSAL=SCMP_ACT_KILL_PROCESS finds what a list lacks. */
#ifndef CONFINE_REFUSAL
#define CONFINE_REFUSAL SCMP_ACT_ERRNO(EPERM)
#endif

/* Nor does anybody know what a preloaded library does. */
static const char *foreign_code(void)
{
	if (INSTRUMENTED)
		return "an instrumented build";
	return getenv("LD_PRELOAD") != NULL ? "a library is preloaded" : NULL;
}

static struct {
	unsigned int call_count; /* 0: off */
	int landlock;		 /* version; 0: off */
	char text[96];
} state;

const char *confine_text(void)
{
	char files[32] = "off";

	if (state.landlock > 0)
		snprintf(files, sizeof(files), "landlock %d", state.landlock);
	if (state.call_count == 0)
		snprintf(state.text, sizeof(state.text),
			 "system calls: off; files: %s", files);
	else
		snprintf(state.text, sizeof(state.text),
			 "system calls: %u; files: %s", state.call_count,
			 files);
	return state.text;
}

/* --- files --- */

#define FILES_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)

/* Each version of Landlock took rights away that were free before. */
static uint64_t handled_rights(int version)
{
	uint64_t rights = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;

	if (version >= 2)
		rights |= LANDLOCK_ACCESS_FS_REFER;
#ifdef LANDLOCK_ACCESS_FS_TRUNCATE
	if (version >= 3)
		rights |= LANDLOCK_ACCESS_FS_TRUNCATE;
#endif
	return rights;
}

static bool allow_below(int ruleset, const char *path, uint64_t rights)
{
	struct landlock_path_beneath_attr below = {.allowed_access = rights};
	long result;

	below.parent_fd = open(path, O_PATH | O_CLOEXEC);
	if (below.parent_fd < 0)
		return false;
	result = syscall(SYS_landlock_add_rule, ruleset,
			 LANDLOCK_RULE_PATH_BENEATH, &below, 0);
	close(below.parent_fd);
	return result == 0;
}

static bool allow_all(int ruleset, const char *const *dirs, uint64_t rights)
{
	static const char *const to_read[] = {"/dev", "/etc", "/proc", "/sys",
					      NULL};

	for (; *dirs != NULL; dirs++)
		if (process_make_dir(*dirs) != RFS_ERR_OK ||
		    !allow_below(ruleset, *dirs,
				 rights & ~LANDLOCK_ACCESS_FS_EXECUTE))
			return false;
	/* A host may lack one of these. */
	for (const char *const *dir = to_read; *dir != NULL; dir++)
		(void)allow_below(ruleset, *dir, FILES_READ);
	return true;
}

void confine_files(const char *const *dirs)
{
	struct landlock_ruleset_attr rules = {0};
	int version = (int)syscall(SYS_landlock_create_ruleset, NULL, 0,
				   LANDLOCK_CREATE_RULESET_VERSION);
	int ruleset = -1;

	if (foreign_code() != NULL) {
		log_notice("files are not confined: %s", foreign_code());
		return;
	}
	if (version > 0) {
		rules.handled_access_fs = handled_rights(version);
		ruleset = (int)syscall(SYS_landlock_create_ruleset, &rules,
				       sizeof(rules.handled_access_fs), 0);
	}
	if (ruleset >= 0 && allow_all(ruleset, dirs, rules.handled_access_fs) &&
	    syscall(SYS_landlock_restrict_self, ruleset, 0) == 0)
		state.landlock = version;
	else
		log_notice("files are not confined: landlock: %s",
			   strerror(errno));
	if (ruleset >= 0)
		close(ruleset);
}

/* --- system calls --- */

/* Nothing that goes wrong in a daemon ends in one of these by mistake. */
static const char *const deadly[] = {
	"execve",
	"execveat",
	"ptrace",
	"process_vm_readv",
	"process_vm_writev",
	"bpf",
	"init_module",
	"finit_module",
	"kexec_load",
	"mount",
	"pivot_root",
	"setns",
	"unshare",
	"userfaultfd",
	"perf_event_open",
	NULL,
};

static int allow_sockets(scmp_filter_ctx filter, int call)
{
	static const unsigned int families[] = {AF_UNIX, AF_INET, AF_INET6};
	int result = 0;

	for (size_t i = 0; i < 3 && result == 0; i++)
		result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 1,
					  SCMP_A0(SCMP_CMP_EQ, families[i], 0));
	return result;
}

static int allow_call(scmp_filter_ctx filter, int call)
{
	if (call == SCMP_SYS(socket))
		return allow_sockets(filter, call);
	if (call == SCMP_SYS(mmap) || call == SCMP_SYS(mprotect))
		return seccomp_rule_add(
			filter, SCMP_ACT_ALLOW, call, 1,
			SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	return seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 0);
}

/* 0, or a negative errno. */
static int add_rules(scmp_filter_ctx filter, const char *const *calls,
		     unsigned int *count)
{
	for (; *calls != NULL; calls++) {
		int call = seccomp_syscall_resolve_name(*calls);
		int result;

		if (call == __NR_SCMP_ERROR) {
			log_debug("confine: no system call \"%s\"", *calls);
			continue;
		}
		result = allow_call(filter, call);
		if (result != 0)
			return result;
		(*count)++;
	}
	for (const char *const *name = deadly; *name != NULL; name++) {
		int call = seccomp_syscall_resolve_name(*name);

		if (call != __NR_SCMP_ERROR)
			(void)seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS,
					       call, 0);
	}
	return 0;
}

void confine_calls(const char *const *calls)
{
	scmp_filter_ctx filter;
	unsigned int count = 0;
	int result = -ENOMEM;

	if (foreign_code() != NULL) {
		log_notice("system calls are not confined: %s", foreign_code());
		return;
	}
	filter = seccomp_init(CONFINE_REFUSAL);
	if (filter != NULL)
		result = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	if (result == 0)
		result = add_rules(filter, calls, &count);
	if (result == 0)
		result = seccomp_load(filter);
	if (result == 0)
		state.call_count = count;
	else
		log_notice("system calls are not confined: seccomp: %s",
			   strerror(-result));
	if (filter != NULL)
		seccomp_release(filter);
}
