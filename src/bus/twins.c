#include "livecore/twins.h"

#include "livecore/json.h"
#include "livecore/reader.h"

#include <stdlib.h>
#include <string.h>

/* An event that tells of a twin is short; lists of symbols are passed over. */
#define EVENT_MAX 16384
#define READ_A_TURN 20

struct lc_twins {
	struct lc_loop *loop;
	struct lc_twins_options options;
	struct lc_reader *reader;
	struct lc_json_parser *parser;
	struct lc_timer *again;
	int64_t since_ns;                   /* our start */
	int64_t quiet_ns;                   /* monotonic; no new report before */
	char stream[LC_MESSAGE_ID_MAX + 1]; /* of the twin that was heard last */
	void (*done)(void *arg);
	void *done_arg;
};

/* Events without a role are the managers'. */
static bool is_role(const struct lc_value *data, const char *role)
{
	const struct lc_value *said = data ? lc_value_find(data, "role") : NULL;
	return said && said->type == LC_VALUE_STRING ? lc_value_is(said, role)
						     : strcmp(role, "manager") == 0;
}

bool lc_twins_is_one(struct lc_json_parser *parser, const char *text, size_t len,
	const struct lc_twins_options *options, int64_t since_ns,
	char stream[LC_MESSAGE_ID_MAX + 1])
{
	const struct lc_value *root;
	const struct lc_message_context *context = options->context;
	int64_t at_ns = 0;
	if (lc_json_parse(parser, text, len, len, &root, NULL) != LC_OK) {
		return false;
	}
	const struct lc_value *node = lc_value_find(root, "node_id");
	const struct lc_value *theirs = lc_value_find(root, "stream");
	const struct lc_value *time = lc_value_find(root, "timestamp");
	return node && lc_value_is(node, context->node_id) && theirs && !lc_value_is(theirs, "") &&
	       lc_value_copy(theirs, stream, LC_MESSAGE_ID_MAX + 1) == LC_OK &&
	       strcmp(stream, context->stream) != 0 && time &&
	       lc_value_time(time, context->naive_zone, &at_ns) == LC_OK && at_ns >= since_ns &&
	       is_role(lc_value_find(root, "data"), options->role);
}

static void on_again(void *arg)
{
	struct lc_twins *twins = arg;
	twins->options.seen(twins->options.arg, twins->stream);
}

static void report(struct lc_twins *twins, const char *stream)
{
	int64_t now_ns = lc_loop_mono_ns(twins->loop);
	if (now_ns < twins->quiet_ns && strcmp(stream, twins->stream) == 0) {
		return;
	}
	if (lc_timer_active(twins->again)) {
		return; /* of several at once the first is enough to act on */
	}
	twins->quiet_ns = now_ns + LC_TWINS_EVERY_S * LC_NS_PER_S;
	memcpy(twins->stream, stream, sizeof twins->stream);
	lc_log(lc_loop_log(twins->loop), LC_LOG_ERROR, "kafka", "twin",
		LC_S("node", twins->options.context->node_id), LC_S("role", twins->options.role),
		LC_S("stream", stream),
		LC_S("note", "another live process has this node.id: give each its own"));
	lc_timer_start(twins->again, LC_TWINS_AGAIN_MS, 0);
	twins->options.seen(twins->options.arg, twins->stream);
}

static void on_message(void *arg, const struct lc_reader_message *message)
{
	struct lc_twins *twins = arg;
	const char *node = twins->options.context->node_id;
	char stream[LC_MESSAGE_ID_MAX + 1];
	/* The key is the node's id: what others say is not even parsed. */
	if (message->key && message->key_len == strlen(node) && message->value &&
		memcmp(message->key, node, message->key_len) == 0 &&
		message->value_len <= EVENT_MAX &&
		lc_twins_is_one(twins->parser, message->value, message->value_len, &twins->options,
			twins->since_ns, stream)) {
		report(twins, stream);
	}
}

static void free_twins(struct lc_twins *twins)
{
	lc_timer_destroy(twins->again);
	lc_json_parser_destroy(twins->parser);
	free(twins);
}

enum lc_err lc_twins_create(struct lc_loop *loop, const struct lc_twins_options *options,
	struct lc_twins **out, struct lc_error *err)
{
	static const struct lc_reader_handlers handlers = {.message = on_message};
	const struct lc_reader_options reader = {
		.topic = options->topic, .start = LC_START_LATEST, .budget = READ_A_TURN};
	const struct lc_json_limits limits = {.max_bytes = EVENT_MAX, .max_values = 4096};
	struct lc_twins *twins = calloc(1, sizeof *twins);
	if (!twins) {
		return lc_error_set(err, LC_ERR_NOMEM, "out of memory");
	}
	twins->loop = loop;
	twins->options = *options;
	twins->since_ns = lc_loop_wall_ns(loop);
	enum lc_err rc = lc_json_parser_create(&limits, &twins->parser);
	rc = rc ? rc : lc_timer_create(loop, on_again, twins, &twins->again);
	if (rc != LC_OK) {
		free_twins(twins);
		return lc_error_set(err, rc, "out of memory");
	}
	rc = lc_reader_create(loop, options->kafka, &reader, &handlers, twins, &twins->reader, err);
	if (rc != LC_OK) {
		free_twins(twins);
		return rc;
	}
	*out = twins;
	return LC_OK;
}

static void on_reader_gone(void *arg)
{
	struct lc_twins *twins = arg;
	void (*done)(void *) = twins->done;
	void *done_arg = twins->done_arg;
	free_twins(twins);
	done(done_arg);
}

void lc_twins_stop(struct lc_twins *twins, void (*done)(void *arg), void *arg)
{
	if (!twins) {
		done(arg);
		return;
	}
	twins->done = done;
	twins->done_arg = arg;
	lc_timer_stop(twins->again);
	lc_reader_stop(twins->reader, on_reader_gone, twins);
}
