/* Handing out descriptors, from the table of order.c. */
#include "supervisor/handouts.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/os/log.h"
#include "proto/handout.h"

static void hand(struct child *child, enum handout_kind kind,
		 uint64_t generation, int fd)
{
	const struct handout handout = { .kind = kind,
					 .generation = generation };
	enum rfs_err err;

	if (child->channel_fd < 0)
		return;
	err = handout_send(child->channel_fd, &handout, fd);
	/* Its exit, or its missing heartbeat, will be seen in its own time. */
	if (err != RFS_ERR_OK)
		log_warn("%s: handout %d: %s", supervisor_names[child->which],
			 kind, rfs_err_text(err));
}

static struct page_slot *page_of(struct supervisor *supervisor,
				 enum order_thing thing)
{
	return thing == ORDER_CLOCK_PAGE ? &supervisor->clock :
					   &supervisor->cons;
}

static enum rfs_err renew_pages(struct supervisor *supervisor,
				enum order_child which)
{
	for (int thing = ORDER_CLOCK_PAGE; thing <= ORDER_CONS_PAGE; thing++) {
		if (order_renews(which, thing) &&
		    pages_renew(page_of(supervisor, thing)) != RFS_ERR_OK)
			return RFS_ERR_IO;
	}
	return RFS_ERR_OK;
}

static void hand_page(struct child *child, enum order_thing thing)
{
	static const enum handout_kind kinds[2][2] = {
		{ HANDOUT_CLOCK_READER, HANDOUT_CLOCK_WRITER },
		{ HANDOUT_CONS_READER, HANDOUT_CONS_WRITER },
	};
	const struct page_slot *slot = page_of(child->supervisor, thing);
	enum order_role role = order_role(child->which, thing);
	bool writer = role == ORDER_WRITER;

	/* No page before the first start of its writer: it comes then. */
	if (role == ORDER_NONE || slot->fd < 0)
		return;
	hand(child, kinds[thing][writer], slot->generation,
	     writer ? slot->fd : slot->reader_fd);
}

/* A new stream between raftd and storaged, when both run. */
static void hand_link(struct supervisor *supervisor)
{
	struct child *raftd = &supervisor->children[ORDER_RAFTD];
	struct child *storaged = &supervisor->children[ORDER_STORAGED];
	int ends[2];

	if (raftd->channel_fd < 0 || storaged->channel_fd < 0)
		return;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
		       ends) != 0) {
		log_errno("link of raftd and storaged");
		return;
	}
	supervisor->link_generation++;
	hand(raftd, HANDOUT_LINK, supervisor->link_generation, ends[0]);
	hand(storaged, HANDOUT_LINK, supervisor->link_generation, ends[1]);
	close(ends[0]);
	close(ends[1]);
}

/* The siblings' share; only then is the old page marked, so that whoever sees
 * the mark has the new one on its way. */
static void hand_siblings(struct supervisor *supervisor, enum order_child which,
			  enum order_thing thing)
{
	for (int i = 0; i < ORDER_CHILDREN; i++) {
		if (i != (int)which)
			hand_page(&supervisor->children[i], thing);
	}
	pages_retire(page_of(supervisor, thing));
}

void handouts_paths(struct supervisor *supervisor)
{
	if (supervisor->paths_fd >= 0)
		hand(&supervisor->children[ORDER_TIMESYNCD], HANDOUT_PATHS, 0,
		     supervisor->paths_fd);
}

enum rfs_err handouts_start(struct supervisor *supervisor,
			    enum order_child which)
{
	struct child *child = &supervisor->children[which];
	enum rfs_err err = renew_pages(supervisor, which);

	if (err != RFS_ERR_OK)
		return err;
	hand(child, HANDOUT_CONFIG, supervisor->config_generation,
	     supervisor->config_fd);
	hand_page(child, ORDER_CLOCK_PAGE);
	hand_page(child, ORDER_CONS_PAGE);
	if (which == ORDER_TIMESYNCD)
		handouts_paths(supervisor);
	if (order_renews(which, ORDER_LINK))
		hand_link(supervisor);
	hand(child, HANDOUT_START, 0, -1);
	if (order_renews(which, ORDER_CLOCK_PAGE))
		hand_siblings(supervisor, which, ORDER_CLOCK_PAGE);
	if (order_renews(which, ORDER_CONS_PAGE))
		hand_siblings(supervisor, which, ORDER_CONS_PAGE);
	return RFS_ERR_OK;
}

void handouts_config(struct supervisor *supervisor)
{
	for (int i = 0; i < ORDER_CHILDREN; i++)
		hand(&supervisor->children[i], HANDOUT_CONFIG,
		     supervisor->config_generation, supervisor->config_fd);
}

int handouts_make_config(const struct config *config)
{
	int fd = memfd_create("raftfs.conf", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int copy = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
	FILE *out = copy >= 0 ? fdopen(copy, "w") : NULL;
	bool good;

	if (out == NULL) {
		log_errno("configuration: memfd");
		if (copy >= 0)
			close(copy);
		if (fd >= 0)
			close(fd);
		return -1;
	}
	config_print(config, out);
	good = ferror(out) == 0;
	good = fclose(out) == 0 && good;
	if (!good || fcntl(fd, F_ADD_SEALS,
			   F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW |
				   F_SEAL_SEAL) != 0) {
		log_errno("configuration: seal");
		close(fd);
		return -1;
	}
	return fd;
}
