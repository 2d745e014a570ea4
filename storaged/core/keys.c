/* Building keys and taking them apart. */
#include "storaged/core/keys.h"

#include <string.h>

#include "common/check.h"

_Static_assert(KEYS_MAX_BYTES == 1 + 8 + 255, "letter, number, name");

static void put_be(uint8_t *at, uint64_t number)
{
	for (int i = 0; i < 8; i++)
		at[i] = (uint8_t)(number >> (56 - 8 * i));
}

static uint64_t get_be(const uint8_t *at)
{
	uint64_t number = 0;

	for (int i = 0; i < 8; i++)
		number = number << 8 | at[i];
	return number;
}

struct bytes key_alone(struct key *key, enum key_kind kind)
{
	key->data[0] = (uint8_t)kind;
	return (struct bytes){ key->data, 1 };
}

struct bytes key_number(struct key *key, enum key_kind kind, uint64_t number)
{
	key->data[0] = (uint8_t)kind;
	put_be(key->data + 1, number);
	return (struct bytes){ key->data, 9 };
}

struct bytes key_pair(struct key *key, enum key_kind kind, uint64_t first,
		      uint64_t second)
{
	key_number(key, kind, first);
	put_be(key->data + 9, second);
	return (struct bytes){ key->data, 17 };
}

struct bytes key_named(struct key *key, enum key_kind kind, uint64_t number,
		       struct bytes name)
{
	CHECK(name.bytes <= KEYS_MAX_BYTES - 9);
	key_number(key, kind, number);
	if (name.bytes)
		memcpy(key->data + 9, name.data, name.bytes);
	return (struct bytes){ key->data, 9 + name.bytes };
}

bool key_is_number(struct bytes key, enum key_kind kind, uint64_t *number)
{
	if (key.bytes != 9 || key.data[0] != kind)
		return false;
	*number = get_be(key.data + 1);
	return true;
}

bool key_is_pair(struct bytes key, enum key_kind kind, uint64_t first,
		 uint64_t *second)
{
	if (key.bytes != 17 || key.data[0] != kind ||
	    get_be(key.data + 1) != first)
		return false;
	*second = get_be(key.data + 9);
	return true;
}

bool key_is_named(struct bytes key, enum key_kind kind, uint64_t number,
		  struct bytes *name)
{
	if (key.bytes < 9 || key.data[0] != kind ||
	    get_be(key.data + 1) != number)
		return false;
	*name = (struct bytes){ key.data + 9, key.bytes - 9 };
	return true;
}
