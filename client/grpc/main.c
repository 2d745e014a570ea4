/* raftfs-grpc: cluster time and the state of consensus for ordinary gRPC
 * clients. Started by raftfs-supervisor(8), or by hand beside a node. */
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/grpc/credentials.h"
#include "client/grpc/face.h"
#include "common/os/keys.h"
#include "common/os/log.h"
#include "common/os/process.h"
#include "proto/handout.h"

#define EXIT_USAGE 2

static const char usage[] =
	"usage: raftfs-grpc\n"
	"       raftfs-grpc --config FILE\n"
	"       raftfs-grpc --config FILE --certificate\n"
	"Tells cluster time and the state of consensus to gRPC clients. In "
	"the\n"
	"first form raftfs-supervisor(8) starts it, in the second it runs by "
	"hand\n"
	"beside a node; the third prints what clients may trust, and exits.\n"
	"See raftfs-grpc(8).\n";

struct options {
	const char *config;
	bool certificate;
};

/* False: wrong usage, or help was asked for (*code 0). */
static bool parse(int argc, char **argv, struct options *options, int *code)
{
	static const struct option longs[] = {
		{"config", required_argument, NULL, 'c'},
		{"certificate", no_argument, NULL, 'p'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int letter;

	*code = EXIT_USAGE;
	while ((letter = getopt_long(argc, argv, "c:h", longs, NULL)) >= 0) {
		switch (letter) {
		case 'c':
			options->config = optarg;
			break;
		case 'p':
			options->certificate = true;
			break;
		case 'h':
			*code = EXIT_SUCCESS;
			return false;
		default:
			return false;
		}
	}
	return optind == argc &&
	       (!options->certificate || options->config != NULL);
}

static bool has_channel(void)
{
	struct stat status;

	return fstat(HANDOUT_FD, &status) == 0 && S_ISSOCK(status.st_mode);
}

/* Plain lines, as a compiler's: editors jump to them. */
static void print_error(void *ctx, const char *text)
{
	(void)ctx;
	fprintf(stderr, "%s\n", text);
}

/* A relative path would mean the same file at SIGHUP, but not in messages. */
static enum rfs_err load_file(const char *path, struct config *config)
{
	const struct config_errors errors = {print_error, NULL};
	char absolute[4096];

	if (realpath(path, absolute) == NULL)
		snprintf(absolute, sizeof(absolute), "%s", path);
	return config_load(absolute, &errors, config);
}

/* Blocking, until HANDOUT_START: there is nothing else to do before. */
static enum rfs_err take_first_batch(struct config *config)
{
	bool configured = false;
	bool is_config, is_start = false;

	while (!is_start) {
		enum rfs_err err = face_take_handout(HANDOUT_FD, config,
						     &is_config, &is_start);

		if (err != RFS_ERR_OK)
			return err;
		configured |= is_config;
	}
	if (!configured) {
		log_error("the supervisor handed over no configuration");
		return RFS_ERR_INVALID;
	}
	fcntl(HANDOUT_FD, F_SETFD, FD_CLOEXEC);
	fcntl(HANDOUT_FD, F_SETFL, O_NONBLOCK);
	return RFS_ERR_OK;
}

/* As who will serve it, so that he can read what is made on this occasion. */
static int print_certificate(const struct config *config)
{
	if (geteuid() == 0 &&
	    process_become(config->supervisor.user) != RFS_ERR_OK)
		return EXIT_FAILURE;
	return credentials_print(config) == RFS_ERR_OK ? EXIT_SUCCESS
						       : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	static struct config config;
	struct options options = {0};
	enum rfs_err err;
	int code;

	log_init("raftfs-grpc", NULL);
	if (!parse(argc, argv, &options, &code) ||
	    (options.config == NULL && !has_channel())) {
		fputs(usage, code == EXIT_SUCCESS ? stdout : stderr);
		return code;
	}
	process_harden();
	keys_init();
	err = options.config != NULL ? load_file(options.config, &config)
				     : take_first_batch(&config);
	if (err != RFS_ERR_OK)
		return EXIT_FAILURE;
	log_set_node(config.self);
	log_set_level(config.log_level);
	if (options.certificate)
		return print_certificate(&config);
	if (config.grpc.port == 0) {
		log_error("grpc.port: not set: there is nothing to serve");
		return EXIT_FAILURE;
	}
	return face_run(&config, options.config != NULL ? -1 : HANDOUT_FD);
}
