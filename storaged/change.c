/* Requests that change something: may they, then the content's way to a
 * majority, then the command's way into the log and back. */
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/units.h"
#include "storaged/convert.h"
#include "storaged/gate.h"
#include "storaged/grants.h"
#include "storaged/request.h"
#include "storaged/submit.h"
#include "storaged/upload.h"

#define TRIES_MAX 5

static void place_content(struct request *request);

static void end_change(struct request *request)
{
	free(request->command);
	request->command = NULL;
}

static void fail(struct request *request, enum rfs_err err, const char *reason)
{
	end_change(request);
	request_fail(request, err, reason);
}

static void reply_result(struct request *request,
			 const struct store_result *result)
{
	DistributedFs__FileReply reply = DISTRIBUTED_FS__FILE_REPLY__INIT;
	DistributedFs__FileAttr attr = DISTRIBUTED_FS__FILE_ATTR__INIT;

	convert_result(result, &reply, &attr);
	if (result->op == COMMAND_OPEN_SESSION)
		reply.session_timeout_ms =
			(uint64_t)(request->s->config.storage
					   .session_timeout_ns /
				   NS_PER_MS);
	if (reply.err != RFS_ERR_OK)
		reply.reason = (char *)rfs_err_text(result->err);
	end_change(request);
	request_reply(request, &reply);
}

/* BUSY of a command with chunks: their grant had ended when the entry came. */
static void on_submitted(void *ctx, enum rfs_err err,
			 const struct store_result *result)
{
	struct request *request = ctx;

	if (err != RFS_ERR_OK) {
		fail(request, err,
		     err == RFS_ERR_NO_QUORUM
			     ? "no leader could be reached in time"
			     : NULL);
		return;
	}
	if (result->err == RFS_ERR_BUSY && request->command->piece_count > 0 &&
	    ++request->tries < TRIES_MAX) {
		grants_forget(request->s->grants);
		place_content(request);
		return;
	}
	request->s->counters.writes += result->err == RFS_ERR_OK;
	reply_result(request, result);
}

static void submit(struct request *request)
{
	submit_command(request->s->submit, request->command, on_submitted,
		       request);
}

static void on_uploaded(void *ctx, enum rfs_err err,
			const struct command_piece *pieces, uint32_t count)
{
	struct request *request = ctx;

	if (err != RFS_ERR_OK) {
		fail(request, err,
		     err == RFS_ERR_NO_QUORUM
			     ? "the data did not reach a majority of disks"
			     : NULL);
		return;
	}
	request->command->piece_count = count;
	memcpy(request->command->pieces, pieces, count * sizeof(*pieces));
	submit(request);
}

/* Small content rides in the entry, unless this disk has no room for it: then
 * a majority of disks is asked first, as for large content. */
static void place_content(struct request *request)
{
	struct storaged *s = request->s;
	struct command *command = request->command;
	const ProtobufCBinaryData *data = &request->message->data;

	command->piece_count = 0;
	if (data->len == 0) {
		submit(request);
		return;
	}
	if (data->len <= s->config.storage.inline_max_bytes &&
	    data->len <= COMMAND_INLINE_MAX_BYTES && !s->disk_full) {
		command->data.data = data->data;
		command->data.bytes = data->len;
		hash_bytes(data->data, data->len, command->sha256);
		submit(request);
		return;
	}
	upload_start(s, command->offset, data->data, data->len, on_uploaded,
		     request);
}

static void perform(struct request *request)
{
	if (convert_has_content(request->message))
		place_content(request);
	else
		submit(request);
}

static void on_fresh(void *ctx, enum rfs_err err)
{
	struct request *request = ctx;
	struct kv kv;

	if (err == RFS_ERR_OK)
		err = state_begin_read(request->s->state, &kv);
	if (err == RFS_ERR_OK) {
		err = access_change(&kv, &request->client->who,
				    request->command);
		state_end_read(request->s->state, &kv);
	}
	if (err != RFS_ERR_OK)
		fail(request, err, NULL);
	else
		perform(request);
}

static enum rfs_err make_command(struct request *request)
{
	const DistributedFs__FileRequest *asked = request->message;
	struct storaged *s = request->s;
	struct command *command = request->command;
	static char label[ACCESS_LABEL_BYTES]; /* encoded before the next */

	if (asked->op != DISTRIBUTED_FS__FILE_OP__OP_OPEN_SESSION) {
		enum rfs_err err = convert_command(asked, command);

		/* What a user who is not root writes loses set-id bits. */
		if (request->client->who.uid != 0 &&
		    (command->op == COMMAND_WRITE ||
		     (command->op == COMMAND_SETATTR &&
		      command->set_mask & COMMAND_SET_SIZE)))
			command->flags |= COMMAND_KILLPRIV;
		return err;
	}
	memset(command, 0, sizeof(*command));
	access_label(&request->client->who, label);
	command->op = COMMAND_OPEN_SESSION;
	command->node = storaged_self(s);
	command->lease_ns = s->config.storage.session_timeout_ns;
	command->name.data = (const uint8_t *)label;
	command->name.bytes = strlen(label);
	return command_check(command);
}

void change_start(struct request *request)
{
	request->command = malloc(sizeof(*request->command));
	CHECK(request->command != NULL);
	enum rfs_err err = make_command(request);
	if (err == RFS_ERR_OK && convert_has_content(request->message) &&
	    request->message->data.len > COMMAND_CHUNK_MAX_BYTES)
		err = RFS_ERR_FBIG;
	if (err != RFS_ERR_OK) {
		fail(request, err, NULL);
		return;
	}
	/* Opening a session needs no state, and root no permission. */
	if (request->client->who.uid == 0 ||
	    request->command->op == COMMAND_OPEN_SESSION)
		perform(request);
	else
		gate_pass(request->s->gate, NULL, 0, on_fresh, request);
}
