/* Fuzz target: any bytes as a gRPC client's connection, with the true methods'
 * messages parsed, time passing and calls answered late. libFuzzer's entry
 * point. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "client/grpc/h2.h"
#include "common/check.h"
#include "proto/health.pb-c.h"
#include "proto/time_sync.pb-c.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

struct fuzz {
	struct h2 *h2;
	struct list parked;
	int64_t now_ns;
};

static int64_t fuzz_now(void *ctx)
{
	return ((struct fuzz *)ctx)->now_ns;
}

static int64_t fuzz_rtt(void *ctx)
{
	(void)ctx;
	return 0;
}

static void fuzz_wants_send(void *ctx)
{
	(void)ctx;
}

static void handle_time(struct h2_call *call, void *ctx, const uint8_t *request,
			size_t bytes)
{
	DistributedFs__TimeReply reply = DISTRIBUTED_FS__TIME_REPLY__INIT;
	DistributedFs__TimeRequest *asked =
		distributed_fs__time_request__unpack(NULL, bytes, request);

	(void)ctx;
	if (asked == NULL) {
		h2_call_refuse(call, CODE_INTERNAL, "none");
		return;
	}
	reply.server_time = asked->client_time;
	h2_call_reply(call, &reply.base);
	distributed_fs__time_request__free_unpacked(asked, NULL);
}

static void resume(struct h2_call *call, void *ctx, const void *answer)
{
	(void)ctx;
	(void)answer;
	h2_call_refuse(call, CODE_UNAVAILABLE, "100%%");
}

static void handle_health(struct h2_call *call, void *ctx,
			  const uint8_t *request, size_t bytes)
{
	struct fuzz *fuzz = ctx;
	Grpc__Health__V1__HealthCheckRequest *asked =
		grpc__health__v1__health_check_request__unpack(NULL, bytes,
							       request);

	grpc__health__v1__health_check_request__free_unpacked(asked, NULL);
	h2_call_park(call, &fuzz->parked, resume);
}

static const struct h2_method methods[] = {
	{"/distributed_fs.TimeSyncService/GetTime", handle_time},
	{"/grpc.health.v1.Health/Check", handle_health},
};

static void drain(struct fuzz *fuzz)
{
	uint8_t out[1024];

	while (h2_send(fuzz->h2, out, sizeof(out)) > 0)
		;
}

/* The input in pieces of the length that each one's first byte says; between
 * them time passes, and who waits may be answered. */
static void converse(struct fuzz *fuzz, const uint8_t *data, size_t bytes)
{
	while (bytes > 1) {
		size_t piece = data[0] % 64 * 16 + 1;

		fuzz->now_ns += (int64_t)data[0] * 10000000;
		if (piece > bytes - 1)
			piece = bytes - 1;
		if (h2_receive(fuzz->h2, data + 1, piece) != RFS_ERR_OK)
			break;
		CHECK(h2_calls(fuzz->h2) <= H2_CALLS_MAX);
		if (data[0] & 64)
			h2_call_resume(&fuzz->parked, NULL);
		h2_tick(fuzz->h2);
		CHECK(h2_deadline_ns(fuzz->h2) > fuzz->now_ns);
		if (data[0] & 128)
			drain(fuzz);
		data += 1 + piece;
		bytes -= 1 + piece;
	}
	drain(fuzz);
}

/* HEADERS of a request on stream 1, so that much of the input gets as far as
 * its DATA. Literal fields, names from HPACK's static table. */
static void begin_call(struct fuzz *fuzz)
{
	static const uint8_t request[] =
		"\0\0\x42\1\4\0\0\0\1"
		"\x83\x87\4\x27/distributed_fs.TimeSyncService/GetTime"
		"\1\2n1\x0f\x10\x10"
		"application/grpc";

	CHECK(h2_receive(fuzz->h2, request, sizeof(request) - 1) ==
	      RFS_ERR_OK);
	CHECK(h2_calls(fuzz->h2) == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static const uint8_t hello[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
				       "\0\0\0\4\0\0\0\0";
	struct fuzz fuzz = {.now_ns = 1};
	const struct h2_service service = {methods, 2, &fuzz};
	const struct h2_host host = {&fuzz, fuzz_now, fuzz_rtt,
				     fuzz_wants_send};

	list_init(&fuzz.parked);
	fuzz.h2 = h2_new(&service, &host);
	if (fuzz.h2 == NULL)
		return 0;
	/* What every client begins with; its end is this array's NUL. */
	CHECK(h2_receive(fuzz.h2, hello, sizeof(hello)) == RFS_ERR_OK);
	if (bytes > 0 && data[0] % 2 == 1)
		begin_call(&fuzz);
	converse(&fuzz, data, bytes);
	h2_free(fuzz.h2);
	CHECK(list_is_empty(&fuzz.parked));
	return 0;
}
