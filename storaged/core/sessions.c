/* Session records and recorded answers. */
#include "storaged/core/sessions.h"

#include <string.h>

#include "common/check.h"
#include "common/units.h"
#include "storaged/core/keys.h"
#include "storaged/core/orphans.h"

#define SESSION_HEAD_BYTES (4 + 4 * 8)
#define ANSWER_MAX_BYTES   (4 + 8 + 8 + 1 + 8 + 8 + INODE_IMAGE_BYTES)

#define ANSWER_EXISTED	1u
#define ANSWER_HAS_ATTR 2u

/* ---- session records ------------------------------------------------- */

enum rfs_err sessions_decode(struct kv *kv, uint64_t number,
			     struct bytes value, struct session *session)
{
	struct reader r;

	if (value.bytes < SESSION_HEAD_BYTES ||
	    value.bytes > SESSION_HEAD_BYTES + COMMAND_LABEL_MAX)
		return kv_corrupt(kv);
	reader_init(&r, value.data, value.bytes);
	session->session = number;
	session->node = reader_u32le(&r);
	session->lease_ns = (int64_t)reader_u64le(&r);
	session->opened_ts_ns = (int64_t)reader_u64le(&r);
	session->renewed_ts_ns = (int64_t)reader_u64le(&r);
	session->floor = reader_u64le(&r);
	session->label_bytes = (uint32_t)reader_left(&r);
	if (session->label_bytes)
		memcpy(session->label, r.at, session->label_bytes);
	return RFS_ERR_OK;
}

enum rfs_err sessions_load(struct kv *kv, uint64_t number,
			   struct session *session)
{
	struct key key;
	struct bytes value;
	enum rfs_err err;

	err = kv_get(kv, key_number(&key, KEY_SESSION, number), &value);
	if (err)
		return err == RFS_ERR_NOENT ? RFS_ERR_NO_SESSION : err;
	return sessions_decode(kv, number, value, session);
}

static void session_save(struct kv *kv, const struct session *session)
{
	uint8_t image[SESSION_HEAD_BYTES + COMMAND_LABEL_MAX];
	struct key key;
	struct writer w;

	writer_init(&w, image, sizeof(image));
	writer_u32le(&w, session->node);
	writer_u64le(&w, (uint64_t)session->lease_ns);
	writer_u64le(&w, (uint64_t)session->opened_ts_ns);
	writer_u64le(&w, (uint64_t)session->renewed_ts_ns);
	writer_u64le(&w, session->floor);
	writer_put(&w, session->label, session->label_bytes);
	kv_put(kv, key_number(&key, KEY_SESSION, session->session),
	       (struct bytes){ image, writer_bytes(&w) });
}

/* ---- answers --------------------------------------------------------- */

static enum rfs_err answer_decode(struct kv *kv, struct bytes value,
				  struct store_result *result)
{
	struct reader r;
	uint8_t bits;

	reader_init(&r, value.data, value.bytes);
	result->err = (enum rfs_err)reader_u32le(&r);
	result->raft_index = reader_u64le(&r);
	result->ts_ns = (int64_t)reader_u64le(&r);
	bits = reader_u8(&r);
	result->value = reader_u64le(&r);
	result->existed = bits & ANSWER_EXISTED;
	result->has_attr = bits & ANSWER_HAS_ATTR;
	if (result->has_attr) {
		uint64_t ino = reader_u64le(&r);

		inode_read(&r, ino, &result->attr);
	}
	if (r.bad || reader_left(&r) != 0)
		return kv_corrupt(kv);
	return RFS_ERR_OK;
}

static void answer_save(struct apply *a)
{
	const struct store_result *result = a->result;
	uint8_t image[ANSWER_MAX_BYTES];
	struct key key;
	struct writer w;

	writer_init(&w, image, sizeof(image));
	writer_u32le(&w, (uint32_t)result->err);
	writer_u64le(&w, result->raft_index);
	writer_u64le(&w, (uint64_t)result->ts_ns);
	writer_u8(&w, (uint8_t)((result->existed ? ANSWER_EXISTED : 0) |
				(result->has_attr ? ANSWER_HAS_ATTR : 0)));
	writer_u64le(&w, result->value);
	if (result->has_attr) {
		writer_u64le(&w, result->attr.ino);
		inode_write(&w, &result->attr);
	}
	CHECK(!w.bad);
	kv_put(a->kv, key_pair(&key, KEY_ANSWER, result->session, result->seq),
	       (struct bytes){ image, writer_bytes(&w) });
}

/* Forget the answers to seqs up to and including `last`. */
static void answers_forget(struct apply *a, uint64_t session, uint64_t last)
{
	struct key key;
	struct bytes found, value;
	uint64_t seq;

	while (kv_seek(a->kv, key_pair(&key, KEY_ANSWER, session, 0), &found,
		       &value) == RFS_ERR_OK &&
	       key_is_pair(found, KEY_ANSWER, session, &seq) && seq <= last)
		kv_del(a->kv, key_pair(&key, KEY_ANSWER, session, seq));
}

/* ---- around a command ------------------------------------------------ */

enum rfs_err sessions_begin(struct apply *a, struct session *session,
			    bool *answered)
{
	const struct command *command = a->command;
	uint64_t floor;
	struct key key;
	struct bytes value;
	enum rfs_err err;

	*answered = false;
	err = sessions_load(a->kv, command->session, session);
	if (err)
		return err;
	if (command->seq < session->floor)
		return RFS_ERR_STALE;
	err = kv_get(a->kv,
		     key_pair(&key, KEY_ANSWER, command->session, command->seq),
		     &value);
	if (err == RFS_ERR_OK) {
		*answered = true;
		a->result->duplicate = true;
		err = answer_decode(a->kv, value, a->result);
		return err ? err : RFS_ERR_EXIST;
	}
	if (err != RFS_ERR_NOENT)
		return err;
	floor = session->floor;
	if (command->acked_below > floor)
		floor = command->acked_below;
	if (command->seq - floor >= STORE_SESSION_WINDOW)
		return RFS_ERR_FULL;
	return RFS_ERR_OK;
}

void sessions_record(struct apply *a, struct session *session)
{
	uint64_t below = a->command->acked_below;
	bool dirty = false;

	answer_save(a);
	if (below > session->floor &&
	    below - session->floor >= SESSIONS_PRUNE) {
		answers_forget(a, session->session, below - 1);
		session->floor = below;
		dirty = true;
	}
	/* A command is a sign of life; noting it rarely is enough. */
	if (a->ts_ns >= units_add_sat(session->renewed_ts_ns,
				      session->lease_ns / 8)) {
		session->renewed_ts_ns = a->ts_ns;
		dirty = true;
	}
	if (dirty)
		session_save(a->kv, session);
}

/* ---- session commands ------------------------------------------------ */

enum rfs_err sessions_open(struct apply *a)
{
	const struct command *command = a->command;
	struct session session = {
		.session = a->index,
		.node = command->node,
		.lease_ns = command->lease_ns,
		.opened_ts_ns = a->ts_ns,
		.renewed_ts_ns = a->ts_ns,
		.label_bytes = (uint32_t)command->name.bytes,
	};

	if (session.label_bytes)
		memcpy(session.label, command->name.data, session.label_bytes);
	session_save(a->kv, &session);
	a->meta.session_count++;
	a->result->value = session.session;
	return RFS_ERR_OK;
}

enum rfs_err sessions_renew(struct apply *a)
{
	struct session session;
	enum rfs_err err =
		sessions_load(a->kv, a->command->session, &session);

	if (err)
		return err;
	session.renewed_ts_ns = a->ts_ns;
	session_save(a->kv, &session);
	return RFS_ERR_OK;
}

static void session_end(struct apply *a, uint64_t session)
{
	struct key key;

	orphans_end_session(a, session);
	answers_forget(a, session, UINT64_MAX);
	kv_del(a->kv, key_number(&key, KEY_SESSION, session));
	a->meta.session_count--;
}

enum rfs_err sessions_close(struct apply *a)
{
	struct session session;
	enum rfs_err err =
		sessions_load(a->kv, a->command->session, &session);

	if (err)
		return err;
	session_end(a, session.session);
	return RFS_ERR_OK;
}

static bool session_is_over(const struct apply *a,
			    const struct session *session)
{
	return units_add_sat(session->renewed_ts_ns, session->lease_ns) <
	       a->ts_ns;
}

/* Every session whose lease has run out; how many. */
static uint64_t sessions_sweep(struct apply *a)
{
	struct session session;
	struct key key;
	struct bytes found, value;
	uint64_t number = 0, ended = 0;

	while (kv_seek(a->kv, key_number(&key, KEY_SESSION, number), &found,
		       &value) == RFS_ERR_OK &&
	       key_is_number(found, KEY_SESSION, &number)) {
		if (sessions_decode(a->kv, number, value, &session))
			break;
		if (session_is_over(a, &session)) {
			session_end(a, number);
			ended++;
		}
		number++;
	}
	return ended;
}

enum rfs_err sessions_expire(struct apply *a)
{
	struct session session;
	enum rfs_err err;

	if (a->command->target == 0) {
		a->result->value = sessions_sweep(a);
		return RFS_ERR_OK;
	}
	err = sessions_load(a->kv, a->command->target, &session);
	if (err)
		return err;
	if (!session_is_over(a, &session))
		return RFS_ERR_BUSY;
	session_end(a, session.session);
	a->result->value = 1;
	return RFS_ERR_OK;
}
