/* raftfs-mount: mount a cluster's file tree. */
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/mount/mount.h"
#include "common/os/log.h"
#include "common/units.h"

#ifndef RAFTFS_VERSION
#define RAFTFS_VERSION "0.1.0"
#endif
#define EXIT_USAGE	 2
#define EXIT_UNREACHABLE 4
#define THREADS_MAX	 32u

struct options {
	char *where;
	char *mountpoint;
	char *timeout;
	double attr_timeout_s;
	int foreground;
	int help;
	int version;
	int debug;
};

static const struct fuse_opt option_table[] = {
	{"-f", offsetof(struct options, foreground), 1},
	{"-d", offsetof(struct options, debug), 1},
	{"-h", offsetof(struct options, help), 1},
	{"--help", offsetof(struct options, help), 1},
	{"-V", offsetof(struct options, version), 1},
	{"attr_timeout=%lf", offsetof(struct options, attr_timeout_s), 0},
	{"timeout=%s", offsetof(struct options, timeout), 0},
	FUSE_OPT_KEY("_netdev", FUSE_OPT_KEY_DISCARD),
	FUSE_OPT_KEY("nofail", FUSE_OPT_KEY_DISCARD),
	FUSE_OPT_END,
};

static int take_mountpoint(struct options *options, const char *arg)
{
	options->mountpoint = realpath(arg, NULL);
	if (options->mountpoint == NULL)
		fprintf(stderr, "raftfs-mount: %s: %s\n", arg,
			strerror(errno));
	return options->mountpoint == NULL ? -1 : 0;
}

/* The two operands; every other option is the kernel's or libfuse's. */
static int take_operand(void *data, const char *arg, int key,
			struct fuse_args *args)
{
	struct options *options = data;

	(void)args;
	if (key != FUSE_OPT_KEY_NONOPT)
		return 1;
	if (options->where == NULL)
		options->where = strdup(arg);
	else if (options->mountpoint == NULL)
		return take_mountpoint(options, arg);
	else
		return -1;
	return options->where == NULL ? -1 : 0;
}

static void usage(FILE *out)
{
	fprintf(out,
		"usage: raftfs-mount [-dfhV] [-o option[,option]] "
		"SOCKET|CLUSTERDIR|CONF MOUNTPOINT\n"
		"  -f                  stay in the foreground\n"
		"  -d                  foreground, and show every request\n"
		"  -o attr_timeout=S   let the kernel keep attributes and "
		"names S seconds\n"
		"                      (0: every look asks the cluster)\n"
		"  -o timeout=T        fail a request after T (30s)\n"
		"  -o ...              any other mount option\n");
}

/* Mount options that come with every mount; a person's come after. */
static int add_defaults(struct fuse_args *args, const char *where)
{
	char source[512];
	char options[128];

	snprintf(source, sizeof(source), "-ofsname=%s", where);
	/* A comma would start the next option. */
	for (char *c = strchr(source, ','); c != NULL; c = strchr(c, ','))
		*c = ';';
	snprintf(options, sizeof(options),
		 "-osubtype=raftfs,default_permissions,max_read=%u%s",
		 RAFTFS_WINDOW_BYTES, geteuid() == 0 ? ",allow_other" : "");
	if (fuse_opt_insert_arg(args, 1, source) != 0)
		return -1;
	return fuse_opt_insert_arg(args, 2, options);
}

/* Paths must hold after the change to "/" that comes with the background. */
static void make_absolute(struct options *options)
{
	char *absolute = strchr(options->where, ',') == NULL
				 ? realpath(options->where, NULL)
				 : NULL;

	if (absolute == NULL)
		return;
	free(options->where);
	options->where = absolute;
}

static int connect_cluster(const struct options *options, struct raftfs **fs)
{
	int64_t timeout_ns = RAFTFS_TIMEOUT_NS;

	if (options->timeout != NULL &&
	    units_parse_duration(options->timeout, &timeout_ns) != RFS_ERR_OK) {
		fprintf(stderr, "raftfs-mount: timeout=%s: not a time\n",
			options->timeout);
		return EXIT_USAGE;
	}
	if (raftfs_open(options->where, fs) != RFS_ERR_OK) {
		fprintf(stderr, "raftfs-mount: %s\n", raftfs_reason());
		return EXIT_UNREACHABLE;
	}
	raftfs_set_timeout(*fs, timeout_ns);
	if (raftfs_connect(*fs) == RFS_ERR_OK)
		return EXIT_SUCCESS;
	fprintf(stderr, "raftfs-mount: %s\n", raftfs_reason());
	return EXIT_UNREACHABLE;
}

static int serve(struct fuse_session *session, const struct options *options)
{
	struct fuse_loop_config *config = fuse_loop_cfg_create();

	if (config == NULL ||
	    fuse_daemonize(options->foreground || options->debug) != 0)
		return EXIT_FAILURE;
	fuse_loop_cfg_set_clone_fd(config, 1);
	fuse_loop_cfg_set_max_threads(config, THREADS_MAX);
	fuse_loop_cfg_set_idle_threads(config, THREADS_MAX);
	int result = fuse_session_loop_mt(session, config);

	fuse_loop_cfg_destroy(config);
	/* A positive result is the signal that asked us to end. */
	return result < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int mount_and_serve(struct fuse_args *args,
			   const struct options *options, struct mount *mount)
{
	int status = EXIT_FAILURE;
	struct fuse_session *session =
		fuse_session_new(args, &mount_ops, sizeof(mount_ops), mount);

	if (session == NULL)
		return EXIT_USAGE;
	if (fuse_set_signal_handlers(session) != 0)
		goto destroy;
	if (fuse_session_mount(session, options->mountpoint) != 0)
		goto handlers;
	status = serve(session, options);
	fuse_session_unmount(session);
handlers:
	fuse_remove_signal_handlers(session);
destroy:
	fuse_session_destroy(session);
	return status;
}

static int check(const struct options *options, int parsed)
{
	if (options->help) {
		usage(stdout);
		return EXIT_SUCCESS;
	}
	if (options->version) {
		printf("raftfs-mount " RAFTFS_VERSION ", libfuse %s\n",
		       fuse_pkgversion());
		return EXIT_SUCCESS;
	}
	if (parsed != 0 || options->where == NULL) {
		usage(stderr);
		return EXIT_USAGE;
	}
	if (options->mountpoint == NULL) {
		fprintf(stderr, "raftfs-mount: no mount point given\n");
		usage(stderr);
		return EXIT_USAGE;
	}
	return -1;
}

int main(int argc, char **argv)
{
	struct fuse_args args = FUSE_ARGS_INIT(argc, argv);
	struct options options = {.where = NULL};
	struct mount mount = {.fs = NULL};
	int parsed =
		fuse_opt_parse(&args, &options, option_table, take_operand);
	int status = check(&options, parsed);

	if (status >= 0)
		goto out;
	log_init("raftfs-mount", NULL);
	signal(SIGPIPE, SIG_IGN);
	make_absolute(&options);
	files_init(&mount.files);
	mount.attr_timeout_s = options.attr_timeout_s;
	status = connect_cluster(&options, &mount.fs);
	if (status == EXIT_SUCCESS && add_defaults(&args, options.where) != 0)
		status = EXIT_FAILURE;
	if (status == EXIT_SUCCESS)
		status = mount_and_serve(&args, &options, &mount);
	raftfs_close(mount.fs);
out:
	free(options.where);
	free(options.mountpoint);
	free(options.timeout);
	fuse_opt_free_args(&args);
	return status;
}
