/* Sessions: opened late, renewed in time, replaced when lost. */
#include "client/lib/session.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "client/lib/control.h"
#include "common/os/clock.h"
#include "common/units.h"

#define LIFE_DEFAULT_NS (10 * NS_PER_SEC) /* a node that does not say */
#define LIFE_MIN_NS	NS_PER_SEC
#define RENEW_LIMIT_NS	(2 * NS_PER_SEC) /* raftfs_close() may wait for it */
#define CLOSE_LIMIT_NS	NS_PER_SEC
#define LEADER_LOOK_NS	(5 * NS_PER_SEC)
#define KEEPER_TURN_NS	(500 * NS_PER_MS)

static _Thread_local char last_reason[CHANNEL_REASON_MAX];

void session_set_reason(const char *reason)
{
	snprintf(last_reason, sizeof(last_reason), "%s", reason);
}

const char *raftfs_reason(void)
{
	return last_reason;
}

int64_t session_deadline_ns(const struct raftfs *fs)
{
	return units_add_sat(clock_raw_ns(), fs->timeout_ns);
}

static uint64_t current_session(struct raftfs *fs)
{
	pthread_mutex_lock(&fs->channel.lock);
	uint64_t session = fs->channel.session;

	pthread_mutex_unlock(&fs->channel.lock);
	return session;
}

/* A call outside any session's count: opening, renewing, closing, reading. */
static enum rfs_err run_plain(struct raftfs *fs, struct call *call)
{
	enum rfs_err err = channel_submit(&fs->channel, call);

	if (err != RFS_ERR_OK)
		return err;
	return channel_wait(&fs->channel, call);
}

static void renew(struct raftfs *fs)
{
	struct call call;

	call_init(&call, DISTRIBUTED_FS__FILE_OP__OP_RENEW_SESSION);
	call.request.session = current_session(fs);
	call.deadline_ns = units_add_sat(clock_raw_ns(), RENEW_LIMIT_NS);
	if (call.request.session != 0)
		(void)!run_plain(fs, &call);
	call_fini(&call);
}

void session_prefer_leader(struct raftfs *fs)
{
	const struct endpoints *endpoints = &fs->channel.endpoints;

	if (endpoints->count > 1)
		channel_prefer(&fs->channel, control_leader(endpoints));
}

static int64_t life_ns(struct raftfs *fs)
{
	pthread_mutex_lock(&fs->opening);
	int64_t life = fs->life_ns;

	pthread_mutex_unlock(&fs->opening);
	return life;
}

static void *keeper(void *arg)
{
	struct raftfs *fs = arg;
	struct pollfd stop = {.fd = fs->stop_fd, .events = POLLIN};
	int64_t renewed_ns = clock_raw_ns();
	int64_t looked_ns = renewed_ns;

	for (;;) {
		int64_t turn_ns = life_ns(fs) / 3;

		if (turn_ns > KEEPER_TURN_NS)
			turn_ns = KEEPER_TURN_NS;
		if (poll(&stop, 1, (int)(turn_ns / NS_PER_MS)) > 0)
			return NULL;
		int64_t now_ns = clock_raw_ns();

		if (now_ns - looked_ns >= LEADER_LOOK_NS) {
			session_prefer_leader(fs);
			looked_ns = now_ns;
		}
		if (now_ns - renewed_ns >= life_ns(fs) / 3) {
			renew(fs);
			renewed_ns = now_ns;
		} else {
			channel_turn(&fs->channel, 0);
		}
	}
}

static void adopt_session(struct raftfs *fs,
			  const DistributedFs__FileReply *reply)
{
	fs->life_ns = LIFE_DEFAULT_NS;
	if (reply->session_timeout_ms > 0)
		fs->life_ns = (int64_t)reply->session_timeout_ms * NS_PER_MS;
	if (fs->life_ns < LIFE_MIN_NS)
		fs->life_ns = LIFE_MIN_NS;
	pthread_mutex_lock(&fs->channel.lock);
	fs->channel.session = reply->session;
	fs->channel.next_seq = 1;
	pthread_mutex_unlock(&fs->channel.lock);
	if (!fs->keeper_started)
		fs->keeper_started =
			pthread_create(&fs->keeper, NULL, keeper, fs) == 0;
}

/* Opening twice is harmless: the first session expires unused. */
static enum rfs_err ensure_session(struct raftfs *fs, struct call *wanting)
{
	struct call call;
	enum rfs_err err = RFS_ERR_OK;

	pthread_mutex_lock(&fs->opening);
	if (current_session(fs) != 0)
		goto out;
	call_init(&call, DISTRIBUTED_FS__FILE_OP__OP_OPEN_SESSION);
	call.request.uid = wanting->request.uid;
	call.request.gid = wanting->request.gid;
	call.deadline_ns = wanting->deadline_ns;
	err = run_plain(fs, &call);
	if (err == RFS_ERR_OK)
		adopt_session(fs, call.reply);
	else
		memcpy(wanting->reason, call.reason, sizeof(call.reason));
	call_fini(&call);
out:
	pthread_mutex_unlock(&fs->opening);
	return err;
}

static enum rfs_err submit(struct raftfs *fs, struct call *call)
{
	for (;;) {
		enum rfs_err err = RFS_ERR_OK;

		if (call->mutation && current_session(fs) == 0)
			err = ensure_session(fs, call);
		if (err != RFS_ERR_OK)
			return err;
		err = channel_submit(&fs->channel, call);
		/* Lost between the two lines above. */
		if (err != RFS_ERR_NO_SESSION)
			return err;
	}
}

/* A sync point asks for nothing but what is new. */
static bool may_be_stale(const struct call *call)
{
	return !call->mutation &&
	       call->request.op != DISTRIBUTED_FS__FILE_OP__OP_SYNC_POINT;
}

enum rfs_err session_begin(struct raftfs *fs, struct call *call)
{
	call->deadline_ns = session_deadline_ns(fs);
	if (may_be_stale(call))
		call->request.stale_ms = fs->stale_ms;
	enum rfs_err err = submit(fs, call);

	if (err != RFS_ERR_OK) {
		call->err = err;
		session_set_reason(call->reason);
	}
	return err;
}

/* The session had expired before this request got anywhere. */
static bool may_start_over(const struct call *call)
{
	return call->err == RFS_ERR_NO_SESSION && call->mutation &&
	       !call->maybe_done && clock_raw_ns() < call->deadline_ns;
}

static void start_over(struct call *call)
{
	distributed_fs__file_reply__free_unpacked(call->reply, NULL);
	call->reply = NULL;
	call->request.session = 0;
	call->request.seq = 0;
}

enum rfs_err session_end(struct raftfs *fs, struct call *call)
{
	enum rfs_err err = channel_wait(&fs->channel, call);

	while (may_start_over(call)) {
		start_over(call);
		err = submit(fs, call);
		if (err != RFS_ERR_OK) {
			call->err = err;
			break;
		}
		err = channel_wait(&fs->channel, call);
	}
	if (err == RFS_ERR_NO_SESSION && call->mutation && call->maybe_done)
		err = RFS_ERR_UNKNOWN;
	if (err != RFS_ERR_OK)
		session_set_reason(call->reason);
	return err;
}

enum rfs_err session_run(struct raftfs *fs, struct call *call)
{
	enum rfs_err err = session_begin(fs, call);

	if (err != RFS_ERR_OK)
		return err;
	return session_end(fs, call);
}

void session_close(struct raftfs *fs)
{
	const uint64_t one = 1;
	struct call call;

	if (fs->keeper_started) {
		(void)!write(fs->stop_fd, &one, sizeof(one));
		pthread_join(fs->keeper, NULL);
	}
	if (current_session(fs) == 0)
		return;
	call_init(&call, DISTRIBUTED_FS__FILE_OP__OP_CLOSE_SESSION);
	call.request.session = current_session(fs);
	call.deadline_ns = units_add_sat(clock_raw_ns(), CLOSE_LIMIT_NS);
	(void)!run_plain(fs, &call);
	call_fini(&call);
}
