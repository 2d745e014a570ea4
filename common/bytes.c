/* Field by field, never past the end. */
#include "common/bytes.h"

#include <string.h>

void reader_init(struct reader *r, const void *data, size_t bytes)
{
	r->at = data;
	r->end = bytes ? r->at + bytes : r->at;
	r->bad = false;
}

size_t reader_left(const struct reader *r)
{
	return (size_t)(r->end - r->at);
}

const uint8_t *reader_take(struct reader *r, size_t bytes)
{
	const uint8_t *at = r->at;

	if (r->bad || reader_left(r) < bytes) {
		r->bad = true;
		return NULL;
	}
	r->at += bytes;
	return at;
}

static uint64_t read_le(struct reader *r, size_t bytes)
{
	const uint8_t *at = reader_take(r, bytes);
	uint64_t v = 0;

	for (size_t i = bytes; at && i-- > 0;)
		v = v << 8 | at[i];
	return v;
}

static uint64_t read_be(struct reader *r, size_t bytes)
{
	const uint8_t *at = reader_take(r, bytes);
	uint64_t v = 0;

	for (size_t i = 0; at && i < bytes; i++)
		v = v << 8 | at[i];
	return v;
}

uint8_t reader_u8(struct reader *r)
{
	return (uint8_t)read_le(r, 1);
}

uint16_t reader_u16le(struct reader *r)
{
	return (uint16_t)read_le(r, 2);
}

uint32_t reader_u32le(struct reader *r)
{
	return (uint32_t)read_le(r, 4);
}

uint64_t reader_u64le(struct reader *r)
{
	return read_le(r, 8);
}

uint32_t reader_u32be(struct reader *r)
{
	return (uint32_t)read_be(r, 4);
}

uint64_t reader_u64be(struct reader *r)
{
	return read_be(r, 8);
}

void writer_init(struct writer *w, void *data, size_t bytes)
{
	w->start = w->at = data;
	w->end = bytes ? w->at + bytes : w->at;
	w->bad = false;
}

size_t writer_bytes(const struct writer *w)
{
	return (size_t)(w->at - w->start);
}

void writer_put(struct writer *w, const void *data, size_t bytes)
{
	if (w->bad || (size_t)(w->end - w->at) < bytes) {
		w->bad = true;
		return;
	}
	if (bytes)
		memcpy(w->at, data, bytes);
	w->at += bytes;
}

static void write_le(struct writer *w, uint64_t v, size_t bytes)
{
	uint8_t buf[8];

	for (size_t i = 0; i < bytes; i++)
		buf[i] = (uint8_t)(v >> (8 * i));
	writer_put(w, buf, bytes);
}

static void write_be(struct writer *w, uint64_t v, size_t bytes)
{
	uint8_t buf[8];

	for (size_t i = 0; i < bytes; i++)
		buf[bytes - 1 - i] = (uint8_t)(v >> (8 * i));
	writer_put(w, buf, bytes);
}

void writer_u8(struct writer *w, uint8_t v)
{
	write_le(w, v, 1);
}

void writer_u16le(struct writer *w, uint16_t v)
{
	write_le(w, v, 2);
}

void writer_u32le(struct writer *w, uint32_t v)
{
	write_le(w, v, 4);
}

void writer_u64le(struct writer *w, uint64_t v)
{
	write_le(w, v, 8);
}

void writer_u32be(struct writer *w, uint32_t v)
{
	write_be(w, v, 4);
}

void writer_u64be(struct writer *w, uint64_t v)
{
	write_be(w, v, 8);
}
