/* The fixed header of a time datagram. */
#include "proto/timepacket.h"

#include <string.h>

#include "common/bytes.h"

void timepacket_head_encode(const struct timepacket_head *head,
			    uint8_t packet[TIMEPACKET_BYTES])
{
	struct writer w;

	writer_init(&w, packet, TIMEPACKET_BODY_AT);
	writer_u32le(&w, TIMEPACKET_MAGIC);
	writer_u8(&w, TIMEPACKET_VERSION);
	writer_u8(&w, head->kind);
	writer_u16le(&w, head->body_bytes);
	writer_u32le(&w, head->from);
	writer_u32le(&w, head->to);
	writer_put(&w, head->from_boot, TIMEPACKET_BOOT_BYTES);
	writer_put(&w, head->to_boot, TIMEPACKET_BOOT_BYTES);
	writer_u64le(&w, head->counter);
	writer_u64le(&w, head->nonce);
	writer_u64le(&w, 0);
}

enum rfs_err timepacket_head_decode(const uint8_t *packet, size_t bytes,
				    struct timepacket_head *head)
{
	struct reader r;

	if (bytes != TIMEPACKET_BYTES)
		return RFS_ERR_INVALID;
	reader_init(&r, packet, TIMEPACKET_BODY_AT);
	if (reader_u32le(&r) != TIMEPACKET_MAGIC)
		return RFS_ERR_INVALID;
	if (reader_u8(&r) != TIMEPACKET_VERSION)
		return RFS_ERR_VERSION;
	head->kind = reader_u8(&r);
	head->body_bytes = reader_u16le(&r);
	head->from = reader_u32le(&r);
	head->to = reader_u32le(&r);
	memcpy(head->from_boot, reader_take(&r, TIMEPACKET_BOOT_BYTES),
	       TIMEPACKET_BOOT_BYTES);
	memcpy(head->to_boot, reader_take(&r, TIMEPACKET_BOOT_BYTES),
	       TIMEPACKET_BOOT_BYTES);
	head->counter = reader_u64le(&r);
	head->nonce = reader_u64le(&r);
	if (head->kind < TIMEPACKET_HELLO || head->kind > TIMEPACKET_REPLY ||
	    head->body_bytes > TIMEPACKET_BODY_MAX)
		return RFS_ERR_INVALID;
	return RFS_ERR_OK;
}
