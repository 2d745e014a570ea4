/* keygen and config: what is done before there is a cluster. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/cli.h"
#include "common/os/config.h"
#include "common/os/keys.h"

int command_keygen(struct cli *cli, int argc, char **argv)
{
	struct node_key key;
	char text[KEY_TEXT_BYTES];
	int status = cli_options(cli, &argc, &argv, "", NULL, NULL);

	if (status != CLI_OK)
		return status;
	if (argc != 1)
		return cli_usage("keygen", "keygen: one file name, please");
	keys_init();
	enum rfs_err err = keys_generate(&key);

	if (err == RFS_ERR_OK)
		err = keys_save(argv[0], &key);
	if (err == RFS_ERR_OK) {
		keys_public_text(key.public_key, text);
		printf("key = \"%s\"\n", text);
	}
	keys_wipe(&key);
	return err == RFS_ERR_OK ? CLI_OK : cli_fail(argv[0], err);
}

static void print_fault(void *ctx, const char *text)
{
	(void)ctx;
	fprintf(stderr, "%s\n", text);
}

int command_config(struct cli *cli, int argc, char **argv)
{
	const struct config_errors errors = {print_fault, NULL};
	int status = cli_options(cli, &argc, &argv, "", NULL, NULL);

	if (status != CLI_OK)
		return status;
	if (argc < 1 || argc > 2 ||
	    (strcmp(argv[0], "check") != 0 && strcmp(argv[0], "show") != 0))
		return cli_usage("config", "config: check or show a file");
	const char *path = argc == 2		? argv[1]
			   : cli->where != NULL ? cli->where
						: RAFTFS_CONF;
	struct config *config = calloc(1, sizeof(*config));

	if (config == NULL)
		return cli_fail(path, RFS_ERR_NOMEM);
	enum rfs_err err = config_load(path, &errors, config);

	if (err == RFS_ERR_OK && argv[0][0] == 's')
		config_print(config, stdout);
	else if (err == RFS_ERR_OK)
		printf("%s: good: node \"%s\" of %u in cluster \"%s\"\n", path,
		       config->self, config->node_count, config->cluster_id);
	free(config);
	return err == RFS_ERR_OK ? CLI_OK : CLI_FAILED;
}
