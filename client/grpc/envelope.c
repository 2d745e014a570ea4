/* Length-prefixed messages, of known size before the first byte is kept. */
#include "client/grpc/envelope.h"

#include <string.h>

#include "common/bytes.h"
#include "common/check.h"

void envelope_init(struct envelope *envelope)
{
	envelope->bytes = 0;
}

static size_t body_bytes_of(const struct envelope *envelope)
{
	struct reader r;

	reader_init(&r, envelope->image + 1, ENVELOPE_HEAD_BYTES - 1);
	return reader_u32be(&r);
}

static enum envelope_fault check_head(const struct envelope *envelope)
{
	if (envelope->image[0] > 1)
		return ENVELOPE_BAD_FLAG;
	if (envelope->image[0] == 1)
		return ENVELOPE_COMPRESSED;
	if (body_bytes_of(envelope) > ENVELOPE_BODY_BYTES_MAX)
		return ENVELOPE_TOO_LARGE;
	return ENVELOPE_FINE;
}

/* As much of what came as brings the envelope to `whole` bytes. */
static size_t take(struct envelope *envelope, size_t whole, const uint8_t *data,
		   size_t bytes)
{
	size_t part = whole - envelope->bytes;

	CHECK(whole <= sizeof(envelope->image));
	CHECK(envelope->bytes <= whole);
	if (part > bytes)
		part = bytes;
	if (part > 0)
		memcpy(envelope->image + envelope->bytes, data, part);
	envelope->bytes += part;
	return part;
}

enum envelope_fault envelope_add(struct envelope *envelope, const uint8_t *data,
				 size_t bytes)
{
	enum envelope_fault fault;
	size_t used = 0;

	if (envelope->bytes < ENVELOPE_HEAD_BYTES)
		used = take(envelope, ENVELOPE_HEAD_BYTES, data, bytes);
	if (envelope->bytes < ENVELOPE_HEAD_BYTES)
		return ENVELOPE_FINE;
	fault = check_head(envelope);
	if (fault != ENVELOPE_FINE)
		return fault;
	used += take(envelope, ENVELOPE_HEAD_BYTES + body_bytes_of(envelope),
		     data + used, bytes - used);
	return used == bytes ? ENVELOPE_FINE : ENVELOPE_SECOND;
}

enum envelope_fault envelope_end(const struct envelope *envelope,
				 const uint8_t **body, size_t *body_bytes)
{
	if (envelope->bytes < ENVELOPE_HEAD_BYTES ||
	    envelope->bytes < ENVELOPE_HEAD_BYTES + body_bytes_of(envelope))
		return ENVELOPE_CUT;
	*body = envelope->image + ENVELOPE_HEAD_BYTES;
	*body_bytes = body_bytes_of(envelope);
	return ENVELOPE_FINE;
}

void envelope_head(size_t body_bytes, uint8_t head[ENVELOPE_HEAD_BYTES])
{
	struct writer w;

	CHECK(body_bytes <= UINT32_MAX);
	writer_init(&w, head, ENVELOPE_HEAD_BYTES);
	writer_u8(&w, 0);
	writer_u32be(&w, (uint32_t)body_bytes);
}
