/* Bytes between a socket and h2.c, through TLS. */
#include "client/grpc/guest.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/os/clock.h"
#include "common/units.h"

#define READ_BYTES  16384u
#define READS_MAX   8 /* then others have their turn */
#define OUT_BYTES   16384u
#define KEEPALIVE_S 30
/* Between announcing GOAWAY and meaning it: a round trip. */
#define GOODBYE_NS (100 * NS_PER_MS)

struct guest {
	struct list_node node;
	struct ev_loop *loop;
	const struct guest_host *host;
	struct h2_host h2_host;
	struct h2 *h2;
	SSL *ssl;
	int fd;
	ev_io io;
	ev_timer due;
	ev_prepare flush; /* an answer was made outside of on_io() */
	bool known;
	bool leaving;
	int64_t goodbye_ns; /* when GOAWAY is meant; INT64_MAX: not, or said */
	int64_t out_by_ns; /* when it has left, by force; INT64_MAX: it stays */
	int64_t active_ns;
	int64_t blocked_ns; /* since when it does not read; INT64_MAX: it does
			     */
	int blocked_on;	    /* EV_WRITE, mostly */
	size_t out_bytes;
	size_t out_sent;
	uint8_t out[OUT_BYTES];
};

/* ---- what h2.c asks of us ---- */

static int64_t now_ns(void *ctx)
{
	(void)ctx;
	return clock_raw_ns();
}

static int64_t rtt_ns(void *ctx)
{
	const struct guest *guest = ctx;
	struct tcp_info info = {0};
	socklen_t bytes = sizeof(info);

	if (getsockopt(guest->fd, IPPROTO_TCP, TCP_INFO, &info, &bytes) != 0)
		return 0;
	return (int64_t)info.tcpi_rtt * NS_PER_US;
}

static void wants_send(void *ctx)
{
	struct guest *guest = ctx;

	if (ev_is_active(&guest->flush))
		return;
	ev_prepare_start(guest->loop, &guest->flush);
	/* One that another prepare watcher starts would wait for a whole
	 * iteration. */
	ev_feed_event(guest->loop, &guest->flush, EV_PREPARE);
}

/* ---- the end ---- */

void guest_free(struct guest *guest)
{
	ev_io_stop(guest->loop, &guest->io);
	ev_timer_stop(guest->loop, &guest->due);
	ev_prepare_stop(guest->loop, &guest->flush);
	h2_free(guest->h2);
	SSL_free(guest->ssl);
	close(guest->fd);
	ERR_clear_error();
	free(guest);
}

/* The guest is gone when this returns. */
static void end(struct guest *guest, const char *why)
{
	if (guest->known)
		(void)SSL_shutdown(guest->ssl);
	guest->host->gone(guest->host->ctx, guest, why);
	guest_free(guest);
}

/* ---- waiting ---- */

static void watch(struct guest *guest, int events)
{
	if (guest->io.events == events && ev_is_active(&guest->io))
		return;
	ev_io_stop(guest->loop, &guest->io);
	ev_io_set(&guest->io, guest->fd, events);
	ev_io_start(guest->loop, &guest->io);
}

static int64_t due_ns(const struct guest *guest)
{
	int64_t earliest_ns = h2_deadline_ns(guest->h2);
	int64_t others_ns[] = {
		units_add_sat(guest->active_ns, guest->known
							? GUEST_IDLE_NS
							: GUEST_HANDSHAKE_NS),
		units_add_sat(guest->blocked_ns, GUEST_STALL_NS),
		guest->goodbye_ns,
		guest->out_by_ns,
	};

	for (size_t i = 0; i < sizeof(others_ns) / sizeof(*others_ns); i++) {
		if (others_ns[i] < earliest_ns)
			earliest_ns = others_ns[i];
	}
	return earliest_ns;
}

static void arm(struct guest *guest)
{
	int64_t left_ns = due_ns(guest) - clock_raw_ns();

	ev_now_update(guest->loop);
	guest->due.repeat = left_ns > 0 ? (double)left_ns / 1e9 + 1e-6 : 1e-6;
	ev_timer_again(guest->loop, &guest->due);
}

/* ---- sending and receiving ---- */

/* What an operation of OpenSSL that did not succeed waits for; 0: it failed. */
static int wanted(const struct guest *guest, int result)
{
	switch (SSL_get_error(guest->ssl, result)) {
	case SSL_ERROR_WANT_READ:
		return EV_READ;
	case SSL_ERROR_WANT_WRITE:
		return EV_WRITE;
	default:
		return 0;
	}
}

/* BUSY: it does not read; CLOSED. */
static enum rfs_err send_all(struct guest *guest)
{
	for (;;) {
		int sent;

		if (guest->out_sent == guest->out_bytes) {
			guest->out_sent = 0;
			guest->out_bytes = h2_send(guest->h2, guest->out,
						   sizeof(guest->out));
		}
		if (guest->out_bytes == 0)
			break;
		ERR_clear_error();
		sent = SSL_write(guest->ssl, guest->out + guest->out_sent,
				 (int)(guest->out_bytes - guest->out_sent));
		if (sent <= 0) {
			guest->blocked_on = wanted(guest, sent);
			if (guest->blocked_on == 0)
				return RFS_ERR_CLOSED;
			if (guest->blocked_ns == INT64_MAX)
				guest->blocked_ns = clock_raw_ns();
			return RFS_ERR_BUSY;
		}
		guest->out_sent += (size_t)sent;
		guest->blocked_ns = INT64_MAX;
	}
	return RFS_ERR_OK;
}

/* OK: there may be more; BUSY: not now; CLOSED. */
static enum rfs_err receive_some(struct guest *guest)
{
	uint8_t data[READ_BYTES];

	for (int i = 0; i < READS_MAX; i++) {
		int got;

		ERR_clear_error();
		got = SSL_read(guest->ssl, data, sizeof(data));
		if (got <= 0)
			return wanted(guest, got) != 0 ? RFS_ERR_BUSY
						       : RFS_ERR_CLOSED;
		guest->active_ns = clock_raw_ns();
		if (h2_receive(guest->h2, data, (size_t)got) != RFS_ERR_OK) {
			(void)send_all(guest); /* why */
			return RFS_ERR_CLOSED;
		}
		/* What it makes us say must not pile up. */
		if (send_all(guest) != RFS_ERR_OK)
			return RFS_ERR_BUSY;
	}
	return RFS_ERR_OK;
}

/* Whatever can be done now; then wait for what comes next, or end. */
static void go_on(struct guest *guest)
{
	enum rfs_err sent = send_all(guest);
	enum rfs_err got = RFS_ERR_BUSY;

	if (sent == RFS_ERR_OK)
		got = receive_some(guest);
	if (sent == RFS_ERR_CLOSED || got == RFS_ERR_CLOSED) {
		end(guest, NULL);
		return;
	}
	if (guest->blocked_ns != INT64_MAX) {
		watch(guest, guest->blocked_on);
	} else {
		if (h2_over(guest->h2)) {
			end(guest, NULL);
			return;
		}
		watch(guest, EV_READ);
		if (got == RFS_ERR_OK)
			ev_feed_event(guest->loop, &guest->io, EV_READ);
	}
	ev_prepare_stop(guest->loop, &guest->flush);
	arm(guest);
}

static bool speaks_h2(const struct guest *guest)
{
	const unsigned char *name;
	unsigned int bytes;

	SSL_get0_alpn_selected(guest->ssl, &name, &bytes);
	return bytes == 2 && memcmp(name, "h2", 2) == 0;
}

static void shake_hands(struct guest *guest)
{
	int result;
	int events;

	ERR_clear_error();
	result = SSL_accept(guest->ssl);
	if (result == 1) {
		guest->known = true;
		guest->active_ns = clock_raw_ns();
		if (speaks_h2(guest))
			go_on(guest);
		else
			end(guest, "it does not offer ALPN h2");
		return;
	}
	events = wanted(guest, result);
	if (events == 0) {
		const char *reason = ERR_reason_error_string(ERR_peek_error());

		end(guest,
		    reason != NULL ? reason : "it left during the handshake");
		return;
	}
	watch(guest, events);
}

/* ---- callbacks of libev ---- */

static void on_io(struct ev_loop *loop, ev_io *io, int events)
{
	struct guest *guest = io->data;

	(void)loop;
	(void)events;
	if (guest->known)
		go_on(guest);
	else
		shake_hands(guest);
}

static void on_flush(struct ev_loop *loop, ev_prepare *flush, int events)
{
	struct guest *guest = flush->data;

	(void)events;
	ev_prepare_stop(loop, flush);
	if (guest->known)
		go_on(guest);
}

static void on_due(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct guest *guest = timer->data;
	int64_t raw_ns = clock_raw_ns();

	(void)loop;
	(void)events;
	if (!guest->known && raw_ns - guest->active_ns >= GUEST_HANDSHAKE_NS) {
		end(guest, "it does not finish the handshake");
		return;
	}
	if (guest->blocked_ns != INT64_MAX &&
	    raw_ns - guest->blocked_ns >= GUEST_STALL_NS) {
		end(guest, "it does not read its answers");
		return;
	}
	if (raw_ns >= guest->out_by_ns) {
		end(guest, "it was told to leave, and does not");
		return;
	}
	if (raw_ns >= guest->goodbye_ns) {
		guest->goodbye_ns = INT64_MAX;
		h2_goaway(guest->h2);
	}
	h2_tick(guest->h2);
	if (guest->known && raw_ns - guest->active_ns >= GUEST_IDLE_NS) {
		guest->active_ns = raw_ns;
		guest_leave(guest);
	}
	arm(guest);
}

/* ---- life ---- */

static void set_options(int fd)
{
	const struct {
		int level, name, value;
	} options[] = {
		{IPPROTO_TCP, TCP_NODELAY, 1},
		{SOL_SOCKET, SO_KEEPALIVE, 1},
		{IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_S},
		{IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_S / 3},
		{IPPROTO_TCP, TCP_USER_TIMEOUT, 2 * KEEPALIVE_S * 1000},
	};

	/* What the kernel does not know it does without. */
	for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++)
		(void)setsockopt(fd, options[i].level, options[i].name,
				 &options[i].value, sizeof(options[i].value));
}

static void start_watchers(struct guest *guest)
{
	ev_io_init(&guest->io, on_io, guest->fd, EV_READ);
	guest->io.data = guest;
	ev_io_start(guest->loop, &guest->io);
	ev_init(&guest->due, on_due);
	guest->due.data = guest;
	ev_prepare_init(&guest->flush, on_flush);
	guest->flush.data = guest;
	arm(guest);
}

struct guest *guest_new(struct ev_loop *loop, SSL_CTX *context, int fd,
			const struct h2_service *service,
			const struct guest_host *host)
{
	struct guest *guest = calloc(1, sizeof(*guest));

	if (guest == NULL) {
		close(fd);
		return NULL;
	}
	guest->loop = loop;
	guest->host = host;
	guest->h2_host = (struct h2_host){guest, now_ns, rtt_ns, wants_send};
	guest->fd = fd;
	guest->active_ns = clock_raw_ns();
	guest->blocked_ns = INT64_MAX;
	guest->goodbye_ns = INT64_MAX;
	guest->out_by_ns = INT64_MAX;
	guest->h2 = h2_new(service, &guest->h2_host);
	guest->ssl = SSL_new(context);
	if (guest->h2 == NULL || guest->ssl == NULL ||
	    SSL_set_fd(guest->ssl, fd) != 1) {
		h2_free(guest->h2);
		SSL_free(guest->ssl);
		close(fd);
		free(guest);
		return NULL;
	}
	SSL_set_accept_state(guest->ssl);
	set_options(fd);
	start_watchers(guest);
	return guest;
}

void guest_leave(struct guest *guest)
{
	if (guest->leaving)
		return;
	guest->leaving = true;
	guest->goodbye_ns = clock_raw_ns() + GOODBYE_NS;
	guest->out_by_ns = clock_raw_ns() + GUEST_STALL_NS;
	h2_announce_goaway(guest->h2);
	arm(guest);
}

bool guest_is_known(const struct guest *guest)
{
	return guest->known;
}

int64_t guest_active_ns(const struct guest *guest)
{
	return guest->active_ns;
}

struct list_node *guest_node(struct guest *guest)
{
	return &guest->node;
}

struct guest *guest_of(struct list_node *node)
{
	return list_entry(node, struct guest, node);
}
