/* One socket, all peers: HELLO, WELCOME, REQUEST, REPLY. */
#include "timesyncd/peers.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/check.h"
#include "common/os/log.h"
#include "timesyncd/link.h"

/* A peer that does not know our boot id yet is asking for it right now. */
#define RETRY_S 0.005
/* Of one wake-up: then let the timers have their turn. */
#define DATAGRAMS_PER_WAKEUP 64

static void on_readable(struct ev_loop *loop, ev_io *io, int events)
{
	struct peers *peers = io->data;

	uint64_t before = peers->counters.packets_in;

	(void)loop;
	(void)events;
	departures_take(peers);
	for (int i = 0; i < DATAGRAMS_PER_WAKEUP; i++) {
		struct udp_datagram datagram;

		if (udp_receive(peers->fd, &datagram) != RFS_ERR_OK)
			break;
		receiving_arrival(peers, &datagram);
	}
	/* Woken for nothing: it was the error queue, whatever our count. */
	if (peers->counters.packets_in == before && peers->departures_due == 0)
		peers->departures_due = 1;
}

/* -- asking -------------------------------------------------------------- */

static void on_timeout(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct peer_link *link = timer->data;
	struct peers *peers = link->peers;

	(void)loop;
	(void)events;
	receiving_end(link);
	peers->host.timed_out(peers->host.ctx, link->id);
}

static void on_retry(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct peer_link *link = timer->data;

	(void)events;
	ev_timer_stop(loop, timer);
	if (link->asked)
		sending_request(link);
}

void peers_ask(struct peers *peers, uint32_t peer, int64_t timeout_ns)
{
	struct peer_link *link = link_by_id(peers, peer);

	CHECK(link != NULL);
	CHECK(!link->asked);
	link->asked = true;
	ev_now_update(peers->loop);
	link->timeout.repeat = (double)timeout_ns / 1e9;
	ev_timer_again(peers->loop, &link->timeout);
	if (link->boot_known)
		sending_request(link);
	else
		sending_hello(link);
}

/* -- life ---------------------------------------------------------------- */

/* The link that was there before, as the new one says; NULL: there was none. */
static struct peer_link *reuse(struct peers *peers, const struct peer_link *as)
{
	for (uint32_t i = 0; i < peers->count; i++) {
		struct peer_link *link = peers->links[i];

		if (link->id != as->id)
			continue;
		link_readdress(link, as);
		peers->links[i] = peers->links[--peers->count];
		return link;
	}
	return NULL;
}

static void watch_link(struct peer_link *link)
{
	ev_set_cb(&link->timeout, on_timeout);
	ev_set_cb(&link->retry, on_retry);
	link->retry.repeat = RETRY_S;
}

enum rfs_err peers_configure(struct peers *peers, const struct config *config,
			     const struct node_key *key)
{
	struct peer_link *links[CONFIG_NODES_MAX] = { NULL };
	uint32_t count = 0;

	for (uint32_t i = 0; i < config->node_count; i++) {
		enum rfs_err err;

		if (config->nodes[i].id == peers->self)
			continue;
		err = link_new(peers, config, &config->nodes[i], key,
			       &links[count]);
		if (err != RFS_ERR_OK) {
			while (count > 0)
				link_free(links[--count]);
			return err;
		}
		watch_link(links[count]);
		count++;
	}
	for (uint32_t i = 0; i < count; i++) {
		struct peer_link *known = reuse(peers, links[i]);

		if (known == NULL)
			continue;
		link_free(links[i]);
		links[i] = known;
	}
	while (peers->count > 0)
		link_free(peers->links[--peers->count]);
	memcpy(peers->links, links, count * sizeof(links[0]));
	peers->count = count;
	return RFS_ERR_OK;
}

struct peers *peers_new(struct ev_loop *loop, const struct config *config,
			const struct node_key *key,
			const struct peers_host *host)
{
	const struct config_node *self = config_self(config);
	struct peers *peers = calloc(1, sizeof(*peers));

	if (peers == NULL) {
		log_error("peers: out of memory");
		return NULL;
	}
	peers->loop = loop;
	peers->host = *host;
	peers->self = self->id;
	randombytes_buf(peers->boot, sizeof(peers->boot));
	stamps_read(&peers->last);
	peers->fd = udp_open(self->address, self->time_port,
			     &peers->kernel_stamps);
	if (peers->fd < 0 ||
	    peers_configure(peers, config, key) != RFS_ERR_OK) {
		peers_free(peers);
		return NULL;
	}
	ev_io_init(&peers->readable, on_readable, peers->fd, EV_READ);
	peers->readable.data = peers;
	ev_io_start(loop, &peers->readable);
	return peers;
}

void peers_free(struct peers *peers)
{
	if (peers == NULL)
		return;
	while (peers->count > 0)
		link_free(peers->links[--peers->count]);
	if (ev_is_active(&peers->readable))
		ev_io_stop(peers->loop, &peers->readable);
	if (peers->fd >= 0)
		close(peers->fd);
	free(peers);
}

const struct peers_counters *peers_counters(const struct peers *peers)
{
	return &peers->counters;
}

bool peers_kernel_stamps(const struct peers *peers)
{
	return peers->kernel_stamps;
}
