/* NTP client and reader of the host's clock. */
#include "timesyncd/references.h"

#include <netinet/in.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timex.h>
#include <unistd.h>

#include "common/check.h"
#include "common/os/clock.h"
#include "common/os/log.h"
#include "common/units.h"
#include "proto/address.h"
#include "timesyncd/core/ntp.h"
#include "timesyncd/core/reference.h"
#include "timesyncd/stamps.h"
#include "timesyncd/udp.h"

/* After a kiss of death: the gap doubles up to this, or is this at once. */
#define GAP_MAX_NS (1024 * NS_PER_SEC)
#define DATAGRAMS_PER_WAKEUP 16

struct server {
	struct references *references;
	uint32_t id;
	const char *name;
	struct sockaddr_storage address;
	socklen_t address_bytes;
	int fd; /* -1: this is the host's clock */
	ev_io readable;
	struct stamps last;

	bool asked;
	bool has_base; /* UTC minus our raw as first heard, for small numbers */
	int64_t base_ns;
	uint64_t nonce; /* 0: none awaited */
	int64_t t1_ns;
	int64_t gap_ns, not_before_ns; /* as the server wishes */
	ev_timer timeout;
	uint8_t stratum; /* 0: never heard */
	uint32_t refid;
};

struct references {
	struct ev_loop *loop;
	struct references_host host;
	struct server servers[CONFIG_SERVERS_MAX + 1];
	uint32_t count;
};

static void add_setting(struct timesync_config *settings, uint32_t id,
			int64_t gap_ns)
{
	CHECK(settings->peer_count < TIMESYNC_PEERS_MAX);
	settings->peer_gap_ns[settings->peer_count] = gap_ns;
	settings->peers[settings->peer_count++] = id;
}

void references_settings(struct timesync_config *settings,
			 const struct config *config)
{
	uint32_t servers = config->time_sync.servers.count;

	if (config->time_sync.reference == CONFIG_REFERENCE_SYSTEM)
		add_setting(settings, REFERENCE_SYSTEM_ID,
			    REFERENCE_SYSTEM_GAP_NS);
	if (config->time_sync.reference == CONFIG_REFERENCE_NTP)
		for (uint32_t i = 1; i <= servers; i++)
			add_setting(settings, REFERENCE_SERVER_ID(i),
				    REFERENCE_SERVER_GAP_NS);
}

const char *references_name(const struct config *config, uint32_t id)
{
	uint32_t number = id - REFERENCE_SYSTEM_ID;

	if (id == REFERENCE_SYSTEM_ID)
		return "system";
	if (!reference_is_id(id) || number > config->time_sync.servers.count)
		return NULL;
	return config->time_sync.servers.list[number - 1].address;
}

/* -- answers --------------------------------------------------------------- */

static void end_exchange(struct server *server)
{
	server->asked = false;
	server->nonce = 0;
	ev_timer_stop(server->references->loop, &server->timeout);
}

static void report(struct server *server,
		   const struct timesync_exchange *exchange)
{
	struct references *references = server->references;

	end_exchange(server);
	references->host.replied(references->host.ctx, exchange);
}

static void back_off(struct server *server, int64_t gap_ns)
{
	server->gap_ns = gap_ns < GAP_MAX_NS ? gap_ns : GAP_MAX_NS;
	server->not_before_ns = clock_raw_ns() + server->gap_ns;
	log_warn("NTP server %s asks for less: nothing for %lld s",
		 server->name, (long long)(server->gap_ns / NS_PER_SEC));
}

static uint32_t refid_of(const struct sockaddr_storage *address)
{
	const struct sockaddr_in *in = (const void *)address;
	const struct sockaddr_in6 *in6 = (const void *)address;
	uint8_t hash[crypto_generichash_BYTES_MIN];
	uint32_t refid;

	if (address->ss_family == AF_INET)
		return ntohl(in->sin_addr.s_addr);
	crypto_generichash(hash, sizeof(hash), (const uint8_t *)&in6->sin6_addr,
			   sizeof(in6->sin6_addr), NULL, 0);
	memcpy(&refid, hash, sizeof(refid));
	return refid;
}

static void take(struct server *server, const struct udp_datagram *datagram)
{
	struct timesync_exchange exchange = { .peer = server->id };
	struct ntp_packet answer;
	struct stamps now;

	stamps_read(&now);
	(void)stamps_arrival(&server->last, &now, datagram->wall_stamp_ns,
			     &exchange.t4_ns);
	server->last = now;
	if (server->nonce == 0 ||
	    !udp_same_address(&datagram->from, &server->address) ||
	    ntp_decode(datagram->data, datagram->bytes, &answer) != RFS_ERR_OK)
		return;
	if (!server->has_base)
		server->base_ns = ntp_unix_ns(answer.receive, now.wall_ns) -
				  server->t1_ns;
	exchange.t1_ns = server->t1_ns;
	switch (ntp_take(&answer, server->nonce, server->base_ns, now.wall_ns,
			 &exchange)) {
	case NTP_TAKEN:
		server->has_base = true;
		server->stratum = answer.stratum;
		server->refid = refid_of(&server->address);
		report(server, &exchange);
		break;
	case NTP_TOO_OFTEN:
		back_off(server, 2 * server->gap_ns);
		break;
	case NTP_UNWELCOME:
		back_off(server, GAP_MAX_NS);
		break;
	case NTP_UNUSABLE: /* as good as no answer: wait for the timeout */
	case NTP_FOREIGN:
		break;
	}
}

static void on_readable(struct ev_loop *loop, ev_io *io, int events)
{
	struct server *server = io->data;

	(void)loop;
	(void)events;
	for (int i = 0; i < DATAGRAMS_PER_WAKEUP; i++) {
		struct udp_datagram datagram;

		if (udp_receive(server->fd, &datagram) != RFS_ERR_OK)
			return;
		take(server, &datagram);
	}
}

/* -- the host's clock ------------------------------------------------------ */

/* The kernel's clock against raw, as one exchange without a network. False:
 * whoever keeps it says that it is not synchronised. */
static bool read_system(struct server *server,
			struct timesync_exchange *exchange)
{
	struct timex kernel = { .modes = 0 };
	struct stamps now;
	int state = adjtimex(&kernel);

	stamps_read(&now);
	if (state < 0 || state == TIME_ERROR ||
	    (kernel.status & STA_UNSYNC) != 0 || kernel.maxerror < 0 ||
	    kernel.maxerror >= NS_PER_SEC / 1000)
		return false;
	if (!server->has_base)
		server->base_ns = now.wall_ns - now.raw_ns;
	server->has_base = true;
	*exchange = (struct timesync_exchange){
		.peer = server->id,
		.t1_ns = now.raw_ns,
		.t2_ns = now.wall_ns - server->base_ns,
		.t3_ns = now.wall_ns - server->base_ns,
		.t4_ns = now.raw_after_ns,
		.server_clock = {
			.quality = TIMESYNC_SYNCED,
			.epoch = REFERENCE_EPOCH,
			.asof_ns = now.wall_ns - server->base_ns,
			.offset_ns = server->base_ns,
			/* in us, and as of the kernel's last second */
			.bound_ns = (int64_t)kernel.maxerror * 1000 + 1500,
			.void_after_ns = INT64_MAX,
			.stratum = 1,
		},
		.server_boot = 1,
	};
	return true;
}

/* -- asking ---------------------------------------------------------------- */

static void ask_server(struct server *server)
{
	struct ntp_packet question;
	uint8_t data[NTP_BYTES];

	if (clock_raw_ns() < server->not_before_ns)
		return; /* kept waiting: the timeout says so */
	do
		randombytes_buf(&server->nonce, sizeof(server->nonce));
	while (server->nonce == 0);
	ntp_question(server->nonce, &question);
	ntp_encode(&question, data);
	server->t1_ns = clock_raw_ns();
	(void)udp_send(server->fd, data, sizeof(data), &server->address,
		       server->address_bytes, false);
}

/* Also how the host's clock is read: not within references_ask(). */
static void on_timeout(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct server *server = timer->data;
	struct references *references = server->references;
	struct timesync_exchange exchange;

	(void)loop;
	(void)events;
	if (server->fd < 0 && read_system(server, &exchange)) {
		report(server, &exchange);
		return;
	}
	end_exchange(server);
	references->host.timed_out(references->host.ctx, server->id);
}

static struct server *server_by_id(struct references *references, uint32_t id)
{
	for (uint32_t i = 0; i < references->count; i++)
		if (references->servers[i].id == id)
			return &references->servers[i];
	return NULL;
}

void references_ask(struct references *references, uint32_t id,
		    int64_t timeout_ns)
{
	struct server *server = server_by_id(references, id);

	CHECK(server != NULL);
	CHECK(!server->asked);
	server->asked = true;
	ev_now_update(references->loop);
	server->timeout.repeat =
		server->fd < 0 ? 1e-6 : (double)timeout_ns / 1e9;
	ev_timer_again(references->loop, &server->timeout);
	if (server->fd >= 0)
		ask_server(server);
}

bool references_rank(const struct references *references, uint32_t id,
		     uint8_t *stratum, uint32_t *refid)
{
	for (uint32_t i = 0; i < references->count; i++) {
		const struct server *server = &references->servers[i];

		if (server->id != id || server->stratum == 0)
			continue;
		*stratum = server->stratum;
		*refid = server->refid;
		return true;
	}
	return false;
}

/* -- life ------------------------------------------------------------------ */

static struct server *add(struct references *references, uint32_t id)
{
	struct server *server = &references->servers[references->count++];

	server->references = references;
	server->id = id;
	server->fd = -1;
	server->gap_ns = REFERENCE_SERVER_GAP_NS;
	stamps_read(&server->last);
	ev_init(&server->timeout, on_timeout);
	server->timeout.data = server;
	return server;
}

static enum rfs_err add_server(struct references *references, uint32_t id,
			       const char *address, uint16_t port)
{
	struct server *server = add(references, id);
	bool kernel_stamps;

	server->name = address;
	if (!address_parse(address, port, &server->address,
			   &server->address_bytes)) {
		log_error("NTP server: %s is not an address", address);
		return RFS_ERR_INVALID;
	}
	/* Any port: the kernel's choice is one thing more to guess. */
	server->fd = udp_open(server->address.ss_family == AF_INET6 ?
				      "::" :
				      "0.0.0.0",
			      0, &kernel_stamps);
	if (server->fd < 0)
		return RFS_ERR_IO;
	ev_io_init(&server->readable, on_readable, server->fd, EV_READ);
	server->readable.data = server;
	ev_io_start(references->loop, &server->readable);
	return RFS_ERR_OK;
}

struct references *references_new(struct ev_loop *loop,
				  const struct config *config,
				  const struct references_host *host)
{
	const struct config_servers *servers = &config->time_sync.servers;
	struct references *references = calloc(1, sizeof(*references));

	if (references == NULL) {
		log_error("references: out of memory");
		return NULL;
	}
	references->loop = loop;
	references->host = *host;
	if (config->time_sync.reference == CONFIG_REFERENCE_SYSTEM)
		add(references, REFERENCE_SYSTEM_ID)->name = "system";
	if (config->time_sync.reference != CONFIG_REFERENCE_NTP)
		return references;
	for (uint32_t i = 0; i < servers->count; i++) {
		if (add_server(references, REFERENCE_SERVER_ID(i + 1),
			       servers->list[i].address,
			       servers->list[i].port) == RFS_ERR_OK)
			continue;
		references_free(references);
		return NULL;
	}
	return references;
}

void references_free(struct references *references)
{
	if (references == NULL)
		return;
	for (uint32_t i = 0; i < references->count; i++) {
		struct server *server = &references->servers[i];

		ev_timer_stop(references->loop, &server->timeout);
		if (server->fd < 0)
			continue;
		ev_io_stop(references->loop, &server->readable);
		close(server->fd);
	}
	free(references);
}
