/* The verdict on a whole history, by the checker of the simulator
 * (tests/sim/history.h), which wants to know each write's place in the log.
 *
 * A put that was acknowledged names its place, and so does each look. Where a
 * put's outcome is unknown and nobody ever looked, reads of it cannot be
 * placed; they are counted, and left out.
 *
 * What the order of places cannot show is checked first: one place holds one
 * write, one write has one place, and a put that "did not happen" is never
 * seen.
 */
#include "tests/system/record/record.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>

#include "common/check.h"
#include "tests/sim/history.h"

#define TOLD_MAX 10u

struct place {
	uint32_t key;
	uint64_t version;
	uint64_t state;
};

struct judge {
	struct place *places; /* by key and version, then by state */
	size_t place_count;
	unsigned int faults;
	size_t unplaced;
	size_t judged[3]; /* by kind */
};

static void fault(struct judge *judge, const struct record *record,
		  const char *what)
{
	if (judge->faults++ >= TOLD_MAX)
		return;
	printf("fault: %s: ", what);
	record_write(stdout, record);
}

static int by_place(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	if (x->version != y->version)
		return x->version < y->version ? -1 : 1;
	return (x->state > y->state) - (x->state < y->state);
}

static int by_state(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	return (x->state > y->state) - (x->state < y->state);
}

/* Everything that names a place, once each, in order of places. */
static void collect_places(struct judge *judge, const struct record *records,
			   size_t count)
{
	struct place *places = calloc(count + 1, sizeof(*places));
	size_t kept = 0;

	CHECK(places);
	for (size_t i = 0; i < count; i++) {
		const struct record *r = &records[i];

		if (r->outcome == RECORD_DONE && r->version != 0)
			places[kept++] =
				(struct place){r->key, r->version, r->state};
	}
	qsort(places, kept, sizeof(*places), by_place);
	for (size_t i = 0; i < kept; i++) {
		struct place *last = judge->place_count == 0
					     ? NULL
					     : &places[judge->place_count - 1];

		if (!last || by_place(last, &places[i]) != 0)
			places[judge->place_count++] = places[i];
	}
	judge->places = places;
}

/* One place, one write; one write, one place. What breaks it is dropped, so
 * that the rest can be judged. */
static void check_places(struct judge *judge, struct history *history)
{
	struct place *places = judge->places;
	size_t kept = 0;

	for (size_t i = 0; i < judge->place_count; i++) {
		if (kept > 0 && places[kept - 1].key == places[i].key &&
		    places[kept - 1].version == places[i].version) {
			printf("fault: key %" PRIu32 " has two states at index "
			       "%" PRIu64 "\n",
			       places[i].key, places[i].version);
			judge->faults++;
			continue;
		}
		places[kept++] = places[i];
	}
	judge->place_count = kept;
	qsort(places, kept, sizeof(*places), by_state);
	kept = 0;
	for (size_t i = 0; i < judge->place_count; i++) {
		if (kept > 0 && places[kept - 1].state == places[i].state) {
			printf("fault: state %" PRIu64 " was written twice, at "
			       "%" PRIu64 " and %" PRIu64 "\n",
			       places[i].state, places[kept - 1].version,
			       places[i].version);
			judge->faults++;
			continue;
		}
		places[kept++] = places[i];
	}
	judge->place_count = kept;
	qsort(places, kept, sizeof(*places), by_place);
	for (size_t i = 0; i < kept; i++)
		history_committed(history, places[i].key, places[i].version,
				  places[i].state);
	qsort(places, kept, sizeof(*places), by_state);
}

static bool is_placed(const struct judge *judge, uint64_t state)
{
	const struct place key = {.state = state};

	return state == 0 || bsearch(&key, judge->places, judge->place_count,
				     sizeof(key), by_state);
}

static void check_refused(struct judge *judge, const struct record *records,
			  size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (records[i].kind == RECORD_PUT &&
		    records[i].outcome == RECORD_NOT &&
		    is_placed(judge, records[i].state))
			fault(judge, &records[i],
			      "a put that did not happen, happened");
	}
}

/* --- in order of time --- */

struct moment {
	int64_t at_ns;
	bool end;
	const struct record *record;
	struct history_op *op; /* shared by the two moments of a record */
};

/* At one instant what begins comes first: then nothing "ended before". */
static int by_time(const void *a, const void *b)
{
	const struct moment *x = a, *y = b;

	if (x->at_ns != y->at_ns)
		return x->at_ns < y->at_ns ? -1 : 1;
	return (int)x->end - (int)y->end;
}

/* The states that an unknown put was read as, nobody said where: no verdict. */
static bool can_be_judged(struct judge *judge, const struct record *record,
			  const uint64_t *unknown, size_t unknown_count)
{
	if (record->outcome != RECORD_DONE)
		return false;
	if (record->kind != RECORD_READ || is_placed(judge, record->state))
		return true;
	for (size_t i = 0; i < unknown_count; i++) {
		if (unknown[i] == record->state) {
			judge->unplaced++;
			return false;
		}
	}
	return true;
}

static size_t find_unknown(const struct record *records, size_t count,
			   uint64_t *unknown)
{
	size_t found = 0;

	for (size_t i = 0; i < count; i++) {
		if (records[i].kind == RECORD_PUT &&
		    records[i].outcome == RECORD_UNKNOWN)
			unknown[found++] = records[i].state;
	}
	return found;
}

static void replay(struct judge *judge, struct history *history,
		   const struct moment *moments, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct record *record = moments[i].record;
		const char *why;

		if (!moments[i].end) {
			*moments[i].op = history_begin(history, record->key);
			continue;
		}
		why = record->kind == RECORD_PUT
			      ? history_write_done(history, moments[i].op,
						   record->state)
			      : history_read_done(history, moments[i].op,
						  record->state);
		if (why)
			fault(judge, record, why);
		judge->judged[record->kind]++;
	}
}

static void check_order(struct judge *judge, struct history *history,
			const struct record *records, size_t count)
{
	struct moment *moments = calloc(2 * count + 1, sizeof(*moments));
	struct history_op *ops = calloc(count + 1, sizeof(*ops));
	uint64_t *unknown = calloc(count + 1, sizeof(*unknown));
	size_t unknown_count, used = 0;

	CHECK(moments && ops && unknown);
	unknown_count = find_unknown(records, count, unknown);
	for (size_t i = 0; i < count; i++) {
		const struct record *r = &records[i];

		if (!can_be_judged(judge, r, unknown, unknown_count))
			continue;
		moments[used++] =
			(struct moment){r->begin_ns, false, r, &ops[i]};
		moments[used++] = (struct moment){r->end_ns, true, r, &ops[i]};
	}
	qsort(moments, used, sizeof(*moments), by_time);
	replay(judge, history, moments, used);
	free(moments);
	free(ops);
	free(unknown);
}

unsigned int judge_history(const struct record *records, size_t count)
{
	struct history *history = history_new(RECORD_KEYS_MAX);
	struct judge judge = {0};

	collect_places(&judge, records, count);
	check_places(&judge, history);
	check_refused(&judge, records, count);
	check_order(&judge, history, records, count);
	printf("judged %zu puts, %zu looks, %zu reads; %zu reads could not be "
	       "placed; %u faults\n",
	       judge.judged[RECORD_PUT], judge.judged[RECORD_LOOK],
	       judge.judged[RECORD_READ], judge.unplaced, judge.faults);
	history_free(history);
	free(judge.places);
	return judge.faults;
}
