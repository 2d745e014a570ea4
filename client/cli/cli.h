/* What every command of raftfs(1) shares: the target, the exit codes, and how
 * a failure is told. */
#ifndef RAFTFS_CLIENT_CLI_CLI_H
#define RAFTFS_CLIENT_CLI_CLI_H

#include <stdbool.h>
#include <stdint.h>

#include "client/lib/raftfs.h"
#include "common/err.h"

#ifndef RAFTFS_VERSION
#define RAFTFS_VERSION "0.1.0"
#endif

/* Exit codes, documented in raftfs(1). */
enum cli_exit {
	CLI_OK = 0,	/* done; status: healthy */
	CLI_FAILED = 1, /* not done; status: degraded */
	CLI_USAGE = 2,
	CLI_NO_QUORUM = 3, /* no leader, or no majority */
	CLI_UNREACHABLE = 4,
};

struct cli {
	const char *where; /* -s, -d or -c; NULL: the default */
	bool json;
	int64_t timeout_ns;
	struct raftfs *fs; /* after cli_open() */
	struct raftfs_who who;
};

/* One command: its own arguments from argv[0] (its name) on. */
typedef int cli_command(struct cli *cli, int argc, char **argv);

cli_command command_put, command_get, command_cat, command_ls, command_stat,
	command_mkdir, command_rm, command_mv, command_cp, command_ln,
	command_df, command_status, command_clock, command_members,
	command_leader, command_log, command_metrics, command_keygen,
	command_cluster, command_config;

/* Connect. CLI_OK, or the exit code after the reason was printed. */
RFS_MUST_USE int cli_open(struct cli *cli);

/* Whether a request has run into its time limit; then status_if_no_quorum()
 * knows more. */
bool cli_has_timed_out(void);

/* "raftfs: PATH: text (reason)" on stderr; returns the exit code for err. The
 * reason is this thread's last raftfs_reason(). Any thread. */
int cli_fail(const char *path, enum rfs_err err);

/* The same for a failed system call; errno is read. Returns CLI_FAILED. */
int cli_fail_errno(const char *path);

/* "raftfs: text" on stderr, then how to call it. Returns CLI_USAGE. */
int cli_usage(const char *command, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* How to call a command, on stdout. Returns CLI_OK. */
int cli_help(const char *command);

/* The worse of two exit codes: the first that is not CLI_OK. */
static inline int cli_worst(int a, int b)
{
	return a != CLI_OK ? a : b;
}

/* A command's own options: letters as for getopt(3), plus --json and -h.
 * Calls `take` for each letter; false from it, or a wrong option, is a usage
 * error (said). Leaves the operands in *argc, *argv. */
RFS_MUST_USE int
cli_options(struct cli *cli, int *argc, char ***argv, const char *letters,
	    bool (*take)(void *ctx, int letter, const char *value), void *ctx);

/* For cli_options() of a command with one letter that takes no value: ctx is a
 * bool, set when it is given. */
bool cli_flag(void *ctx, int letter, const char *value);

#endif
