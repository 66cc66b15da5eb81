/* livecore watch: prices from Kafka as a consumer sees them, and what such a consumer has lost. */
#include "app/commands.h"
#include "app/losses.h"
#include "app/symbol_args.h"
#include "app/tool.h"
#include "app/watch_view.h"
#include "livecore/symbol.h"
#include "livecore/utf8.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TOPICS_MAX 3
#define FETCH_WAIT_MS 50 /* the embedded broker lets each question without an answer wait so long */

static const struct lc_usage usage = {"watch", "[SYMBOL…]",
	"Prints price updates from Kafka as they come, from now on; all, or those of the symbols "
	"named (patterns: '*.SH').\n"
	"ms is from livecore's reception of the tick to this line. Losses (missing seq) are said "
	"as they are seen, and in sum\n"
	"at the end. Ends with Ctrl-C, --for or --count. Exit code 1 when Kafka was never reached "
	"or --count not."};

struct watch {
	struct lc_tool tool;
	struct lc_kafka_config kafka; /* the process's, but for a person who waits */
	struct lc_reader *readers[TOPICS_MAX];
	size_t reader_count;
	struct lc_decoder *decoder;
	struct lc_losses *losses;
	struct lc_watch_view view;
	char **symbols;
	size_t symbol_count;
	int64_t for_ms; /* below 0: until it is told to */
	const char *count_text;
	uint64_t count; /* 0: no end */
	uint64_t shown, unreadable;
	enum lc_err why; /* the last word on why nothing is read */
	bool json, reached, full;
	bool gone; /* nobody reads what we print */
};

static bool wanted(const struct watch *watch, struct lc_text symbol)
{
	char text[LC_SYMBOL_MAX];
	if (watch->symbol_count == 0) {
		return true;
	}
	if (symbol.len >= sizeof text) {
		return false;
	}
	memcpy(text, symbol.data, symbol.len);
	text[symbol.len] = '\0';
	for (size_t i = 0; i < watch->symbol_count; i++) {
		if (lc_symbol_match(watch->symbols[i], text)) {
			return true;
		}
	}
	return false;
}

/* What stands in a text and would steer a terminal is escaped, which is the same text. */
static void put_escaped(FILE *out, const char *text, size_t len)
{
	unsigned code = (unsigned char)text[len - 1];
	if (len == 3) {
		code = 0x2000 | ((unsigned char)text[1] & 0x3Fu) << 6 | (code & 0x3F);
	}
	fprintf(out, "\\u%04x", code);
}

/* The message as it is, on one line: a line break in JSON is never inside a text. */
static void print_json(FILE *out, const struct lc_reader_message *message)
{
	for (size_t i = 0; i < message->value_len;) {
		const char *at = message->value + i;
		size_t steers = lc_utf8_steers(at, message->value_len - i);
		if (steers && (unsigned char)*at >= 0x20) {
			put_escaped(out, at, steers);
		} else {
			fputc(steers ? ' ' : *at, out);
		}
		i += steers ? steers : 1;
	}
	fputc('\n', out);
}

static void say_loss(struct watch *watch, const struct lc_price_view *price, uint64_t lost)
{
	if (watch->view.columns) {
		fflush(stdout);
	}
	fprintf(stderr, "lost %" PRIu64 " ", lost);
	lc_printable_put(stderr, price->kind);
	fputs(" updates of ", stderr);
	lc_printable_put(stderr, price->symbol);
	fprintf(stderr, " before seq %" PRIu64 "\n", price->seq);
}

static void show(struct watch *watch, const struct lc_reader_message *message,
	const struct lc_price_view *price)
{
	uint64_t lost;
	switch (lc_losses_note(watch->losses, price, &lost)) {
	case LC_SEEN_REPEAT:
		return;
	case LC_SEEN_LOSS:
		say_loss(watch, price, lost);
		break;
	case LC_SEEN_NEXT:
		break;
	}
	if (watch->json) {
		print_json(stdout, message);
	} else {
		lc_watch_view_print(&watch->view, price, lc_loop_wall_ns(watch->tool.process.loop));
	}
	watch->shown++;
	watch->full = watch->count > 0 && watch->shown >= watch->count;
	/* Whoever reads went away (watch | head): there is nobody left to print for. */
	watch->gone = fflush(stdout) != 0;
	if (watch->gone && errno == EPIPE) {
		clearerr(stdout); /* that is an ordinary end; a full disk is not */
	}
	if (watch->full || watch->gone) {
		lc_tool_wake(&watch->tool);
	}
}

static void on_message(void *arg, const struct lc_reader_message *message)
{
	struct watch *watch = arg;
	struct lc_tool *tool = &watch->tool;
	struct lc_price_view price;
	const struct lc_message_in in = {.data = message->value,
		.len = message->value_len,
		.record_ns = lc_reader_time_ns(message, lc_loop_wall_ns(tool->process.loop)),
		.naive_zone = tool->naive_zone};
	if (watch->full || watch->gone) {
		return;
	}
	struct lc_error err;
	if (!message->value || lc_price_update_decode(watch->decoder, &in, &price, &err) != LC_OK) {
		if (watch->unreadable++ == 0) {
			fprintf(stderr,
				"livecore: not a price update: topic=%s partition=%d offset=%lld: "
				"%s\n",
				message->topic, message->partition, (long long)message->offset,
				message->value ? err.text : "no value");
		}
		return;
	}
	if (wanted(watch, price.symbol)) {
		show(watch, message, &price);
	}
}

static void on_state(void *arg, bool reading, const struct lc_error *why)
{
	struct watch *watch = arg;
	if (!reading) {
		fprintf(stderr, "livecore: waiting for Kafka at %s: %s\n",
			lc_process_kafka(&watch->tool.process)->brokers, why->text);
	} else if (isatty(STDERR_FILENO) && !watch->reached) {
		fprintf(stderr, "watching Kafka at %s; Ctrl-C ends\n",
			lc_process_kafka(&watch->tool.process)->brokers);
	}
	watch->reached |= reading;
	watch->why = why->code;
}

static int start_reader(struct watch *watch, const char *topic)
{
	static const struct lc_reader_handlers handlers = {
		.message = on_message, .state = on_state};
	const struct lc_reader_options options = {.topic = topic, .start = LC_START_LATEST};
	struct lc_error err;
	if (lc_reader_create(watch->tool.process.loop, &watch->kafka, &options, &handlers, watch,
		    &watch->readers[watch->reader_count], &err) != LC_OK) {
		fprintf(stderr, "livecore: %s\n", err.text);
		return LC_EXIT_FAILED;
	}
	watch->reader_count++;
	return -1;
}

static int start(struct watch *watch)
{
	struct lc_process *process = &watch->tool.process;
	const struct lc_topics_config *topics = lc_process_topics(process);
	if (lc_decoder_create(&watch->decoder) != LC_OK ||
		lc_losses_create(lc_loop_random(process->loop), &watch->losses) != LC_OK) {
		fputs("livecore: out of memory\n", stderr);
		return LC_EXIT_FAILED;
	}
	watch->kafka = *lc_process_kafka(process);
	if (watch->kafka.fetch_wait_ms > FETCH_WAIT_MS) {
		watch->kafka.fetch_wait_ms = FETCH_WAIT_MS;
	}
	watch->view = (struct lc_watch_view){.out = stdout,
		.columns = isatty(STDOUT_FILENO) != 0,
		.zone = watch->tool.context.time_format == LC_TIME_UTC ? NULL
								       : watch->tool.naive_zone};
	if (!lc_process_kafka(process)->per_market) {
		return start_reader(watch, topics->market_data);
	}
	int rc = start_reader(watch, topics->market_data_cn);
	rc = rc >= 0 ? rc : start_reader(watch, topics->market_data_hk);
	return rc >= 0 ? rc : start_reader(watch, topics->market_data_us);
}

static int conclude(const struct watch *watch)
{
	struct lc_losses_totals totals = lc_losses_totals(watch->losses);
	fprintf(stderr,
		"updates=%" PRIu64 " lost=%" PRIu64 " conflated=%" PRIu64 " repeats=%" PRIu64
		" unreadable=%" PRIu64 "\n",
		watch->shown, totals.lost, totals.conflated, totals.repeats, watch->unreadable);
	if (!watch->reached) {
		struct lc_error err;
		lc_error_set(&err, watch->why, "Kafka's market data was never reached");
		return lc_tool_failed(&err);
	}
	if (watch->count > 0 && !watch->full && !watch->tool.interrupted) {
		fprintf(stderr, "livecore: only %" PRIu64 " of %" PRIu64 " updates came\n",
			watch->shown, watch->count);
		return LC_EXIT_FAILED;
	}
	return LC_EXIT_OK;
}

static int run(struct watch *watch)
{
	int rc = start(watch);
	if (rc < 0) {
		lc_tool_wait(&watch->tool, watch->for_ms);
	}
	for (size_t i = 0; i < watch->reader_count; i++) {
		lc_tool_stop_reader(&watch->tool, watch->readers[i]);
	}
	rc = rc < 0 ? conclude(watch) : rc;
	lc_losses_destroy(watch->losses);
	lc_decoder_destroy(watch->decoder);
	return rc;
}

static int check(struct watch *watch)
{
	if (watch->count_text) {
		char *end;
		watch->count = strtoull(watch->count_text, &end, 10);
		if (*end != '\0' || watch->count_text[0] == '-' || watch->count == 0) {
			return lc_args_wrong(&usage, "--count takes a number from 1, not \"%s\"",
				watch->count_text);
		}
	}
	return lc_symbol_args_check(&usage, watch->symbols, watch->symbol_count, true);
}

int lc_command_watch(int argc, char **argv)
{
	struct watch watch = {.why = LC_ERR_TIMEOUT, .for_ms = -1};
	const struct lc_option options[] = {
		{"for", LC_OPTION_DURATION, &watch.for_ms, "TIME", "end after 10s, 2m, …"},
		{"count", LC_OPTION_TEXT, &watch.count_text, "N", "end after N updates"},
		{"json", LC_OPTION_FLAG, &watch.json, NULL,
			"the messages as they are on Kafka, one a line"},
		LC_TOOL_OPTIONS(&watch.tool),
		{0},
	};
	int rc = lc_args_parse(&usage, options, &argc, argv);
	if (rc >= 0) {
		return rc;
	}
	watch.symbols = argv + 1;
	watch.symbol_count = (size_t)argc - 1;
	rc = check(&watch);
	if (rc >= 0) {
		return rc;
	}
	rc = lc_tool_open(&watch.tool, true);
	rc = rc >= 0 ? rc : run(&watch);
	lc_tool_close(&watch.tool);
	return rc;
}
