/* A whole conversation in memory: nghttp2's client against our server, with a
 * clock that the test moves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/grpc/envelope.h"
#include "client/grpc/h2.h"
#include "proto/health.pb-c.h"

#define ECHO	"/test.Echo/Now"
#define LATER	"/test.Echo/Later"
#define STREAMS 512

/* What the client has seen of one of its streams. */
struct seen {
	bool closed;
	uint32_t error;
	char status[8];
	char grpc_status[8];
	char message[256];
	char accepts[32];
	uint8_t data[256];
	size_t data_bytes;
};

struct scene {
	struct h2 *h2;
	struct h2_service service;
	struct h2_host host;
	nghttp2_session *client;
	struct list parked;
	int64_t now_ns;
	int handled;
	struct seen seen[STREAMS];
	int goaways;
	int32_t goaway_last;

	/* The request to come. */
	const uint8_t *body;
	size_t body_bytes;
	bool body_open; /* it never ends */
};

/* ---- the server's side ---- */

static int64_t test_now(void *ctx)
{
	return ((struct scene *)ctx)->now_ns;
}

static int64_t test_rtt(void *ctx)
{
	(void)ctx;
	return 42;
}

static void test_wants_send(void *ctx)
{
	(void)ctx;
}

static void answer(struct h2_call *call, const char *text)
{
	Grpc__Health__V1__HealthCheckRequest reply =
		GRPC__HEALTH__V1__HEALTH_CHECK_REQUEST__INIT;

	reply.service = (char *)text;
	h2_call_reply(call, &reply.base);
}

static void handle_now(struct h2_call *call, void *ctx, const uint8_t *request,
		       size_t bytes)
{
	struct scene *scene = ctx;

	(void)request;
	scene->handled++;
	assert_int_equal(h2_call_rtt_ns(call), 42);
	if (bytes == 3)
		h2_call_refuse(call, CODE_UNAVAILABLE, "100%% \n no");
	else
		answer(call, "now");
}

static void resume_later(struct h2_call *call, void *ctx, const void *text)
{
	(void)ctx;
	answer(call, text);
}

static void handle_later(struct h2_call *call, void *ctx,
			 const uint8_t *request, size_t bytes)
{
	struct scene *scene = ctx;

	(void)request;
	(void)bytes;
	scene->handled++;
	h2_call_park(call, &scene->parked, resume_later);
}

static const struct h2_method methods[] = {
	{ECHO, handle_now},
	{LATER, handle_later},
};

/* ---- the client's side ---- */

static void keep_field(struct seen *seen, const char *name, const char *value)
{
	const struct {
		const char *name;
		char *to;
		size_t size;
	} wanted[] = {
		{":status", seen->status, sizeof(seen->status)},
		{"grpc-status", seen->grpc_status, sizeof(seen->grpc_status)},
		{"grpc-message", seen->message, sizeof(seen->message)},
		{"grpc-accept-encoding", seen->accepts, sizeof(seen->accepts)},
	};

	for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted); i++) {
		if (strcmp(wanted[i].name, name) == 0)
			snprintf(wanted[i].to, wanted[i].size, "%s", value);
	}
}

static int on_field(nghttp2_session *session, const nghttp2_frame *frame,
		    const uint8_t *name, size_t name_bytes,
		    const uint8_t *value, size_t value_bytes, uint8_t flags,
		    void *ctx)
{
	struct scene *scene = ctx;

	(void)session;
	(void)name_bytes;
	(void)value_bytes;
	(void)flags;
	keep_field(&scene->seen[frame->hd.stream_id], (const char *)name,
		   (const char *)value);
	return 0;
}

static int on_bytes(nghttp2_session *session, uint8_t flags, int32_t stream,
		    const uint8_t *data, size_t bytes, void *ctx)
{
	struct seen *seen = &((struct scene *)ctx)->seen[stream];

	(void)session;
	(void)flags;
	assert_true(seen->data_bytes + bytes <= sizeof(seen->data));
	memcpy(seen->data + seen->data_bytes, data, bytes);
	seen->data_bytes += bytes;
	return 0;
}

static int on_close(nghttp2_session *session, int32_t stream, uint32_t error,
		    void *ctx)
{
	struct seen *seen = &((struct scene *)ctx)->seen[stream];

	(void)session;
	seen->closed = true;
	seen->error = error;
	return 0;
}

static int on_any(nghttp2_session *session, const nghttp2_frame *frame,
		  void *ctx)
{
	struct scene *scene = ctx;

	(void)session;
	if (frame->hd.type != NGHTTP2_GOAWAY)
		return 0;
	scene->goaways++;
	scene->goaway_last = frame->goaway.last_stream_id;
	return 0;
}

static ssize_t read_body(nghttp2_session *session, int32_t stream,
			 uint8_t *buffer, size_t size, uint32_t *flags,
			 nghttp2_data_source *source, void *ctx)
{
	struct scene *scene = ctx;
	size_t bytes = scene->body_bytes < size ? scene->body_bytes : size;

	(void)session;
	(void)stream;
	(void)source;
	if (bytes == 0 && scene->body_open)
		return NGHTTP2_ERR_DEFERRED;
	memcpy(buffer, scene->body, bytes);
	scene->body += bytes;
	scene->body_bytes -= bytes;
	if (scene->body_bytes == 0 && !scene->body_open)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)bytes;
}

/* ---- the wire between them ---- */

/* Until neither has anything to say. */
static void converse(struct scene *scene)
{
	uint8_t buffer[512];
	bool more = true;

	while (more) {
		const uint8_t *data;
		ssize_t bytes = nghttp2_session_mem_send(scene->client, &data);
		size_t got;

		more = bytes > 0;
		if (bytes > 0)
			assert_int_equal(
				h2_receive(scene->h2, data, (size_t)bytes),
				RFS_ERR_OK);
		got = h2_send(scene->h2, buffer, sizeof(buffer));
		more |= got > 0;
		if (got > 0)
			assert_int_equal(nghttp2_session_mem_recv(scene->client,
								  buffer, got),
					 got);
	}
}

struct request {
	const char *path;
	const char *method;
	const char *content_type;
	const char *timeout;
	const char *encoding;
};

static nghttp2_nv field(const char *name, const char *value)
{
	return (nghttp2_nv){(uint8_t *)name, (uint8_t *)value, strlen(name),
			    strlen(value), NGHTTP2_NV_FLAG_NONE};
}

/* Returns the stream; everything is said that can be. */
static int32_t ask(struct scene *scene, const struct request *request,
		   const char *body, size_t body_bytes)
{
	const nghttp2_data_provider provider = {.read_callback = read_body};
	nghttp2_nv fields[8];
	size_t count = 0;
	int32_t stream;

	fields[count++] = field(
		":method", request->method != NULL ? request->method : "POST");
	fields[count++] = field(":scheme", "https");
	fields[count++] = field(":path", request->path);
	fields[count++] = field(":authority", "n1");
	fields[count++] = field("content-type", request->content_type != NULL
							? request->content_type
							: "application/grpc");
	if (request->timeout != NULL)
		fields[count++] = field("grpc-timeout", request->timeout);
	if (request->encoding != NULL)
		fields[count++] = field("grpc-encoding", request->encoding);
	scene->body = (const uint8_t *)body;
	scene->body_bytes = body_bytes;
	stream = nghttp2_submit_request(scene->client, NULL, fields, count,
					&provider, NULL);
	assert_in_range(stream, 1, STREAMS - 1);
	converse(scene);
	return stream;
}

#define EMPTY "\0\0\0\0\0", 5

static const struct request echo = {.path = ECHO};
static const struct request later = {.path = LATER};

static int set_up(void **state)
{
	struct scene *scene = calloc(1, sizeof(*scene));
	nghttp2_session_callbacks *callbacks;

	scene->now_ns = 1000;
	scene->service = (struct h2_service){methods, 2, scene};
	scene->host =
		(struct h2_host){scene, test_now, test_rtt, test_wants_send};
	list_init(&scene->parked);
	scene->h2 = h2_new(&scene->service, &scene->host);
	assert_non_null(scene->h2);
	nghttp2_session_callbacks_new(&callbacks);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_field);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks,
								  on_bytes);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks,
							       on_close);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_any);
	nghttp2_session_client_new(&scene->client, callbacks, scene);
	nghttp2_session_callbacks_del(callbacks);
	nghttp2_submit_settings(scene->client, NGHTTP2_FLAG_NONE, NULL, 0);
	converse(scene);
	*state = scene;
	return 0;
}

static int tear_down(void **state)
{
	struct scene *scene = *state;

	nghttp2_session_del(scene->client);
	h2_free(scene->h2);
	/* Whoever was parked has left the list by himself. */
	assert_true(list_is_empty(&scene->parked));
	free(scene);
	return 0;
}

static void assert_refused(struct scene *scene, int32_t stream,
			   const char *grpc_status)
{
	const struct seen *seen = &scene->seen[stream];

	assert_string_equal(seen->status, "200");
	assert_string_equal(seen->grpc_status, grpc_status);
	assert_int_equal(seen->data_bytes, 0);
	assert_true(seen->closed);
	assert_int_equal(seen->error, NGHTTP2_NO_ERROR);
	assert_int_equal(h2_calls(scene->h2), 0);
}

/* ---- what must hold ---- */

static void a_call_is_answered_with_data_and_a_trailer(void **state)
{
	struct scene *scene = *state;
	int32_t stream = ask(scene, &echo, EMPTY);
	const struct seen *seen = &scene->seen[stream];

	assert_string_equal(seen->status, "200");
	assert_string_equal(seen->grpc_status, "0");
	assert_int_equal(seen->data_bytes, 5 + 2 + 3);
	assert_memory_equal(seen->data, "\0\0\0\0\5\n\3now", 10);
	assert_true(seen->closed);
	assert_int_equal(seen->error, NGHTTP2_NO_ERROR);
	assert_int_equal(h2_calls(scene->h2), 0);
}

static void a_reason_is_percent_encoded(void **state)
{
	struct scene *scene = *state;
	int32_t stream = ask(scene, &echo, "\0\0\0\0\3abc", 8);

	assert_refused(scene, stream, "14");
	assert_string_equal(scene->seen[stream].message, "100%25 %0A no");
}

static void an_unknown_method_is_unimplemented(void **state)
{
	struct scene *scene = *state;
	const struct request request = {.path = "/test.Echo/None"};

	assert_refused(scene, ask(scene, &request, EMPTY), "12");
	assert_int_equal(scene->handled, 0);
}

static void it_is_refused_while_its_client_still_talks(void **state)
{
	struct scene *scene = *state;
	const struct request request = {.path = "/test.Echo/None"};

	scene->body_open = true;
	assert_refused(scene, ask(scene, &request, EMPTY), "12");
}

static void other_content_gets_415_and_other_methods_405(void **state)
{
	struct scene *scene = *state;
	const struct request json = {.path = ECHO,
				     .content_type = "application/json"};
	const struct request put = {.path = ECHO, .method = "PUT"};

	assert_string_equal(scene->seen[ask(scene, &json, EMPTY)].status,
			    "415");
	assert_string_equal(scene->seen[ask(scene, &put, EMPTY)].status, "405");
	assert_int_equal(scene->handled, 0);
	assert_int_equal(h2_calls(scene->h2), 0);
}

static void too_large_a_message_is_refused_by_its_length(void **state)
{
	struct scene *scene = *state;

	scene->body_open = true;
	assert_refused(scene, ask(scene, &echo, "\0\0\0\x10\0", 5), "8");
	assert_int_equal(scene->handled, 0);
}

static void a_megabyte_of_it_harms_nobody(void **state)
{
	static char large[1 << 20] = "\0\0\x10\0\0";
	struct scene *scene = *state;

	assert_refused(scene, ask(scene, &echo, large, sizeof(large)), "8");
	assert_string_equal(scene->seen[ask(scene, &echo, EMPTY)].grpc_status,
			    "0");
}

static void compression_is_not_understood_and_says_so(void **state)
{
	struct scene *scene = *state;
	const struct request gzip = {.path = ECHO, .encoding = "gzip"};
	int32_t stream = ask(scene, &gzip, "\1\0\0\0\1a", 6);

	assert_refused(scene, stream, "12");
	assert_string_equal(scene->seen[stream].accepts, "identity");
	/* A flag without a name for it is a mistake. */
	assert_refused(scene, ask(scene, &echo, "\1\0\0\0\1a", 6), "13");
	/* And a name without the flag none. */
	assert_string_equal(scene->seen[ask(scene, &gzip, EMPTY)].grpc_status,
			    "0");
}

static void a_unary_call_has_one_message(void **state)
{
	struct scene *scene = *state;

	assert_refused(scene, ask(scene, &echo, "\0\0\0\0\0\0\0\0\0\0", 10),
		       "12");
	assert_refused(scene, ask(scene, &echo, "\0\0\0", 3), "13");
	assert_refused(scene, ask(scene, &echo, "", 0), "13");
	assert_int_equal(scene->handled, 0);
}

static void a_parked_call_is_answered_later(void **state)
{
	struct scene *scene = *state;
	int32_t stream = ask(scene, &later, EMPTY);

	assert_false(scene->seen[stream].closed);
	assert_true(h2_call_resume(&scene->parked, "then"));
	converse(scene);
	assert_string_equal(scene->seen[stream].grpc_status, "0");
	assert_memory_equal(scene->seen[stream].data + 7, "then", 4);
	assert_false(h2_call_resume(&scene->parked, "then"));
}

static void a_deadline_ends_what_waits(void **state)
{
	struct scene *scene = *state;
	const struct request request = {.path = LATER, .timeout = "50m"};
	int32_t stream = ask(scene, &request, EMPTY);

	assert_int_equal(h2_deadline_ns(scene->h2), 1000 + 50000000);
	scene->now_ns += 49999999;
	h2_tick(scene->h2);
	converse(scene);
	assert_false(scene->seen[stream].closed);
	scene->now_ns += 1;
	h2_tick(scene->h2);
	converse(scene);
	assert_refused(scene, stream, "4");
	assert_int_equal(h2_deadline_ns(scene->h2), INT64_MAX);
	/* It is not answered a second time. */
	assert_false(h2_call_resume(&scene->parked, "then"));
}

static void a_request_that_never_ends_is_ended(void **state)
{
	struct scene *scene = *state;
	int32_t stream;

	scene->body_open = true;
	stream = ask(scene, &echo, "\0\0", 2);
	scene->now_ns += H2_CALL_NS_MAX;
	h2_tick(scene->h2);
	converse(scene);
	assert_refused(scene, stream, "4");
	assert_int_equal(scene->handled, 0);
}

static void no_time_is_too_little_and_nonsense_is_none(void **state)
{
	struct scene *scene = *state;
	const struct request none = {.path = ECHO, .timeout = "0m"};
	const struct request bad = {.path = ECHO, .timeout = "soon"};

	assert_refused(scene, ask(scene, &none, EMPTY), "4");
	assert_refused(scene, ask(scene, &bad, EMPTY), "3");
	assert_int_equal(scene->handled, 0);
}

static void a_call_its_client_gave_up_is_forgotten(void **state)
{
	struct scene *scene = *state;
	int32_t stream = ask(scene, &later, EMPTY);

	nghttp2_submit_rst_stream(scene->client, NGHTTP2_FLAG_NONE, stream,
				  NGHTTP2_CANCEL);
	converse(scene);
	assert_int_equal(h2_calls(scene->h2), 0);
	assert_true(list_is_empty(&scene->parked));
}

static void calls_beyond_the_limit_wait_at_the_client(void **state)
{
	struct scene *scene = *state;
	const nghttp2_data_provider provider = {.read_callback = read_body};
	const nghttp2_nv fields[] = {
		field(":method", "POST"),
		field(":scheme", "https"),
		field(":path", LATER),
		field(":authority", "n1"),
		field("content-type", "application/grpc"),
	};

	scene->body_open = true;
	for (unsigned int i = 0; i < H2_CALLS_MAX + 20; i++)
		assert_true(nghttp2_submit_request(scene->client, NULL, fields,
						   5, &provider, NULL) > 0);
	converse(scene);
	assert_int_equal(h2_calls(scene->h2), H2_CALLS_MAX);
}

static void fields_without_end_are_refused(void **state)
{
	static char large[3 * H2_FIELDS_BYTES_MAX];
	struct scene *scene = *state;
	struct request request = {.path = ECHO, .encoding = large};
	int32_t stream;

	memset(large, 'x', H2_FIELDS_BYTES_MAX);
	stream = ask(scene, &request, EMPTY);
	assert_string_equal(scene->seen[stream].status, "431");
	memset(large, 'x', sizeof(large) - 1);
	stream = ask(scene, &request, EMPTY);
	assert_true(scene->seen[stream].closed);
	assert_int_not_equal(scene->seen[stream].error, NGHTTP2_NO_ERROR);
	assert_int_equal(h2_calls(scene->h2), 0);
}

static void goodbye_lets_calls_end_and_takes_no_more(void **state)
{
	struct scene *scene = *state;
	int32_t before = ask(scene, &later, EMPTY);
	int32_t between;

	/* It is under way when this is announced. */
	h2_announce_goaway(scene->h2);
	between = ask(scene, &later, EMPTY);
	assert_int_equal(scene->goaways, 1);
	assert_int_equal(scene->goaway_last, INT32_MAX);
	assert_int_equal(h2_calls(scene->h2), 2);
	h2_goaway(scene->h2);
	converse(scene);
	assert_int_equal(scene->goaways, 2);
	assert_int_equal(scene->goaway_last, between);
	assert_false(h2_over(scene->h2));
	while (h2_call_resume(&scene->parked, "bye"))
		;
	converse(scene);
	assert_string_equal(scene->seen[before].grpc_status, "0");
	assert_string_equal(scene->seen[between].grpc_status, "0");
	assert_true(h2_over(scene->h2));
}

static void what_is_no_http2_ends_it(void **state)
{
	static const uint8_t http1[] = "GET / HTTP/1.1\r\nHost: n1\r\n\r\n";
	struct scene *scene = *state;
	struct h2 *h2 = h2_new(&scene->service, &scene->host);

	assert_int_equal(h2_receive(h2, http1, sizeof(http1) - 1),
			 RFS_ERR_CLOSED);
	assert_true(h2_over(h2));
	h2_free(h2);
}

#define ON_SCENE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_SCENE(a_call_is_answered_with_data_and_a_trailer),
		ON_SCENE(a_reason_is_percent_encoded),
		ON_SCENE(an_unknown_method_is_unimplemented),
		ON_SCENE(it_is_refused_while_its_client_still_talks),
		ON_SCENE(other_content_gets_415_and_other_methods_405),
		ON_SCENE(too_large_a_message_is_refused_by_its_length),
		ON_SCENE(a_megabyte_of_it_harms_nobody),
		ON_SCENE(compression_is_not_understood_and_says_so),
		ON_SCENE(a_unary_call_has_one_message),
		ON_SCENE(a_parked_call_is_answered_later),
		ON_SCENE(a_deadline_ends_what_waits),
		ON_SCENE(a_request_that_never_ends_is_ended),
		ON_SCENE(no_time_is_too_little_and_nonsense_is_none),
		ON_SCENE(a_call_its_client_gave_up_is_forgotten),
		ON_SCENE(calls_beyond_the_limit_wait_at_the_client),
		ON_SCENE(fields_without_end_are_refused),
		ON_SCENE(goodbye_lets_calls_end_and_takes_no_more),
		ON_SCENE(what_is_no_http2_ends_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
