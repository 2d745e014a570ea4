/* Where the nodes of this host listen. */
#include "client/lib/endpoints.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/lib/raftfs.h"
#include "proto/sockets.h"

struct sentence {
	char *text;
	size_t bytes;
};

static void say(const struct sentence *to, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void say(const struct sentence *to, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(to->text, to->bytes, format, args);
	va_end(args);
}

/* The first fault is the sentence; a person mends them one by one. */
static void first_fault(void *ctx, const char *text)
{
	struct sentence *to = ctx;

	if (to->text[0] == '\0')
		say(to, "%s", text);
}

static enum rfs_err add(struct endpoints *endpoints, const char *path,
			size_t bytes, const struct sentence *reason)
{
	if (endpoints->count == CONFIG_NODES_MAX) {
		say(reason, "more than %d sockets", CONFIG_NODES_MAX);
		return RFS_ERR_INVALID;
	}
	if (bytes >= ENDPOINTS_PATH_MAX) {
		say(reason, "socket path is longer than %d bytes: %.*s",
		    ENDPOINTS_PATH_MAX - 1, (int)bytes, path);
		return RFS_ERR_RANGE;
	}
	char *slot = endpoints->path[endpoints->count++];

	memcpy(slot, path, bytes);
	slot[bytes] = '\0';
	return RFS_ERR_OK;
}

static enum rfs_err add_config(struct endpoints *endpoints,
			       const struct config *config,
			       const struct sentence *reason)
{
	char path[CONFIG_PATH_MAX + sizeof(SOCKETS_FILES) + 1];
	int bytes = snprintf(path, sizeof(path), "%s/%s", config->run_dir,
			     SOCKETS_FILES);

	return add(endpoints, path, (size_t)bytes, reason);
}

size_t endpoints_cluster_configs(const char *dir,
				 const struct config_errors *errors,
				 struct config *configs)
{
	size_t count = 0;

	for (int n = 1; n <= CONFIG_NODES_MAX; n++) {
		char path[CONFIG_PATH_MAX + 32];

		snprintf(path, sizeof(path), "%s/n%d/raftfs.conf", dir, n);
		if (access(path, F_OK) != 0)
			continue;
		if (config_load(path, errors, &configs[count]) == RFS_ERR_OK)
			count++;
	}
	return count;
}

static enum rfs_err from_dir(const char *dir, struct endpoints *endpoints,
			     const struct sentence *reason)
{
	const struct config_errors errors = {first_fault, (void *)reason};
	struct config *configs = calloc(CONFIG_NODES_MAX, sizeof(*configs));

	if (configs == NULL)
		return RFS_ERR_NOMEM;
	size_t count = endpoints_cluster_configs(dir, &errors, configs);
	enum rfs_err err = RFS_ERR_OK;

	for (size_t i = 0; i < count && err == RFS_ERR_OK; i++)
		err = add_config(endpoints, &configs[i], reason);
	free(configs);
	if (err != RFS_ERR_OK || endpoints->count > 0)
		return err;

	/* Perhaps the run directory of one node. */
	char path[CONFIG_PATH_MAX + sizeof(SOCKETS_FILES) + 1];
	int bytes = snprintf(path, sizeof(path), "%s/%s", dir, SOCKETS_FILES);

	if (access(path, F_OK) == 0)
		return add(endpoints, path, (size_t)bytes, reason);
	if (reason->text[0] != '\0')
		return RFS_ERR_INVALID;
	say(reason, "%s holds neither n1/raftfs.conf nor %s", dir,
	    SOCKETS_FILES);
	return RFS_ERR_NOENT;
}

static enum rfs_err from_config(const char *path, struct endpoints *endpoints,
				const struct sentence *reason)
{
	const struct config_errors errors = {first_fault, (void *)reason};
	struct config *config = calloc(1, sizeof(*config));

	if (config == NULL)
		return RFS_ERR_NOMEM;
	enum rfs_err err = config_load(path, &errors, config);

	if (err == RFS_ERR_OK)
		err = add_config(endpoints, config, reason);
	free(config);
	return err;
}

static enum rfs_err from_list(const char *list, struct endpoints *endpoints,
			      const struct sentence *reason)
{
	for (const char *at = list;;) {
		size_t bytes = strcspn(at, ",");

		if (bytes == 0) {
			say(reason, "an empty name in \"%s\"", list);
			return RFS_ERR_INVALID;
		}
		enum rfs_err err = add(endpoints, at, bytes, reason);

		if (err != RFS_ERR_OK)
			return err;
		if (at[bytes] == '\0')
			return RFS_ERR_OK;
		at += bytes + 1;
	}
}

enum rfs_err endpoints_find(const char *where, struct endpoints *endpoints,
			    char *reason, size_t reason_bytes)
{
	const struct sentence sentence = {reason, reason_bytes};
	struct stat st;

	reason[0] = '\0';
	endpoints->count = 0;
	if (where == NULL)
		where = getenv("RAFTFS_SOCKET");
	if (where == NULL)
		where = RAFTFS_CONF;
	if (strchr(where, ',') != NULL)
		return from_list(where, endpoints, &sentence);
	if (stat(where, &st) != 0) {
		/* A socket that is not there yet may come back; a missing file
		 * without that ending is a mistake. */
		size_t bytes = strlen(where);

		if (bytes > 5 && strcmp(where + bytes - 5, ".sock") == 0)
			return from_list(where, endpoints, &sentence);
		say(&sentence, "%s: no socket, configuration or cluster there",
		    where);
		return RFS_ERR_NOENT;
	}
	if (S_ISDIR(st.st_mode))
		return from_dir(where, endpoints, &sentence);
	if (S_ISSOCK(st.st_mode))
		return from_list(where, endpoints, &sentence);
	return from_config(where, endpoints, &sentence);
}
