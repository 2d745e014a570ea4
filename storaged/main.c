/* raftfs-storaged: keeps the files. Started by raftfs-supervisor(8), which
 * hands it all it needs. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/os/confine.h"
#include "common/os/log.h"
#include "common/os/process.h"
#include "proto/handout.h"
#include "storaged/handouts.h"
#include "storaged/loop.h"

#define EXIT_USAGE 2

static const char usage[] =
	"usage: raftfs-storaged\n"
	"Keeps the files of a node. It is started by raftfs-supervisor(8),\n"
	"which hands it configuration and pages on descriptor 3; alone it can\n"
	"do nothing. See raftfs-storaged(8).\n";

static bool has_channel(void)
{
	struct stat status;

	return fstat(HANDOUT_FD, &status) == 0 && S_ISSOCK(status.st_mode);
}

/* Blocking, until HANDOUT_START: there is nothing else to do before. */
static enum rfs_err take_first_batch(struct handouts *handouts,
				     struct storaged *s)
{
	while (!handouts->started) {
		enum rfs_err err = handouts_take(handouts, s);

		if (err != RFS_ERR_OK) {
			log_error("handout: %s", rfs_err_text(err));
			return err;
		}
	}
	if (!handouts->ready) {
		log_error("the supervisor handed over no configuration");
		return RFS_ERR_INVALID;
	}
	fcntl(handouts->channel_fd, F_SETFD, FD_CLOEXEC);
	fcntl(handouts->channel_fd, F_SETFL, O_NONBLOCK);
	return RFS_ERR_OK;
}

int main(int argc, char **argv)
{
	static struct storaged s;
	struct handouts handouts = { .channel_fd = HANDOUT_FD, .link_fd = -1 };

	log_init("raftfs-storaged", NULL);
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
	if (take_first_batch(&handouts, &s) != RFS_ERR_OK)
		return 1;
	if (keys_load(s.config.key_file, &s.key) != RFS_ERR_OK)
		return 1;
	const char *const dirs[] = { s.config.data_dir, s.config.run_dir,
				     NULL };

	confine_files(dirs);
	int code = loop_run(&s, &handouts);

	keys_wipe(&s.key);
	return code;
}
