/* raftfs-bpf: load the probes of one node, pin them, exit.
 *
 * A program of its own so that no daemon keeps the right to load BPF. The
 * supervisor starts it; by hand it does the same.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/loader.h"
#include "common/os/log.h"

static void print_error(void *ctx, const char *text)
{
	(void)ctx;
	fprintf(stderr, "%s\n", text);
}

static int usage(void)
{
	fprintf(stderr, "usage: raftfs-bpf -c CONFIG -g CGROUP   load and pin\n"
			"       raftfs-bpf -g CGROUP -u             unload\n");
	return 2;
}

int main(int argc, char **argv)
{
	static struct config config;
	const struct config_errors errors = { print_error, NULL };
	const char *path = NULL, *cgroup = NULL;
	bool unload = false;
	int option;

	while ((option = getopt(argc, argv, "c:g:uh")) != -1) {
		if (option == 'c')
			path = optarg;
		else if (option == 'g')
			cgroup = optarg;
		else if (option == 'u')
			unload = true;
		else
			return usage();
	}
	if (!cgroup || optind != argc || unload == (path != NULL))
		return usage();
	log_init("raftfs-bpf", NULL);
	if (unload) {
		loader_down(cgroup);
		return 0;
	}
	if (config_load(path, &errors, &config) != RFS_ERR_OK)
		return 1;
	log_set_node(config.self);
	return loader_up(&config, cgroup) == RFS_ERR_OK ? 0 : 1;
}
