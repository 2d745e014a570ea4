/* Calls in flight over one link at a time. The model is in channel.h. */
#include "client/lib/channel.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/check.h"
#include "common/os/clock.h"
#include "common/units.h"

#define BACKOFF_MIN_NS	  (2 * NS_PER_MS)
#define BACKOFF_MAX_NS	  (100 * NS_PER_MS)
#define REFUSED_ROTATE_NS NS_PER_SEC /* then ask another node */
/* With a silent node; doubled each time, so that in the end one has the time
 * to find out and say that there is no quorum. */
#define PATIENCE_MIN_NS (3 * NS_PER_SEC)
#define PATIENCE_MAX_NS (15 * NS_PER_SEC)

enum rfs_err channel_init(struct channel *channel,
			  const struct endpoints *endpoints)
{
	memset(channel, 0, sizeof(*channel));
	channel->endpoints = *endpoints;
	channel->next_id = 1;
	channel->next_seq = 1;
	channel->patience_ns = PATIENCE_MIN_NS;
	link_init(&channel->link);
	channel->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (channel->wake_fd < 0)
		return rfs_err_from_errno(errno);
	pthread_mutex_init(&channel->lock, NULL);
	pthread_cond_init(&channel->room, NULL);
	return RFS_ERR_OK;
}

void channel_fini(struct channel *channel)
{
	CHECK(channel->first == NULL);
	link_fini(&channel->link);
	close(channel->wake_fd);
	pthread_cond_destroy(&channel->room);
	pthread_mutex_destroy(&channel->lock);
}

void call_init(struct call *call, DistributedFs__FileOp op)
{
	memset(call, 0, sizeof(*call));
	distributed_fs__file_request__init(&call->request);
	call->request.op = op;
	pthread_cond_init(&call->changed, NULL);
}

void call_fini(struct call *call)
{
	if (call->reply != NULL)
		distributed_fs__file_reply__free_unpacked(call->reply, NULL);
	call->reply = NULL;
	pthread_cond_destroy(&call->changed);
}

static void wake(struct channel *channel)
{
	const uint64_t one = 1;

	(void)!write(channel->wake_fd, &one, sizeof(one));
}

/* --- the list --- */

static void list_add(struct channel *channel, struct call *call)
{
	call->next = NULL;
	call->previous = channel->last;
	if (channel->last != NULL)
		channel->last->next = call;
	else
		channel->first = call;
	channel->last = call;
	channel->call_count++;
	channel->call_bytes += call->request.data.len;
}

static void list_remove(struct channel *channel, struct call *call)
{
	if (call->previous != NULL)
		call->previous->next = call->next;
	else
		channel->first = call->next;
	if (call->next != NULL)
		call->next->previous = call->previous;
	else
		channel->last = call->previous;
	channel->call_count--;
	channel->call_bytes -= call->request.data.len;
	pthread_cond_broadcast(&channel->room);
}

/* Answers to all seqs below this one are here: the node may forget them. */
static uint64_t acked_below(const struct channel *channel, uint64_t session)
{
	uint64_t below = channel->next_seq;

	for (const struct call *c = channel->first; c != NULL; c = c->next)
		if (c->mutation && c->request.session == session &&
		    c->request.seq < below)
			below = c->request.seq;
	return below;
}

/* --- ends of a call --- */

/* Done is out of flight: an answer not yet fetched holds up nobody. */
static void finish(struct channel *channel, struct call *call, enum rfs_err err)
{
	list_remove(channel, call);
	call->state = CALL_DONE;
	call->err = err;
	pthread_cond_broadcast(&call->changed);
}

static bool is_try_again(enum rfs_err err)
{
	switch (err) {
	case RFS_ERR_BUSY:
	case RFS_ERR_FULL:
	case RFS_ERR_NOT_LEADER:
	case RFS_ERR_NO_QUORUM:
	case RFS_ERR_TIMEDOUT:
	case RFS_ERR_UNKNOWN:
	case RFS_ERR_CLOSED:
		return true;
	default:
		return false;
	}
}

static void again_later(struct call *call, enum rfs_err err, int64_t now_ns)
{
	if (err == RFS_ERR_UNKNOWN || err == RFS_ERR_CLOSED)
		call->maybe_done = true;
	call->err = err;
	call->state = CALL_WAITING;
	call->backoff_ns =
		call->backoff_ns == 0 ? BACKOFF_MIN_NS : 2 * call->backoff_ns;
	if (call->backoff_ns > BACKOFF_MAX_NS)
		call->backoff_ns = BACKOFF_MAX_NS;
	call->retry_ns = now_ns + call->backoff_ns;
}

/* The time limit has come: say what is known, no more. */
static void expire(struct channel *channel, struct call *call)
{
	const char *where = channel->endpoints.path[channel->endpoint_index];

	if (call->reason[0] == '\0' && channel->link.fd < 0)
		snprintf(call->reason, sizeof(call->reason),
			 "cannot connect to %s: %s", where,
			 strerror(channel->connect_errno));
	else if (call->reason[0] == '\0')
		snprintf(call->reason, sizeof(call->reason),
			 "no answer from %s in time", where);
	if (call->state == CALL_SENT || call->state == CALL_SENDING)
		call->maybe_done = true;
	if (call->mutation && call->maybe_done)
		finish(channel, call, RFS_ERR_UNKNOWN);
	else if (channel->link.fd < 0)
		finish(channel, call, RFS_ERR_CLOSED);
	else if (call->err == RFS_ERR_OK || call->err == RFS_ERR_UNKNOWN)
		finish(channel, call, RFS_ERR_TIMEDOUT);
	else
		finish(channel, call, call->err);
}

/* --- the link --- */

static void link_lost(struct channel *channel, int64_t now_ns)
{
	link_close(&channel->link);
	channel->sending = NULL;
	channel->refused_ns = 0;
	for (struct call *c = channel->first; c != NULL; c = c->next) {
		if (c->state != CALL_SENT && c->state != CALL_SENDING)
			continue;
		c->maybe_done = true;
		c->state = CALL_WAITING;
		c->retry_ns = now_ns;
	}
	channel->endpoint_index =
		(channel->endpoint_index + 1) % channel->endpoints.count;
	channel->connect_ns = now_ns;
	channel->connect_backoff_ns = 0;
	/* Closing does not wake a thread that polls the descriptor. */
	if (channel->pumping)
		wake(channel);
}

static void overdue(struct channel *channel, int64_t now_ns)
{
	bool broken = false;
	struct call *next;

	for (struct call *c = channel->first; c != NULL; c = next) {
		next = c->next;
		if (now_ns < c->deadline_ns)
			continue;
		broken |= c->state == CALL_SENDING;
		expire(channel, c);
	}
	/* Its bytes may go away with it: the frame cannot be finished. */
	if (broken)
		link_lost(channel, now_ns);
}

static enum rfs_err try_connect(struct channel *channel, int64_t now_ns)
{
	enum rfs_err err =
		link_connect(&channel->link,
			     channel->endpoints.path[channel->endpoint_index]);

	if (err == RFS_ERR_OK) {
		channel->connect_backoff_ns = 0;
		channel->heard_ns = now_ns;
		channel->refused_ns = 0;
		return err;
	}
	channel->connect_errno = errno;
	return err;
}

/* Each endpoint once, then a pause that doubles. */
static enum rfs_err connect_any(struct channel *channel, int64_t now_ns)
{
	for (size_t i = 0; i < channel->endpoints.count; i++) {
		if (try_connect(channel, now_ns) == RFS_ERR_OK)
			return RFS_ERR_OK;
		channel->endpoint_index = (channel->endpoint_index + 1) %
					  channel->endpoints.count;
	}
	channel->connect_backoff_ns = channel->connect_backoff_ns == 0
					      ? BACKOFF_MIN_NS
					      : 2 * channel->connect_backoff_ns;
	if (channel->connect_backoff_ns > BACKOFF_MAX_NS)
		channel->connect_backoff_ns = BACKOFF_MAX_NS;
	channel->connect_ns = now_ns + channel->connect_backoff_ns;
	return RFS_ERR_CLOSED;
}

enum rfs_err channel_connect(struct channel *channel)
{
	enum rfs_err err = RFS_ERR_OK;

	pthread_mutex_lock(&channel->lock);
	if (channel->link.fd < 0)
		err = connect_any(channel, clock_raw_ns());
	pthread_mutex_unlock(&channel->lock);
	return err;
}

/* --- sending --- */

static enum rfs_err go_on_sending(struct channel *channel)
{
	enum rfs_err err = link_send(&channel->link, channel->parts, 2,
				     &channel->sent_bytes);

	if (err != RFS_ERR_OK)
		return err;
	channel->sending->state = CALL_SENT;
	pthread_cond_broadcast(&channel->sending->changed);
	channel->sending = NULL;
	return RFS_ERR_OK;
}

/* Send every call that is due, as far as the socket takes them. */
static void send_due(struct channel *channel, int64_t now_ns)
{
	enum rfs_err err = RFS_ERR_OK;

	if (channel->link.fd < 0)
		return;
	if (channel->sending != NULL)
		err = go_on_sending(channel);
	for (struct call *c = channel->first; c != NULL && err == RFS_ERR_OK;
	     c = c->next) {
		if (c->state != CALL_WAITING || c->retry_ns > now_ns)
			continue;
		c->request.acked_below =
			acked_below(channel, c->request.session);
		wire_encode(&c->request, channel->head, channel->parts);
		channel->sent_bytes = 0;
		channel->sending = c;
		c->state = CALL_SENDING;
		err = go_on_sending(channel);
	}
	if (err == RFS_ERR_CLOSED)
		link_lost(channel, now_ns);
}

/* --- receiving --- */

static struct call *find_call(struct channel *channel, uint64_t id)
{
	for (struct call *c = channel->first; c != NULL; c = c->next)
		if (c->request.id == id && c->state == CALL_SENT)
			return c;
	return NULL;
}

static void keep_reason(struct call *call)
{
	if (call->reply->reason != NULL && call->reply->reason[0] != '\0')
		snprintf(call->reason, sizeof(call->reason), "%s",
			 call->reply->reason);
}

static void answered(struct channel *channel, struct call *call, int64_t now_ns)
{
	enum rfs_err err = (enum rfs_err)call->reply->err;

	if (err != RFS_ERR_OK)
		keep_reason(call);
	if (!is_try_again(err)) {
		channel->refused_ns = 0;
		if (err == RFS_ERR_NO_SESSION &&
		    call->request.session == channel->session)
			channel->session = 0;
		finish(channel, call, err);
		return;
	}
	distributed_fs__file_reply__free_unpacked(call->reply, NULL);
	call->reply = NULL;
	if (channel->refused_ns == 0)
		channel->refused_ns = now_ns;
	again_later(call, err, now_ns);
}

/* false: what came is not our protocol. A late answer to a call that has
 * ended is nobody's. */
static bool take_frame(struct channel *channel, uint16_t type, uint8_t *body,
		       size_t bytes, int64_t now_ns)
{
	if (type != FRAME_FILES_REPLY)
		return false;

	struct call *call = find_call(channel, wire_reply_id(body, bytes));

	if (call == NULL)
		return true;
	call->reply = wire_decode(body, bytes, call->sink);
	if (call->reply == NULL)
		return false;
	answered(channel, call, now_ns);
	return true;
}

static void receive(struct channel *channel, int64_t now_ns)
{
	if (channel->link.fd < 0)
		return;
	enum rfs_err err = link_receive(&channel->link);

	if (err == RFS_ERR_OK) {
		channel->heard_ns = now_ns;
		channel->patience_ns = PATIENCE_MIN_NS;
	}
	while (err == RFS_ERR_OK) {
		uint16_t type;
		uint8_t *body;
		size_t bytes;

		err = link_frame(&channel->link, &type, &body, &bytes);
		if (err == RFS_ERR_OK &&
		    !take_frame(channel, type, body, bytes, now_ns))
			err = RFS_ERR_INVALID;
	}
	if (err != RFS_ERR_BUSY)
		link_lost(channel, now_ns);
}

static bool is_owed(const struct channel *channel)
{
	for (const struct call *c = channel->first; c != NULL; c = c->next)
		if (c->state == CALL_SENT)
			return true;
	return false;
}

/* With other nodes to ask, do not stay with one that only refuses or has
 * fallen silent. */
static void rotate_if_useless(struct channel *channel, int64_t now_ns)
{
	if (channel->endpoints.count < 2 || channel->link.fd < 0)
		return;
	if (channel->refused_ns != 0 &&
	    now_ns - channel->refused_ns > REFUSED_ROTATE_NS) {
		link_lost(channel, now_ns);
	} else if (is_owed(channel) &&
		   now_ns - channel->heard_ns > channel->patience_ns) {
		channel->patience_ns *= 2;
		if (channel->patience_ns > PATIENCE_MAX_NS)
			channel->patience_ns = PATIENCE_MAX_NS;
		link_lost(channel, now_ns);
	}
}

/* --- the pump --- */

/* When there is something to do though nothing arrives. */
static int64_t next_due_ns(const struct channel *channel, int64_t until_ns)
{
	bool down = channel->link.fd < 0;
	int64_t due_ns = until_ns;

	for (const struct call *c = channel->first; c != NULL; c = c->next) {
		if (c->deadline_ns < due_ns)
			due_ns = c->deadline_ns;
		if (c->state == CALL_WAITING && !down &&
		    channel->sending == NULL && c->retry_ns < due_ns)
			due_ns = c->retry_ns;
	}
	if (down && channel->connect_ns < due_ns)
		due_ns = channel->connect_ns;
	return due_ns;
}

/* One turn: bring things forward, then wait for the world, at most until
 * until_ns. The lock is given up while waiting. */
static void pump(struct channel *channel, int64_t until_ns)
{
	int64_t now_ns = clock_raw_ns();

	CHECK(!channel->pumping);
	channel->pumping = true;
	rotate_if_useless(channel, now_ns);
	if (channel->link.fd < 0 && now_ns >= channel->connect_ns)
		(void)connect_any(channel, now_ns);
	send_due(channel, now_ns);

	int64_t due_ns = next_due_ns(channel, until_ns);
	int64_t poll_ns = channel->endpoints.count > 1 ? NS_PER_SEC : INT64_MAX;
	int fd = channel->link.fd;
	bool writable = channel->sending != NULL;

	if (due_ns - now_ns < poll_ns)
		poll_ns = due_ns - now_ns;
	pthread_mutex_unlock(&channel->lock);
	link_wait(fd, writable, channel->wake_fd, poll_ns);
	pthread_mutex_lock(&channel->lock);

	now_ns = clock_raw_ns();
	receive(channel, now_ns);
	overdue(channel, now_ns);
	channel->pumping = false;
}

/* Whoever stops pumping while others wait gives the role to one of them. */
static void pass_on(struct channel *channel)
{
	if (channel->pumping)
		return;
	for (struct call *c = channel->first; c != NULL; c = c->next) {
		if (c->awaited) {
			pthread_cond_broadcast(&c->changed);
			return;
		}
	}
	pthread_cond_broadcast(&channel->room);
}

static void pump_or_sleep(struct channel *channel, struct call *call)
{
	if (!channel->pumping) {
		pump(channel, call->deadline_ns);
		return;
	}
	call->awaited = true;
	pthread_cond_wait(&call->changed, &channel->lock);
	call->awaited = false;
}

static bool has_room(const struct channel *channel, const struct call *call)
{
	return channel->call_count < CHANNEL_CALLS_MAX &&
	       (channel->call_bytes == 0 ||
		channel->call_bytes + call->request.data.len <=
			CHANNEL_BYTES_MAX);
}

static enum rfs_err wait_for_room(struct channel *channel, struct call *call)
{
	while (!has_room(channel, call)) {
		if (clock_raw_ns() >= call->deadline_ns)
			return RFS_ERR_TIMEDOUT;
		if (!channel->pumping)
			pump(channel, call->deadline_ns);
		else
			pthread_cond_wait(&channel->room, &channel->lock);
	}
	return RFS_ERR_OK;
}

static void put_in_flight(struct channel *channel, struct call *call)
{
	int64_t now_ns = clock_raw_ns();

	/* A silence counts from the first unanswered request. */
	if (!is_owed(channel))
		channel->heard_ns = now_ns;
	call->state = CALL_WAITING;
	call->err = RFS_ERR_OK;
	call->retry_ns = now_ns;
	call->backoff_ns = 0;
	call->request.id = channel->next_id++;
	if (call->request.session == 0)
		call->request.session = channel->session;
	if (call->mutation)
		call->request.seq = channel->next_seq++;
	list_add(channel, call);
	if (channel->sending == NULL)
		send_due(channel, now_ns);
	if (channel->pumping && call->state != CALL_SENT)
		wake(channel);
}

enum rfs_err channel_submit(struct channel *channel, struct call *call)
{
	pthread_mutex_lock(&channel->lock);
	enum rfs_err err = wait_for_room(channel, call);

	if (err == RFS_ERR_OK && call->mutation && channel->session == 0)
		err = RFS_ERR_NO_SESSION;
	if (err == RFS_ERR_OK)
		put_in_flight(channel, call);
	pass_on(channel);
	pthread_mutex_unlock(&channel->lock);
	return err;
}

void channel_flush(struct channel *channel, struct call *call)
{
	pthread_mutex_lock(&channel->lock);
	while (call->state == CALL_WAITING || call->state == CALL_SENDING)
		pump_or_sleep(channel, call);
	pass_on(channel);
	pthread_mutex_unlock(&channel->lock);
}

enum rfs_err channel_wait(struct channel *channel, struct call *call)
{
	pthread_mutex_lock(&channel->lock);
	while (call->state != CALL_DONE)
		pump_or_sleep(channel, call);
	pass_on(channel);
	pthread_mutex_unlock(&channel->lock);
	return call->err;
}

void channel_prefer(struct channel *channel, size_t endpoint_index)
{
	pthread_mutex_lock(&channel->lock);
	if (channel->first == NULL &&
	    endpoint_index < channel->endpoints.count &&
	    endpoint_index != channel->endpoint_index) {
		if (channel->link.fd >= 0)
			link_lost(channel, clock_raw_ns());
		channel->endpoint_index = endpoint_index;
	}
	pthread_mutex_unlock(&channel->lock);
}

void channel_turn(struct channel *channel, int64_t timeout_ns)
{
	pthread_mutex_lock(&channel->lock);
	if (!channel->pumping)
		pump(channel, clock_raw_ns() + timeout_ns);
	pass_on(channel);
	pthread_mutex_unlock(&channel->lock);
}
