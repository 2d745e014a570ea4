/* Without a supervisor: one configuration file, one page file, no other
 * descriptors. See "Standalone" in raftfs-timesyncd(8). */
#include <stdio.h>
#include <sys/stat.h>

#include "common/os/log.h"
#include "common/os/process.h"
#include "timesyncd/daemon.h"

static void log_finding(void *ctx, const char *text)
{
	(void)ctx;
	log_error("%s", text);
}

enum rfs_err standalone_init(struct daemon *daemon, const char *config_path)
{
	const struct config_errors errors = { .line = log_finding };
	enum rfs_err err = config_load(config_path, &errors, &daemon->config);

	if (err != RFS_ERR_OK)
		return err;
	log_set_node(daemon->config.self);
	log_set_level(daemon->config.log_level);
	return RFS_ERR_OK;
}

enum rfs_err standalone_publish(struct daemon *daemon)
{
	enum rfs_err err = process_make_dir(daemon->config.run_dir);

	if (err != RFS_ERR_OK)
		return err;
	return publish_init_file(&daemon->publish, daemon->config.run_dir);
}
