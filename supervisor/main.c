/* raftfs-supervisor: keeps the three daemons of a node in step. */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/os/config.h"
#include "common/os/keys.h"
#include "common/os/log.h"
#include "common/os/process.h"
#include "proto/sockets.h"
#include "supervisor/pidfile.h"
#include "supervisor/supervisor.h"

#ifndef RAFTFS_VERSION
#define RAFTFS_VERSION "0.1.0"
#endif

#define DEFAULT_CONFIG "/etc/raftfs/raftfs.conf"
#define EXIT_USAGE     2

struct options {
	const char *config;
	bool check_only;
	bool daemon;
};

static void usage(FILE *out)
{
	fprintf(out, "usage: raftfs-supervisor [-dhtV] [-c file]\n"
		     "  -c file  configuration, " DEFAULT_CONFIG " by default\n"
		     "  -t       check the configuration and exit\n"
		     "  -d       go to the background once started\n"
		     "  -h, -V   this text; the version\n");
}

/* True: go on; otherwise *status is the exit status. */
static bool parse_options(int argc, char **argv, struct options *options,
			  int *status)
{
	int option;

	*options = (struct options){ .config = DEFAULT_CONFIG };
	*status = EXIT_SUCCESS;
	while ((option = getopt(argc, argv, "c:dhtV")) != -1) {
		switch (option) {
		case 'c':
			options->config = optarg;
			break;
		case 'd':
			options->daemon = true;
			break;
		case 't':
			options->check_only = true;
			break;
		case 'h':
			usage(stdout);
			return false;
		case 'V':
			printf("raftfs-supervisor %s\n", RAFTFS_VERSION);
			return false;
		default:
			usage(stderr);
			*status = EXIT_USAGE;
			return false;
		}
	}
	if (optind == argc)
		return true;
	fprintf(stderr, "raftfs-supervisor: unexpected argument: %s\n",
		argv[optind]);
	usage(stderr);
	*status = EXIT_USAGE;
	return false;
}

/* Plain lines, as a compiler's: editors jump to them. */
static void print_error(void *ctx, const char *text)
{
	(void)ctx;
	fprintf(stderr, "%s\n", text);
}

/* A relative path means another file after chdir("/"), and at SIGHUP. */
static bool load(const char *path, struct config *config)
{
	const struct config_errors errors = { print_error, NULL };
	char absolute[4096];

	if (realpath(path, absolute) == NULL)
		snprintf(absolute, sizeof(absolute), "%s", path);
	return config_load(absolute, &errors, config) == RFS_ERR_OK;
}

/* A directory of the children's user; the supervisor makes it for them. */
static enum rfs_err prepare_dir(const struct config *config, const char *path,
				mode_t mode)
{
	const struct passwd *user;

	if (process_make_dir(path) != RFS_ERR_OK)
		return RFS_ERR_IO;
	if (chmod(path, mode) != 0)
		log_warn("%s: cannot set its mode: %s", path, strerror(errno));
	if (geteuid() != 0 || config->supervisor.user[0] == '\0')
		return RFS_ERR_OK;
	user = getpwnam(config->supervisor.user);
	if (user == NULL) {
		log_error("supervisor.user: there is no user \"%s\"",
			  config->supervisor.user);
		return RFS_ERR_NOENT;
	}
	if (chown(path, user->pw_uid, user->pw_gid) != 0) {
		log_errno("%s: give to user %s", path, user->pw_name);
		return RFS_ERR_IO;
	}
	return RFS_ERR_OK;
}

/* The parent waits until the child has started the node, or died. Returns in
 * the child only; *ready_fd is for tell_parent(). */
static void go_to_background(int *ready_fd)
{
	int ends[2];
	char byte;
	pid_t child;

	if (pipe2(ends, O_CLOEXEC) != 0 || (child = fork()) < 0) {
		log_errno("go to the background");
		exit(EXIT_FAILURE);
	}
	if (child != 0) {
		close(ends[1]);
		/* End of file: it died, and has said why. */
		_exit(read(ends[0], &byte, 1) == 1 ? EXIT_SUCCESS :
						     EXIT_FAILURE);
	}
	close(ends[0]);
	setsid();
	if (chdir("/") != 0)
		log_warn("chdir /: %s", strerror(errno));
	*ready_fd = ends[1];
}

static void tell_parent(void *ctx)
{
	const int *ready_fd = ctx;

	if (*ready_fd < 0)
		return;
	if (write(*ready_fd, "1", 1) != 1)
		log_warn("the starting process is gone");
	close(*ready_fd);
}

static int run(const struct config *config, bool background)
{
	struct node_key key;
	char pid_path[CONFIG_PATH_MAX + 32];
	int ready_fd = -1;
	int pid_fd;
	int status = EXIT_FAILURE;

	if (keys_load_own(config->key_file, config_self(config)->key,
			  &key) != RFS_ERR_OK)
		return EXIT_FAILURE;
	/* Others reach the sockets in run_dir, each with its own mode. */
	if (prepare_dir(config, config->run_dir, 0755) != RFS_ERR_OK ||
	    prepare_dir(config, config->data_dir, 0700) != RFS_ERR_OK)
		return EXIT_FAILURE;
	if (background)
		go_to_background(&ready_fd);
	snprintf(pid_path, sizeof(pid_path), "%s/%s", config->run_dir,
		 SOCKETS_PID_FILE);
	if (pidfile_take(pid_path, &pid_fd) == RFS_ERR_OK) {
		status = supervisor_run(config, &key, tell_parent, &ready_fd);
		pidfile_drop(pid_path, pid_fd);
	}
	keys_wipe(&key);
	return status;
}

int main(int argc, char **argv)
{
	static struct config config;
	struct options options;
	int status;

	if (!parse_options(argc, argv, &options, &status))
		return status;
	log_init("raftfs-supervisor", NULL);
	keys_init();
	if (!load(options.config, &config))
		return EXIT_FAILURE;
	if (options.check_only) {
		printf("%s: ok\n", options.config);
		return EXIT_SUCCESS;
	}
	log_set_node(config.self);
	log_set_level(config.log_level);
	process_harden();
	return run(&config, options.daemon);
}
