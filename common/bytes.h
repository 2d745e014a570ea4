/* Bounds-checked reading and writing of little- and big-endian fields.
 *
 * Big-endian is for keys (sorts as numbers do); little-endian for records.
 * A reader or writer that ran out stays at "bad" and yields zeros, so a parser
 * checks once at its end.
 */
#ifndef RAFTFS_COMMON_BYTES_H
#define RAFTFS_COMMON_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A borrowed view; data may be NULL when bytes is 0. */
struct bytes {
	const uint8_t *data;
	size_t bytes;
};

struct reader {
	const uint8_t *at;
	const uint8_t *end;
	bool bad;
};

struct writer {
	uint8_t *start;
	uint8_t *at;
	uint8_t *end;
	bool bad;
};

void reader_init(struct reader *r, const void *data, size_t bytes);
uint8_t reader_u8(struct reader *r);
uint16_t reader_u16le(struct reader *r);
uint32_t reader_u32le(struct reader *r);
uint64_t reader_u64le(struct reader *r);
uint32_t reader_u32be(struct reader *r);
uint64_t reader_u64be(struct reader *r);
/* A view into the input, or NULL (and bad) when fewer bytes are left. */
const uint8_t *reader_take(struct reader *r, size_t bytes);
size_t reader_left(const struct reader *r);

void writer_init(struct writer *w, void *data, size_t bytes);
void writer_u8(struct writer *w, uint8_t v);
void writer_u16le(struct writer *w, uint16_t v);
void writer_u32le(struct writer *w, uint32_t v);
void writer_u64le(struct writer *w, uint64_t v);
void writer_u32be(struct writer *w, uint32_t v);
void writer_u64be(struct writer *w, uint64_t v);
void writer_put(struct writer *w, const void *data, size_t bytes);
size_t writer_bytes(const struct writer *w);

#endif
