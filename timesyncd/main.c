/* raftfs-timesyncd: measures the other nodes' clocks and publishes cluster
 * time. Started by raftfs-supervisor(8), which hands it all it needs. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "common/os/log.h"
#include "common/os/process.h"
#include "proto/handout.h"
#include "timesyncd/daemon.h"

#define EXIT_USAGE 2

static const char usage[] =
	"usage: raftfs-timesyncd\n"
	"Keeps cluster time. It is started by raftfs-supervisor(8), which\n"
	"hands it configuration and pages on descriptor 3; alone it can do\n"
	"nothing. See raftfs-timesyncd(8).\n";

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

int main(int argc, char **argv)
{
	static struct daemon daemon;
	struct node_key key;
	int code;

	log_init("raftfs-timesyncd", NULL);
	if (argc > 1) {
		bool help = strcmp(argv[1], "--help") == 0 ||
			    strcmp(argv[1], "-h") == 0;

		fputs(usage, help ? stdout : stderr);
		return help ? 0 : EXIT_USAGE;
	}
	if (!has_channel()) {
		fputs(usage, stderr);
		return EXIT_USAGE;
	}
	process_harden();
	keys_init();

	daemon.channel_fd = HANDOUT_FD;
	if (take_first_batch(&daemon) != RFS_ERR_OK)
		return 1;
	if (keys_load(daemon.config.key_file, &key) != RFS_ERR_OK)
		return 1;
	code = loop_run(&daemon, &key);
	keys_wipe(&key);
	return code;
}
