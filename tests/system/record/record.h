/* What clients saw, one line an operation: written by tests/system/history.c
 * while it happens, read by the judge.
 *
 *	KIND OUTCOME CLIENT KEY STATE VERSION BEGIN_NS END_NS
 *
 * KIND is put, look (state and version) or read (state alone). STATE names a
 * write; 0: never written. VERSION is its place in the log; 0: not told.
 * Times are CLOCK_MONOTONIC_RAW of the machine that all clients share.
 */
#ifndef RAFTFS_TESTS_SYSTEM_RECORD_H
#define RAFTFS_TESTS_SYSTEM_RECORD_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/err.h"

#define RECORD_KEYS_MAX 64u

enum record_kind { RECORD_PUT, RECORD_LOOK, RECORD_READ };

enum record_outcome {
	RECORD_DONE,
	RECORD_UNKNOWN, /* a put that may or may not have happened */
	RECORD_NOT,	/* it did not happen */
};

struct record {
	enum record_kind kind;
	enum record_outcome outcome;
	uint32_t client;
	uint32_t key; /* below RECORD_KEYS_MAX */
	uint64_t state;
	uint64_t version;
	int64_t begin_ns;
	int64_t end_ns;
};

void record_write(FILE *to, const struct record *record);

/* All lines of a file; *records is owned by the caller. INVALID names the line
 * on standard error. */
RFS_MUST_USE enum rfs_err record_load(const char *path, struct record **records,
				      size_t *count);

/* Is it a history of linearizable registers in which nothing acknowledged was
 * lost and nothing happened that was said not to have? Returns the number of
 * faults, each of them told on standard output (the first ones), and then one
 * line of counts. */
unsigned int judge_history(const struct record *records, size_t count);

#endif
