/* raftfs-raftd: the log of one node. Started by raftfs-supervisor, which hands
 * it configuration, pages and the link to storaged on descriptor 3. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/os/config.h"
#include "common/os/confine.h"
#include "common/os/keys.h"
#include "common/os/log.h"
#include "common/os/process.h"
#include "proto/handout.h"
#include "raftd/loop.h"

#define EXIT_USAGE  2
#define EXIT_DAMAGE 65 /* EX_DATAERR: starting again will not help */
#define BATCH_MAX   16

/* What came before START, in order. */
struct batch {
	struct handout handout[BATCH_MAX];
	int fd[BATCH_MAX];
	unsigned int count;
};

static enum rfs_err receive_batch(struct batch *batch)
{
	for (;;) {
		struct handout handout;
		enum rfs_err err;
		int fd;

		err = handout_receive(HANDOUT_FD, &handout, &fd);
		if (err != RFS_ERR_OK) {
			log_error("descriptor %d is not a supervisor's channel "
				  "(%s); raftfs-supervisor(8) starts this "
				  "program",
				  HANDOUT_FD, rfs_err_text(err));
			return err;
		}
		if (handout.kind == HANDOUT_START)
			return RFS_ERR_OK;
		if (batch->count == BATCH_MAX)
			return RFS_ERR_FULL;
		batch->handout[batch->count] = handout;
		batch->fd[batch->count++] = fd;
	}
}

static void print_finding(void *ctx, const char *text)
{
	(void)ctx;
	log_error("%s", text);
}

/* Take the configuration out of the batch. */
static enum rfs_err load_config(struct batch *batch, struct config *config)
{
	const struct config_errors errors = { .line = print_finding };

	for (unsigned int i = 0; i < batch->count; i++) {
		enum rfs_err err;

		if (batch->handout[i].kind != HANDOUT_CONFIG)
			continue;
		err = config_load_fd(batch->fd[i], "raftfs.conf", &errors,
				     config);
		close(batch->fd[i]);
		batch->count--;
		memmove(&batch->handout[i], &batch->handout[i + 1],
			(batch->count - i) * sizeof(batch->handout[0]));
		memmove(&batch->fd[i], &batch->fd[i + 1],
			(batch->count - i) * sizeof(batch->fd[0]));
		return err;
	}
	log_error("the supervisor handed out no configuration");
	return RFS_ERR_INVALID;
}

static int serve(const struct config *config, const struct node_key *key,
		 const struct batch *batch)
{
	const char *const dirs[] = { config->data_dir, config->run_dir, NULL };
	struct loop *loop;
	enum rfs_err err;

	confine_files(dirs);
	err = loop_new(config, key, &loop);

	if (err == RFS_ERR_CORRUPT || err == RFS_ERR_VERSION)
		return EXIT_DAMAGE;
	if (err != RFS_ERR_OK) {
		log_error("cannot start: %s", err == RFS_ERR_NOMEM ?
						      rfs_err_text(err) :
						      "for the reason above");
		return EXIT_FAILURE;
	}
	for (unsigned int i = 0; i < batch->count; i++)
		loop_handout(loop, &batch->handout[i], batch->fd[i]);
	fcntl(HANDOUT_FD, F_SETFL, fcntl(HANDOUT_FD, F_GETFL) | O_NONBLOCK);
	loop_run(loop, HANDOUT_FD);
	loop_free(loop);
	log_notice("stopped");
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	static struct config config;
	struct batch batch = { 0 };
	struct node_key key;
	int status;

	(void)argv;
	log_init("raftfs-raftd", NULL);
	if (argc > 1) {
		fprintf(stderr, "usage: started by raftfs-supervisor(8)\n");
		return EXIT_USAGE;
	}
	process_harden();
	keys_init();
	if (receive_batch(&batch) != RFS_ERR_OK ||
	    load_config(&batch, &config) != RFS_ERR_OK)
		return EXIT_FAILURE;
	log_set_node(config.self);
	log_set_level(config.log_level);
	if (keys_load(config.key_file, &key) != RFS_ERR_OK)
		return EXIT_FAILURE;
	status = serve(&config, &key, &batch);
	keys_wipe(&key);
	return status;
}
