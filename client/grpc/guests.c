/* The list of guests, its cap, and the listening socket. */
#include "client/grpc/guests.h"

#include <stdlib.h>
#include <unistd.h>

#include "client/grpc/guest.h"
#include "common/os/log.h"
#include "proto/conn.h"

struct guests {
	struct ev_loop *loop;
	const struct h2_service *service;
	struct guest_host host;
	SSL_CTX *context;
	struct listener *door;
	struct list all;
	struct guests_counters counters;
	ev_timer empty; /* fires when all have left */
	void (*gone)(void *ctx);
	void *gone_ctx;
};

static void forget(struct guests *guests, struct guest *guest)
{
	list_remove(guest_node(guest));
	guests->counters.present--;
	if (guests->gone != NULL && guests->counters.present == 0)
		ev_timer_start(guests->loop, &guests->empty);
}

static void on_gone(void *ctx, struct guest *guest, const char *why)
{
	struct guests *guests = ctx;

	if (!guest_is_known(guest))
		guests->counters.refused++;
	/* Anybody can make us say this: not by default. */
	if (why != NULL)
		log_info("a client was shown out: %s", why);
	forget(guests, guest);
}

static void on_empty(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct guests *guests = timer->data;

	(void)loop;
	(void)events;
	guests->gone(guests->gone_ctx);
}

/* Strangers before guests, and of these the one silent the longest. */
static struct guest *least_missed(const struct guests *guests)
{
	struct guest *least = NULL;
	struct list_node *at;

	list_for_each (at, &guests->all) {
		struct guest *guest = guest_of(at);

		if (least == NULL ||
		    guest_is_known(guest) < guest_is_known(least) ||
		    (guest_is_known(guest) == guest_is_known(least) &&
		     guest_active_ns(guest) < guest_active_ns(least)))
			least = guest;
	}
	return least;
}

static void make_room(struct guests *guests)
{
	struct guest *guest = least_missed(guests);

	guests->counters.evicted++;
	forget(guests, guest);
	guest_free(guest);
}

static void on_accepted(void *ctx, int fd)
{
	struct guests *guests = ctx;
	struct guest *guest;

	if (guests->counters.present == GUESTS_MAX)
		make_room(guests);
	guest = guest_new(guests->loop, guests->context, fd, guests->service,
			  &guests->host);
	if (guest == NULL) {
		log_warn("out of memory for another client");
		return;
	}
	list_append(&guests->all, guest_node(guest));
	guests->counters.present++;
	guests->counters.came++;
}

struct guests *guests_new(struct ev_loop *loop,
			  const struct h2_service *service)
{
	struct guests *guests = calloc(1, sizeof(*guests));

	if (guests == NULL)
		return NULL;
	guests->loop = loop;
	guests->service = service;
	guests->host = (struct guest_host){guests, on_gone};
	list_init(&guests->all);
	ev_timer_init(&guests->empty, on_empty, 0., 0.);
	guests->empty.data = guests;
	return guests;
}

void guests_free(struct guests *guests)
{
	struct list_node *at, *next;

	if (guests == NULL)
		return;
	listener_free(guests->door);
	list_for_each_safe (at, next, &guests->all)
		guest_free(guest_of(at));
	ev_timer_stop(guests->loop, &guests->empty);
	SSL_CTX_free(guests->context);
	free(guests);
}

void guests_set_context(struct guests *guests, SSL_CTX *context)
{
	SSL_CTX_up_ref(context);
	SSL_CTX_free(guests->context);
	guests->context = context;
}

enum rfs_err guests_listen(struct guests *guests, const char *address,
			   uint16_t port)
{
	struct listener *door =
		listener_tcp(guests->loop, address, port, on_accepted, guests);

	if (door == NULL)
		return RFS_ERR_IO;
	listener_free(guests->door);
	guests->door = door;
	return RFS_ERR_OK;
}

void guests_leave(struct guests *guests, void (*gone)(void *ctx), void *ctx)
{
	struct list_node *at, *next;

	listener_free(guests->door);
	guests->door = NULL;
	guests->gone = gone;
	guests->gone_ctx = ctx;
	list_for_each_safe (at, next, &guests->all) {
		struct guest *guest = guest_of(at);

		if (guest_is_known(guest)) {
			guest_leave(guest);
			continue;
		}
		forget(guests, guest);
		guest_free(guest);
	}
	if (guests->counters.present == 0)
		ev_timer_start(guests->loop, &guests->empty);
}

struct guests_counters guests_counters(const struct guests *guests)
{
	return guests->counters;
}
