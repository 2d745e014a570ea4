/* One handler per kind; descriptors are closed once they are mapped or read. */
#include "storaged/handouts.h"

#include <unistd.h>

#include "common/os/log.h"
#include "proto/handout.h"

static void log_finding(void *ctx, const char *text)
{
	(void)ctx;
	log_error("%s", text);
}

static enum rfs_err take_config(struct handouts *handouts, struct storaged *s,
				int fd)
{
	const struct config_errors errors = { .line = log_finding };
	struct config config;
	enum rfs_err err = config_load_fd(fd, "raftfs.conf", &errors, &config);

	if (err != RFS_ERR_OK)
		return err;
	const char *blocker =
		handouts->ready ? config_reload_blocker(&s->config, &config)
				: NULL;
	if (blocker) {
		log_warn("%s changed: takes effect at the next start", blocker);
		return RFS_ERR_OK;
	}
	s->config = config;
	log_set_node(s->config.self);
	log_set_level(s->config.log_level);
	if (handouts->ready)
		log_notice("configuration reloaded");
	handouts->ready = true;
	return RFS_ERR_OK;
}

static void replace_page(const void **page, const void *fresh)
{
	page_unmap(*page);
	*page = fresh;
}

static enum rfs_err take_page(int fd, uint32_t magic, uint32_t version,
			      const void **page)
{
	const void *map;
	enum rfs_err err = page_map_reader(fd, magic, version, &map);

	if (err == RFS_ERR_OK)
		replace_page(page, map);
	return err;
}

static void take_link(struct handouts *handouts, int fd)
{
	if (handouts->link_fd >= 0)
		close(handouts->link_fd);
	handouts->link_fd = fd;
}

enum rfs_err handouts_take(struct handouts *handouts, struct storaged *s)
{
	struct handout handout;
	int fd = -1;
	enum rfs_err err = handout_receive(handouts->channel_fd, &handout, &fd);

	if (err != RFS_ERR_OK)
		return err;
	switch ((enum handout_kind)handout.kind) {
	case HANDOUT_CONFIG:
		err = take_config(handouts, s, fd);
		break;
	case HANDOUT_CLOCK_READER:
		err = take_page(fd, CLOCKPAGE_MAGIC, CLOCKPAGE_VERSION,
				(const void **)&s->clock);
		break;
	case HANDOUT_CONS_READER:
		err = take_page(fd, CONSPAGE_MAGIC, CONSPAGE_VERSION,
				(const void **)&s->cons);
		break;
	case HANDOUT_LINK:
		take_link(handouts, fd);
		return RFS_ERR_OK;
	case HANDOUT_START:
		handouts->started = true;
		break;
	default:
		log_warn("handout of kind %u is not for us", handout.kind);
	}
	if (fd >= 0)
		close(fd);
	return err;
}
