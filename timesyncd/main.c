/* raftfs-timesyncd: measures the other nodes' clocks and publishes cluster
 * time. Started by raftfs-supervisor(8), which hands it all it needs, or by
 * hand, alone. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "common/os/confine.h"
#include "common/os/log.h"
#include "common/os/process.h"
#include "proto/handout.h"
#include "timesyncd/daemon.h"

#define EXIT_USAGE 2

static const char usage[] =
	"usage: raftfs-timesyncd\n"
	"       raftfs-timesyncd --foreground --config FILE [--bound-log FILE]\n"
	"Keeps cluster time. In the first form raftfs-supervisor(8) starts it and\n"
	"hands it configuration and pages on descriptor 3. In the second it runs\n"
	"alone, for clusters of clocks without files. See raftfs-timesyncd(8).\n";

struct options {
	bool foreground;
	const char *config;
	const char *bound_log;
};

/* False: wrong usage, or help was asked for (*code 0). */
static bool parse(int argc, char **argv, struct options *options, int *code)
{
	static const struct option longs[] = {
		{ "foreground", no_argument, NULL, 'f' },
		{ "config", required_argument, NULL, 'c' },
		{ "bound-log", required_argument, NULL, 'b' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int letter;

	*code = EXIT_USAGE;
	while ((letter = getopt_long(argc, argv, "fc:b:h", longs, NULL)) >= 0) {
		switch (letter) {
		case 'f':
			options->foreground = true;
			break;
		case 'c':
			options->config = optarg;
			break;
		case 'b':
			options->bound_log = optarg;
			break;
		case 'h':
			*code = 0;
			return false;
		default:
			return false;
		}
	}
	/* Each makes sense only with the others, or none at all. */
	return optind == argc &&
	       options->foreground == (options->config != NULL) &&
	       (options->foreground || options->bound_log == NULL);
}

static bool has_channel(void)
{
	struct stat status;

	return fstat(HANDOUT_FD, &status) == 0 && S_ISSOCK(status.st_mode);
}

/* Blocking, until HANDOUT_START: there is nothing else to do before. */
static enum rfs_err take_first_batch(struct daemon *daemon)
{
	bool started = false;

	while (!started) {
		enum rfs_err err = daemon_take_handout(daemon, &started);

		if (err != RFS_ERR_OK)
			return err;
	}
	if (daemon->config.node_count == 0 || daemon->publish.page == NULL) {
		log_error("the supervisor handed over no configuration or no "
			  "clock page");
		return RFS_ERR_INVALID;
	}
	fcntl(daemon->channel_fd, F_SETFD, FD_CLOEXEC);
	fcntl(daemon->channel_fd, F_SETFL, O_NONBLOCK);
	return RFS_ERR_OK;
}

static enum rfs_err prepare(struct daemon *daemon,
			    const struct options *options)
{
	enum rfs_err err;

	if (!options->foreground) {
		daemon->channel_fd = HANDOUT_FD;
		return take_first_batch(daemon);
	}
	daemon->channel_fd = -1;
	err = standalone_init(daemon, options->config);
	if (err == RFS_ERR_OK && options->bound_log != NULL)
		err = boundlog_open(&daemon->boundlog, options->bound_log);
	return err;
}

/* With a supervisor that one has compared it with the configuration. */
static enum rfs_err load_key(const struct daemon *daemon, bool alone,
			     struct node_key *key)
{
	const struct config *config = &daemon->config;

	if (!alone)
		return keys_load(config->key_file, key);
	return keys_load_own(config->key_file, config_self(config)->key, key);
}

static void confine(const struct config *config)
{
	const char *const dirs[] = { config->data_dir, config->run_dir, NULL };

	confine_files(dirs);
}

int main(int argc, char **argv)
{
	static struct daemon daemon;
	struct options options = { 0 };
	struct node_key key;
	int code;

	log_init("raftfs-timesyncd", NULL);
	if (!parse(argc, argv, &options, &code) ||
	    (!options.foreground && !has_channel())) {
		fputs(usage, code == 0 ? stdout : stderr);
		return code;
	}
	process_harden();
	keys_init();

	if (prepare(&daemon, &options) != RFS_ERR_OK)
		return 1;
	if (load_key(&daemon, options.foreground, &key) != RFS_ERR_OK)
		return 1;
	if (!options.foreground)
		confine(&daemon.config);
	code = loop_run(&daemon, &key);
	keys_wipe(&key);
	return code;
}
