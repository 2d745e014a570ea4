/* Death notices: checked by size, node, signature and cluster, in that order.
 *
 * A signature costs far more than a datagram, so only so many a second are
 * looked at; more would not be an honest supervisor.
 */
#include "raftd/obituary.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/os/clock.h"
#include "common/os/log.h"
#include "common/units.h"
#include "proto/address.h"
#include "proto/death.h"

#define CHECKS_A_SECOND 200

struct obituary {
	struct ev_loop *ev;
	const struct config *config;
	const struct roster *roster;
	obituary_read *read;
	void *ctx;
	ev_io io;
	int64_t second_began_ns;
	unsigned int checks;
};

static bool may_check(struct obituary *obituary)
{
	int64_t now_ns = clock_raw_ns();

	if (now_ns - obituary->second_began_ns > NS_PER_SEC) {
		obituary->second_began_ns = now_ns;
		obituary->checks = 0;
	}
	return obituary->checks++ < CHECKS_A_SECOND;
}

static void take(struct obituary *obituary, const uint8_t *image, size_t bytes)
{
	const struct config *config = obituary->config;
	const struct config_node *node;
	struct death death;
	uint32_t id;

	if (death_peek(image, bytes, &id) != RFS_ERR_OK)
		return;
	node = roster_find(obituary->roster, id);
	if (node == NULL || !may_check(obituary) ||
	    death_decode(image, bytes, node->key, &death) != RFS_ERR_OK ||
	    memcmp(death.digest, config->digest, sizeof(death.digest)) != 0)
		return;
	obituary->read(obituary->ctx, death.node, death.incarnation,
		       death.term_led);
}

static void on_readable(struct ev_loop *ev, ev_io *io, int revents)
{
	struct obituary *obituary = io->data;
	uint8_t image[DEATH_BYTES + 1];

	(void)ev;
	(void)revents;
	/* A few at a time; libev calls again. */
	for (unsigned int i = 0; i < 16; i++) {
		ssize_t n = recv(io->fd, image, sizeof(image), 0);

		if (n < 0)
			return;
		take(obituary, image, (size_t)n);
	}
}

struct obituary *obituary_new(struct ev_loop *ev, const struct config *config,
			      const struct roster *roster, obituary_read *read,
			      void *ctx)
{
	const struct config_node *self = config_self(config);
	struct obituary *obituary = calloc(1, sizeof(*obituary));
	struct sockaddr_storage where;
	socklen_t bytes;
	int fd;

	if (obituary == NULL)
		return NULL;
	if (!address_parse(self->address, self->raft_port, &where, &bytes)) {
		log_error("peers: bad address %s", self->address);
		free(obituary);
		return NULL;
	}
	fd = socket(where.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
		    0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&where, bytes) != 0) {
		log_errno("peers: UDP port %u of %s", self->raft_port,
			  self->address);
		if (fd >= 0)
			close(fd);
		free(obituary);
		return NULL;
	}
	obituary->ev = ev;
	obituary->config = config;
	obituary->roster = roster;
	obituary->read = read;
	obituary->ctx = ctx;
	ev_io_init(&obituary->io, on_readable, fd, EV_READ);
	obituary->io.data = obituary;
	ev_io_start(ev, &obituary->io);
	return obituary;
}

void obituary_free(struct obituary *obituary)
{
	if (obituary == NULL)
		return;
	ev_io_stop(obituary->ev, &obituary->io);
	close(obituary->io.fd);
	free(obituary);
}
