/* Keys: one letter for the kind, then numbers big-endian or a name, so that
 * what belongs together lies together.  The list with values: docs/FILES.md.
 */
#ifndef RAFTFS_STORAGED_CORE_KEYS_H
#define RAFTFS_STORAGED_CORE_KEYS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/bytes.h"

/* The letters are for ever. */
enum key_kind {
	KEY_XATTR = 'a',   /* inode, name */
	KEY_COOKIE = 'c',  /* directory, cookie */
	KEY_NAME = 'd',	   /* directory, name */
	KEY_EXTENT = 'e',  /* map, end of the extent */
	KEY_GRANT = 'g',   /* last chunk id of it */
	KEY_INODE = 'i',   /* inode */
	KEY_CHUNK = 'k',   /* chunk id */
	KEY_SYMLINK = 'l', /* inode */
	KEY_META = 'm',	   /* nothing: there is one */
	KEY_ORPHAN = 'o',  /* inode */
	KEY_PIN = 'p',	   /* session, inode */
	KEY_SESSION = 's', /* session */
	KEY_TRASH = 't',   /* map */
	KEY_ANSWER = 'x',  /* session, seq */
};

#define KEYS_MAX_BYTES 264 /* letter, number, name of 255 */

struct key {
	uint8_t data[KEYS_MAX_BYTES];
};

/* Each fills *key and returns a view of it. */
struct bytes key_alone(struct key *key, enum key_kind kind);
struct bytes key_number(struct key *key, enum key_kind kind, uint64_t number);
struct bytes key_pair(struct key *key, enum key_kind kind, uint64_t first,
		      uint64_t second);
/* name is at most 255 bytes. */
struct bytes key_named(struct key *key, enum key_kind kind, uint64_t number,
		       struct bytes name);

/* Is it a key of that kind and that exact form?  Then its parts. */
bool key_is_number(struct bytes key, enum key_kind kind, uint64_t *number);
bool key_is_pair(struct bytes key, enum key_kind kind, uint64_t first,
		 uint64_t *second);
bool key_is_named(struct bytes key, enum key_kind kind, uint64_t number,
		  struct bytes *name);

#endif
