/* gRPC's use of HTTP/2, over nghttp2's memory interface.
 *
 *	HEADERS   what is asked; what can be refused already is
 *	DATA      the envelope, in pieces; END_STREAM: the method is called
 *	answer    HEADERS 200, DATA, HEADERS with grpc-status; a refusal is one
 *		  HEADERS with all of it ("trailers only")
 *
 * A call that is answered before its request has ended is reset with NO_ERROR
 * behind the answer, so that its client stops sending.
 */
#include "client/grpc/h2.h"

#include <nghttp2/nghttp2.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/grpc/envelope.h"
#include "client/grpc/fields.h"
#include "common/check.h"
#include "common/units.h"

#define REASON_MAX 256
/* Resets by the client: at once, and a second from then on. */
#define RESETS_BURST  200
#define RESETS_RATE   20
#define OUTBOUND_ACKS 100

struct h2 {
	nghttp2_session *session;
	const struct h2_service *service;
	const struct h2_host *host;
	struct list calls;
	uint32_t call_count;
	const uint8_t *rest; /* of what nghttp2 gave last, not taken yet */
	size_t rest_bytes;
	bool broken;
};

struct h2_call {
	struct list_node node; /* in h2->calls */
	struct h2 *h2;
	int32_t stream;
	int64_t deadline_ns;
	int64_t received_ns;
	bool answered;
	bool whole; /* the request has ended */

	/* The fields that count; longer ones cannot be right, and are cut. */
	char method[8];
	char path[96];
	char content_type[48];
	char timeout[16];
	char encoding[16];
	size_t fields_bytes;
	struct envelope envelope;

	struct list_node parked; /* next is NULL: it is not */
	void (*resume)(struct h2_call *call, void *ctx, const void *answer);

	uint8_t *reply; /* envelope and message */
	size_t reply_bytes;
	size_t reply_sent;
};

/* ---- a call's life ---- */

static struct h2_call *call_new(struct h2 *h2, int32_t stream)
{
	struct h2_call *call = calloc(1, sizeof(*call));

	if (call == NULL)
		return NULL;
	call->h2 = h2;
	call->stream = stream;
	call->received_ns = h2->host->raw_ns(h2->host->ctx);
	call->deadline_ns = units_add_sat(call->received_ns, H2_CALL_NS_MAX);
	envelope_init(&call->envelope);
	list_append(&h2->calls, &call->node);
	h2->call_count++;
	return call;
}

static void unpark(struct h2_call *call)
{
	if (call->parked.next != NULL)
		list_remove(&call->parked);
}

static void call_free(struct h2_call *call)
{
	unpark(call);
	list_remove(&call->node);
	call->h2->call_count--;
	free(call->reply);
	free(call);
}

static struct h2_call *call_of(struct h2 *h2, int32_t stream)
{
	return nghttp2_session_get_stream_user_data(h2->session, stream);
}

/* ---- answers ---- */

static nghttp2_nv field(const char *name, const char *value)
{
	return (nghttp2_nv){(uint8_t *)name, (uint8_t *)value, strlen(name),
			    strlen(value), NGHTTP2_NV_FLAG_NONE};
}

/* nghttp2 is out of memory: the stream, or all of it, cannot go on. */
static void check_submitted(struct h2 *h2, int result)
{
	if (result < 0)
		h2->broken = true;
	h2->host->wants_send(h2->host->ctx);
}

static void settle(struct h2_call *call)
{
	CHECK(!call->answered);
	call->answered = true;
	unpark(call);
}

/* HTTP's own refusals, for who does not speak gRPC. */
static void refuse_http(struct h2_call *call, const char *status)
{
	const nghttp2_nv fields[] = {field(":status", status)};

	settle(call);
	check_submitted(call->h2,
			nghttp2_submit_response(call->h2->session, call->stream,
						fields, 1, NULL));
}

void h2_call_refuse(struct h2_call *call, enum code code, const char *format,
		    ...)
{
	char reason[REASON_MAX];
	char encoded[3 * REASON_MAX];
	char number[12];
	va_list args;

	va_start(args, format);
	vsnprintf(reason, sizeof(reason), format, args);
	va_end(args);
	fields_percent(reason, encoded, sizeof(encoded));
	snprintf(number, sizeof(number), "%d", (int)code);

	const nghttp2_nv fields[] = {
		field(":status", "200"),
		field("content-type", "application/grpc"),
		field("grpc-status", number),
		field("grpc-message", encoded),
		field("grpc-accept-encoding", "identity"),
	};

	settle(call);
	check_submitted(call->h2,
			nghttp2_submit_response(
				call->h2->session, call->stream, fields,
				sizeof(fields) / sizeof(*fields), NULL));
}

static ssize_t read_reply(nghttp2_session *session, int32_t stream,
			  uint8_t *buffer, size_t size, uint32_t *flags,
			  nghttp2_data_source *source, void *user_data)
{
	const nghttp2_nv trailer = field("grpc-status", "0");
	struct h2_call *call = source->ptr;
	size_t bytes = call->reply_bytes - call->reply_sent;

	(void)user_data;
	if (bytes > size)
		bytes = size;
	memcpy(buffer, call->reply + call->reply_sent, bytes);
	call->reply_sent += bytes;
	if (call->reply_sent < call->reply_bytes)
		return (ssize_t)bytes;
	/* The end of the data, but not of the stream: the trailer is that. */
	*flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
	if (nghttp2_submit_trailer(session, stream, &trailer, 1) != 0)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	return (ssize_t)bytes;
}

void h2_call_reply(struct h2_call *call, const ProtobufCMessage *reply)
{
	const nghttp2_nv fields[] = {
		field(":status", "200"),
		field("content-type", "application/grpc"),
		field("grpc-accept-encoding", "identity"),
	};
	const nghttp2_data_provider provider = {
		.source.ptr = call,
		.read_callback = read_reply,
	};
	size_t body = protobuf_c_message_get_packed_size(reply);

	call->reply = malloc(ENVELOPE_HEAD_BYTES + body);
	if (call->reply == NULL) {
		h2_call_refuse(call, CODE_RESOURCE_EXHAUSTED,
			       "out of memory for the reply");
		return;
	}
	envelope_head(body, call->reply);
	protobuf_c_message_pack(reply, call->reply + ENVELOPE_HEAD_BYTES);
	call->reply_bytes = ENVELOPE_HEAD_BYTES + body;
	settle(call);
	check_submitted(call->h2,
			nghttp2_submit_response(
				call->h2->session, call->stream, fields,
				sizeof(fields) / sizeof(*fields), &provider));
}

int64_t h2_call_received_ns(const struct h2_call *call)
{
	return call->received_ns;
}

int64_t h2_call_rtt_ns(const struct h2_call *call)
{
	return call->h2->host->rtt_ns(call->h2->host->ctx);
}

void h2_call_park(struct h2_call *call, struct list *list,
		  void (*resume)(struct h2_call *call, void *ctx,
				 const void *answer))
{
	CHECK(!call->answered);
	CHECK(call->parked.next == NULL);
	call->resume = resume;
	list_append(list, &call->parked);
}

bool h2_call_resume(struct list *list, const void *answer)
{
	struct h2_call *call;

	if (list_is_empty(list))
		return false;
	call = list_entry(list->head.next, struct h2_call, parked);
	list_remove(&call->parked);
	call->resume(call, call->h2->service->ctx, answer);
	return true;
}

/* ---- requests ---- */

static const struct h2_method *find_method(const struct h2 *h2,
					   const char *path)
{
	for (size_t i = 0; i < h2->service->method_count; i++) {
		if (strcmp(h2->service->methods[i].path, path) == 0)
			return &h2->service->methods[i];
	}
	return NULL;
}

static void refuse_late(struct h2_call *call)
{
	h2_call_refuse(call, CODE_DEADLINE_EXCEEDED, "deadline exceeded");
}

static void take_timeout(struct h2_call *call)
{
	int64_t timeout_ns;
	int64_t due_ns;

	if (call->timeout[0] == '\0')
		return;
	if (fields_timeout(call->timeout, &timeout_ns) != RFS_ERR_OK) {
		h2_call_refuse(call, CODE_INVALID_ARGUMENT,
			       "grpc-timeout: \"%s\" is none", call->timeout);
		return;
	}
	due_ns = units_add_sat(call->received_ns, timeout_ns);
	if (due_ns < call->deadline_ns)
		call->deadline_ns = due_ns;
	if (timeout_ns == 0)
		refuse_late(call);
}

/* What can be said before the message is here. */
static void judge_fields(struct h2_call *call)
{
	if (call->fields_bytes > H2_FIELDS_BYTES_MAX)
		refuse_http(call, "431");
	else if (strcmp(call->method, "POST") != 0)
		refuse_http(call, "405");
	else if (!fields_is_grpc(call->content_type))
		refuse_http(call, "415");
	else if (find_method(call->h2, call->path) == NULL)
		h2_call_refuse(call, CODE_UNIMPLEMENTED, "no method %s",
			       call->path);
	else
		take_timeout(call);
}

static void refuse_envelope(struct h2_call *call, enum envelope_fault fault)
{
	bool named = call->encoding[0] != '\0' &&
		     strcmp(call->encoding, "identity") != 0;

	switch (fault) {
	case ENVELOPE_FINE:
		break;
	case ENVELOPE_TOO_LARGE:
		h2_call_refuse(call, CODE_RESOURCE_EXHAUSTED,
			       "the message is larger than %u bytes",
			       ENVELOPE_BODY_BYTES_MAX);
		break;
	case ENVELOPE_COMPRESSED:
		h2_call_refuse(call, named ? CODE_UNIMPLEMENTED : CODE_INTERNAL,
			       "the message is compressed: \"%s\" is not "
			       "understood",
			       call->encoding);
		break;
	case ENVELOPE_BAD_FLAG:
		h2_call_refuse(call, CODE_INTERNAL,
			       "the message's first byte is neither 0 nor 1");
		break;
	case ENVELOPE_SECOND:
		h2_call_refuse(call, CODE_UNIMPLEMENTED,
			       "more than one message in a unary call");
		break;
	case ENVELOPE_CUT:
		h2_call_refuse(call, CODE_INTERNAL,
			       "the stream ended before the message did");
		break;
	}
}

static void end_request(struct h2_call *call)
{
	struct h2 *h2 = call->h2;
	const uint8_t *body;
	size_t body_bytes;
	enum envelope_fault fault;

	call->whole = true;
	if (call->answered)
		return;
	call->received_ns = h2->host->raw_ns(h2->host->ctx);
	fault = envelope_end(&call->envelope, &body, &body_bytes);
	if (fault != ENVELOPE_FINE)
		refuse_envelope(call, fault);
	else if (call->received_ns >= call->deadline_ns)
		refuse_late(call);
	else
		find_method(h2, call->path)
			->handle(call, h2->service->ctx, body, body_bytes);
}

/* ---- nghttp2's callbacks ---- */

static int on_begin_headers(nghttp2_session *session,
			    const nghttp2_frame *frame, void *user_data)
{
	struct h2 *h2 = user_data;
	struct h2_call *call;

	if (frame->hd.type != NGHTTP2_HEADERS ||
	    frame->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0;
	call = call_new(h2, frame->hd.stream_id);
	if (call == NULL || nghttp2_session_set_stream_user_data(
				    session, frame->hd.stream_id, call) != 0)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	return 0;
}

static void keep(char *to, size_t size, const uint8_t *value, size_t bytes)
{
	if (bytes >= size)
		bytes = size - 1;
	memcpy(to, value, bytes);
	to[bytes] = '\0';
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame,
		     const uint8_t *name, size_t name_bytes,
		     const uint8_t *value, size_t value_bytes, uint8_t flags,
		     void *user_data)
{
	struct h2_call *call = call_of(user_data, frame->hd.stream_id);

	(void)session;
	(void)flags;
	if (call == NULL)
		return 0;
	/* As HTTP/2 counts them; twice the limit is no mistake any more. */
	call->fields_bytes += name_bytes + value_bytes + 32;
	if (call->fields_bytes > 2 * H2_FIELDS_BYTES_MAX)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	if (frame->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0;

	const struct {
		const char *name;
		char *to;
		size_t size;
	} wanted[] = {
		{":method", call->method, sizeof(call->method)},
		{":path", call->path, sizeof(call->path)},
		{"content-type", call->content_type,
		 sizeof(call->content_type)},
		{"grpc-timeout", call->timeout, sizeof(call->timeout)},
		{"grpc-encoding", call->encoding, sizeof(call->encoding)},
	};

	for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted); i++) {
		if (strlen(wanted[i].name) == name_bytes &&
		    memcmp(wanted[i].name, name, name_bytes) == 0)
			keep(wanted[i].to, wanted[i].size, value, value_bytes);
	}
	return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream,
		   const uint8_t *data, size_t bytes, void *user_data)
{
	struct h2_call *call = call_of(user_data, stream);

	(void)session;
	(void)flags;
	if (call != NULL && !call->answered)
		refuse_envelope(call,
				envelope_add(&call->envelope, data, bytes));
	return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame,
		    void *user_data)
{
	struct h2_call *call;

	(void)session;
	if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)
		return 0;
	call = call_of(user_data, frame->hd.stream_id);
	if (call == NULL)
		return 0;
	if (frame->hd.type == NGHTTP2_HEADERS &&
	    frame->headers.cat == NGHTTP2_HCAT_REQUEST)
		judge_fields(call);
	if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
		end_request(call);
	return 0;
}

static int on_sent(nghttp2_session *session, const nghttp2_frame *frame,
		   void *user_data)
{
	const struct h2_call *call;

	if (frame->hd.type != NGHTTP2_HEADERS ||
	    !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
		return 0;
	call = call_of(user_data, frame->hd.stream_id);
	if (call == NULL || call->whole)
		return 0;
	return nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE,
					 frame->hd.stream_id,
					 NGHTTP2_NO_ERROR) == 0
		       ? 0
		       : NGHTTP2_ERR_CALLBACK_FAILURE;
}

static int on_stream_close(nghttp2_session *session, int32_t stream,
			   uint32_t error, void *user_data)
{
	struct h2_call *call = call_of(user_data, stream);

	(void)session;
	(void)error;
	if (call != NULL)
		call_free(call);
	return 0;
}

/* ---- the connection ---- */

static nghttp2_session *new_session(struct h2 *h2)
{
	nghttp2_session_callbacks *callbacks = NULL;
	nghttp2_option *options = NULL;
	nghttp2_session *session = NULL;

	if (nghttp2_session_callbacks_new(&callbacks) == 0 &&
	    nghttp2_option_new(&options) == 0) {
		nghttp2_session_callbacks_set_on_begin_headers_callback(
			callbacks, on_begin_headers);
		nghttp2_session_callbacks_set_on_header_callback(callbacks,
								 on_header);
		nghttp2_session_callbacks_set_on_data_chunk_recv_callback(
			callbacks, on_data);
		nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks,
								     on_frame);
		nghttp2_session_callbacks_set_on_frame_send_callback(callbacks,
								     on_sent);
		nghttp2_session_callbacks_set_on_stream_close_callback(
			callbacks, on_stream_close);
		nghttp2_option_set_no_closed_streams(options, 1);
		nghttp2_option_set_max_outbound_ack(options, OUTBOUND_ACKS);
		nghttp2_option_set_stream_reset_rate_limit(
			options, RESETS_BURST, RESETS_RATE);
		if (nghttp2_session_server_new2(&session, callbacks, h2,
						options) != 0)
			session = NULL;
	}
	nghttp2_option_del(options);
	nghttp2_session_callbacks_del(callbacks);
	return session;
}

struct h2 *h2_new(const struct h2_service *service, const struct h2_host *host)
{
	static const nghttp2_settings_entry settings[] = {
		{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, H2_CALLS_MAX},
		{NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, H2_FIELDS_BYTES_MAX},
		{NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
	};
	struct h2 *h2 = calloc(1, sizeof(*h2));

	if (h2 == NULL)
		return NULL;
	h2->service = service;
	h2->host = host;
	list_init(&h2->calls);
	h2->session = new_session(h2);
	if (h2->session == NULL ||
	    nghttp2_submit_settings(h2->session, NGHTTP2_FLAG_NONE, settings,
				    sizeof(settings) / sizeof(*settings)) !=
		    0) {
		h2_free(h2);
		return NULL;
	}
	return h2;
}

void h2_free(struct h2 *h2)
{
	struct list_node *at, *next;

	if (h2 == NULL)
		return;
	list_for_each_safe (at, next, &h2->calls)
		call_free(list_entry(at, struct h2_call, node));
	nghttp2_session_del(h2->session);
	free(h2);
}

enum rfs_err h2_receive(struct h2 *h2, const uint8_t *data, size_t bytes)
{
	if (nghttp2_session_mem_recv(h2->session, data, bytes) !=
	    (ssize_t)bytes)
		h2->broken = true;
	return h2->broken ? RFS_ERR_CLOSED : RFS_ERR_OK;
}

size_t h2_send(struct h2 *h2, uint8_t *buffer, size_t size)
{
	size_t used = 0;

	while (used < size) {
		size_t part;

		if (h2->rest_bytes == 0) {
			ssize_t more = nghttp2_session_mem_send(h2->session,
								&h2->rest);

			if (more <= 0) {
				h2->broken = h2->broken || more < 0;
				break;
			}
			h2->rest_bytes = (size_t)more;
		}
		part = size - used < h2->rest_bytes ? size - used
						    : h2->rest_bytes;
		memcpy(buffer + used, h2->rest, part);
		h2->rest += part;
		h2->rest_bytes -= part;
		used += part;
	}
	return used;
}

int64_t h2_deadline_ns(const struct h2 *h2)
{
	int64_t earliest_ns = INT64_MAX;
	struct list_node *at;

	list_for_each (at, &h2->calls) {
		const struct h2_call *call =
			list_entry(at, struct h2_call, node);

		if (!call->answered && call->deadline_ns < earliest_ns)
			earliest_ns = call->deadline_ns;
	}
	return earliest_ns;
}

void h2_tick(struct h2 *h2)
{
	int64_t now_ns = h2->host->raw_ns(h2->host->ctx);
	struct list_node *at;

	/* Refusing frees nothing: streams close while frames go out. */
	list_for_each (at, &h2->calls) {
		struct h2_call *call = list_entry(at, struct h2_call, node);

		if (!call->answered && call->deadline_ns <= now_ns)
			refuse_late(call);
	}
}

void h2_announce_goaway(struct h2 *h2)
{
	check_submitted(h2, nghttp2_submit_shutdown_notice(h2->session));
}

void h2_goaway(struct h2 *h2)
{
	check_submitted(h2, nghttp2_submit_goaway(
				    h2->session, NGHTTP2_FLAG_NONE,
				    nghttp2_session_get_last_proc_stream_id(
					    h2->session),
				    NGHTTP2_NO_ERROR, NULL, 0));
}

uint32_t h2_calls(const struct h2 *h2)
{
	return h2->call_count;
}

bool h2_over(const struct h2 *h2)
{
	return h2->broken || (h2->rest_bytes == 0 &&
			      !nghttp2_session_want_read(h2->session) &&
			      !nghttp2_session_want_write(h2->session));
}
