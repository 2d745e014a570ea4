/* Questions in, answers out, shares kept. */
#include "timesyncd/ntpserve.h"

#include <netinet/in.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/os/clock.h"
#include "common/os/log.h"
#include "timesyncd/auth.h"
#include "timesyncd/stamps.h"
#include "timesyncd/udp.h"

/* Shares by hash of the address, under a key nobody outside knows: those who
 * meet in one have it together. */
#define SHARES		 1024u
#define SHARE_CAPACITY	 16
#define SHARE_PER_SECOND 4
#define ALL_CAPACITY	 2000
#define ALL_PER_SECOND	 2000
#define DATAGRAMS_PER_WAKEUP 64

struct ntpserve {
	struct ev_loop *loop;
	struct ntpserve_host host;
	int fd;
	ev_io readable;
	struct stamps last;
	uint8_t key[crypto_shorthash_KEYBYTES];
	struct bucket shares[SHARES];
	struct bucket all;
	struct ntpserve_counters counters;
};

/* IPv6 clients own a /64: that is one of them. */
static struct bucket *share_of(struct ntpserve *serve,
			       const struct sockaddr_storage *from)
{
	uint8_t who[8] = { 0 };
	uint8_t hash[crypto_shorthash_BYTES];
	uint32_t at;

	if (from->ss_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const void *)from;

		memcpy(who, &in6->sin6_addr, sizeof(who));
	} else {
		const struct sockaddr_in *in = (const void *)from;

		memcpy(who, &in->sin_addr, sizeof(in->sin_addr));
	}
	crypto_shorthash(hash, who, sizeof(who), serve->key);
	memcpy(&at, hash, sizeof(at));
	return &serve->shares[at % SHARES];
}

static bool may_ask(struct ntpserve *serve, const struct sockaddr_storage *from)
{
	int64_t raw_ns = clock_raw_ns();

	/* The own share first: a flood from one address costs no others. */
	return bucket_take(share_of(serve, from), raw_ns) &&
	       bucket_take(&serve->all, raw_ns);
}

static void answer(struct ntpserve *serve, const struct udp_datagram *datagram,
		   const struct ntp_packet *question, int64_t receive_raw_ns)
{
	const struct ntpserve_host *host = &serve->host;
	struct ntp_identity identity;
	struct ntp_packet packet;
	uint8_t data[NTP_BYTES];

	host->identify(host->ctx, &identity);
	ntp_answer(question, host->clock(host->ctx), &identity, receive_raw_ns,
		   clock_raw_ns(), clock_wall_ns(), &packet);
	ntp_encode(&packet, data);
	if (udp_send(serve->fd, data, sizeof(data), &datagram->from,
		     datagram->from_bytes, false))
		serve->counters.answered++;
}

static void take(struct ntpserve *serve, const struct udp_datagram *datagram)
{
	struct ntp_packet question;
	struct stamps now;
	int64_t receive_raw_ns;

	stamps_read(&now);
	(void)stamps_arrival(&serve->last, &now, datagram->wall_stamp_ns,
			     &receive_raw_ns);
	serve->last = now;
	serve->counters.asked++;
	if (!may_ask(serve, &datagram->from)) {
		serve->counters.refused_rate++;
		return;
	}
	if (ntp_decode(datagram->data, datagram->bytes, &question) !=
		    RFS_ERR_OK ||
	    !ntp_is_question(&question)) {
		serve->counters.refused_other++;
		return;
	}
	answer(serve, datagram, &question, receive_raw_ns);
}

static void on_readable(struct ev_loop *loop, ev_io *io, int events)
{
	struct ntpserve *serve = io->data;

	(void)loop;
	(void)events;
	for (int i = 0; i < DATAGRAMS_PER_WAKEUP; i++) {
		struct udp_datagram datagram;

		if (udp_receive(serve->fd, &datagram) != RFS_ERR_OK)
			return;
		take(serve, &datagram);
	}
}

struct ntpserve *ntpserve_new(struct ev_loop *loop, const char *address,
			      uint16_t port, const struct ntpserve_host *host)
{
	struct ntpserve *serve = calloc(1, sizeof(*serve));
	bool kernel_stamps;

	if (serve == NULL) {
		log_error("NTP server: out of memory");
		return NULL;
	}
	serve->loop = loop;
	serve->host = *host;
	crypto_shorthash_keygen(serve->key);
	for (uint32_t i = 0; i < SHARES; i++)
		bucket_init(&serve->shares[i], SHARE_CAPACITY,
			    SHARE_PER_SECOND, clock_raw_ns());
	bucket_init(&serve->all, ALL_CAPACITY, ALL_PER_SECOND, clock_raw_ns());
	stamps_read(&serve->last);
	serve->fd = udp_open(address, port, &kernel_stamps);
	if (serve->fd < 0) {
		free(serve);
		return NULL;
	}
	ev_io_init(&serve->readable, on_readable, serve->fd, EV_READ);
	serve->readable.data = serve;
	ev_io_start(loop, &serve->readable);
	return serve;
}

void ntpserve_free(struct ntpserve *serve)
{
	if (serve == NULL)
		return;
	ev_io_stop(serve->loop, &serve->readable);
	close(serve->fd);
	free(serve);
}

const struct ntpserve_counters *ntpserve_counters(const struct ntpserve *serve)
{
	return &serve->counters;
}
