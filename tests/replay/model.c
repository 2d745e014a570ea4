/* From a line to the rule that judges it. */
#include "tests/replay/state.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"

static void on_cluster(struct model *model, struct line *line)
{
	model->node_count = (uint32_t)line_u64(line, 0);
	model->longest_ns = model->lease_ns = line_i64(line, 1);
	model->rho_ppb = line_i64(line, 2);
	model->clocks_trusted = line_u64(line, 3) != 0;
	if (model->node_count < 1 || model->node_count >= NODES_MAX)
		broken(model, "nonsense", "%u nodes", model->node_count);
}

static const struct {
	const char *word;
	uint32_t least; /* arguments */
	bool world;	/* node 0 says it */
	void (*judge)(struct model *model, struct line *line);
} words[] = {
	{"cluster", 4, true, on_cluster},
	{"start", 4, false, on_start},
	{"damaged", 0, false, on_damaged},
	{"mended", 0, false, on_mended},
	{"stop", 0, false, on_stop},
	{"hard", 2, false, on_hard},
	{"stand", 3, false, on_stand},
	{"vote", 2, false, on_vote},
	{"lead", 1, false, on_lead},
	{"append", 7, false, on_append},
	{"truncate", 1, false, on_truncate},
	{"snapshot", 2, false, on_snapshot},
	{"reset", 2, false, on_reset},
	{"durable", 1, false, on_durable},
	{"ack", 1, false, on_ack},
	{"commit", 1, false, on_commit},
	{"asked", 1, false, on_asked},
	{"point", 3, false, on_point},
	{"lease-read", 2, false, on_lease_read},
	{"applied", 3, true, on_applied},
	{"begin", 3, true, on_begin},
	{"end", 2, true, on_end},
};

struct model *model_new(void)
{
	struct model *model = calloc(1, sizeof(*model));

	CHECK(model);
	return model;
}

void model_free(struct model *model)
{
	for (uint32_t i = 0; i < NODES_MAX; i++) {
		free(model->nodes[i].log);
		free(model->nodes[i].promised);
	}
	free(model->terms);
	free(model->entries);
	free(model->committed);
	free(model->committed_by);
	free(model->places);
	free(model);
}

const struct model_counts *model_counts(const struct model *model)
{
	return &model->counts;
}

void broken(struct model *model, const char *rule, const char *format, ...)
{
	va_list args;
	int used;

	if (model->verdict[0] != '\0')
		return;
	used = snprintf(model->verdict, sizeof(model->verdict), "%s: ", rule);
	va_start(args, format);
	vsnprintf(model->verdict + used, sizeof(model->verdict) - (size_t)used,
		  format, args);
	va_end(args);
}

struct term *term_of(struct model *model, uint64_t term)
{
	CHECK(term < UINT32_MAX);
	if (term >= model->term_count) {
		uint64_t count = term * 2 + 16;

		model->terms =
			realloc(model->terms, count * sizeof(*model->terms));
		CHECK(model->terms);
		memset(model->terms + model->term_count, 0,
		       (count - model->term_count) * sizeof(*model->terms));
		model->term_count = count;
	}
	return &model->terms[term];
}

uint64_t line_u64(struct line *line, uint32_t at)
{
	char *end = NULL;
	uint64_t value;

	if (at >= line->count || line->words[at][0] == '-') {
		line->bad = true;
		return 0;
	}
	errno = 0;
	value = strtoull(line->words[at], &end, 10);
	line->bad |= errno != 0 || end == line->words[at] || *end != '\0';
	return value;
}

int64_t line_i64(struct line *line, uint32_t at)
{
	char *end = NULL;
	int64_t value;

	if (at >= line->count) {
		line->bad = true;
		return 0;
	}
	errno = 0;
	value = strtoll(line->words[at], &end, 10);
	line->bad |= errno != 0 || end == line->words[at] || *end != '\0';
	return value;
}

static void split(struct line *line, char *text)
{
	char *rest = NULL;

	line->count = 0;
	line->bad = false;
	for (char *word = strtok_r(text, " \n", &rest);
	     word && line->count < TRACE_WORDS_MAX;
	     word = strtok_r(NULL, " \n", &rest))
		line->words[line->count++] = word;
}

/* The first two words and the third are not arguments. */
static const char *take_head(struct model *model, struct line *line)
{
	int64_t time_ns = line_i64(line, 0);
	uint64_t node = line_u64(line, 1);
	const char *word;

	if (line->count < 3 || line->bad || node >= NODES_MAX ||
	    time_ns < model->now_ns)
		return NULL;
	model->now_ns = time_ns;
	line->node = (uint32_t)node;
	word = line->words[2];
	line->count -= 3;
	memmove(line->words, line->words + 3,
		line->count * sizeof(line->words[0]));
	return word;
}

static void judge(struct model *model, struct line *line, const char *word)
{
	for (uint32_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(words[i].word, word) != 0)
			continue;
		if (line->count < words[i].least ||
		    words[i].world != (line->node == 0) ||
		    (model->node_count == 0) != (i == 0))
			break;
		words[i].judge(model, line);
		if (line->bad) {
			model->verdict[0] = '\0';
			broken(model, "nonsense", "%s without a number", word);
		}
		return;
	}
	broken(model, "nonsense", "%s of node %u", word, line->node);
}

const char *model_line(struct model *model, char *text)
{
	struct line *line = &model->line;
	const char *word;

	model->counts.lines++;
	split(line, text);
	word = take_head(model, line);
	if (word)
		judge(model, line, word);
	else
		broken(model, "nonsense", "no time, node and word");
	return model->verdict[0] != '\0' ? model->verdict : NULL;
}
