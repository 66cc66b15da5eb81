#include "livecore/messages.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct lc_decoder {
	struct lc_json_parser *json; /* owned */
	struct lc_text *texts;       /* owned: the symbols or codes of the message */
	size_t capacity;
};

static const char *const command_names[] = {[LC_COMMAND_UNKNOWN] = "unknown",
#define X(name, text) [name] = text,
	LC_COMMANDS(X)
#undef X
};

#define COMMANDS (sizeof command_names / sizeof command_names[0])

/* A field that is null counts as absent: Python writes what is not set that way. */
static const struct lc_value *find(const struct lc_value *object, const char *key)
{
	const struct lc_value *value = lc_value_find(object, key);
	return value != NULL && value->type != LC_VALUE_NULL ? value : NULL;
}

/* Absent: *out stays as it is. */
static enum lc_err take_text(
	const struct lc_value *object, const char *key, struct lc_text *out, struct lc_error *err)
{
	const struct lc_value *value = find(object, key);
	if (value == NULL) {
		return LC_OK;
	}
	struct lc_text text;
	if (lc_value_text(value, &text) != LC_OK) {
		return lc_error_set(err, LC_ERR_INVALID, "%s is not a text", key);
	}
	if (text.len > LC_MESSAGE_TEXT_MAX) {
		return lc_error_set(err, LC_ERR_INVALID, "%s is longer than %d bytes", key,
			LC_MESSAGE_TEXT_MAX);
	}
	*out = text;
	return LC_OK;
}

static enum lc_err take_required(
	const struct lc_value *object, const char *key, struct lc_text *out, struct lc_error *err)
{
	enum lc_err rc = take_text(object, key, out, err);
	if (rc == LC_OK && out->len == 0) {
		rc = lc_error_set(err, LC_ERR_INVALID, "%s is missing", key);
	}
	return rc;
}

/* A time from a clock that runs ahead would win over all later decisions, so it counts as the
 * record's. */
static enum lc_err take_time(const struct lc_value *object, const struct lc_message_in *in,
	int64_t *ns, bool *clamped, struct lc_error *err)
{
	const struct lc_value *value = find(object, "timestamp");
	*ns = in->record_ns;
	if (value == NULL) {
		return LC_OK;
	}
	int64_t said;
	if (lc_value_time(value, in->naive_zone, &said) != LC_OK) {
		return lc_error_set(err, LC_ERR_INVALID, "timestamp is not an ISO 8601 time");
	}
	int64_t ahead;
	*clamped = __builtin_sub_overflow(said, in->record_ns, &ahead)
			   ? said > in->record_ns
			   : ahead > LC_MESSAGE_AHEAD_NS;
	if (!*clamped) {
		*ns = said;
	}
	return LC_OK;
}

static enum lc_err parse(struct lc_decoder *decoder, const struct lc_message_in *in,
	const struct lc_value **root, struct lc_error *err)
{
	enum lc_err rc = lc_json_parse(decoder->json, in->data, in->len, in->len, root, err);
	if (rc == LC_OK && (*root)->type != LC_VALUE_OBJECT) {
		rc = lc_error_set(err, LC_ERR_INVALID, "not a JSON object");
	}
	return rc;
}

static enum lc_err reserve_texts(struct lc_decoder *decoder, size_t count)
{
	if (count <= decoder->capacity) {
		return LC_OK;
	}
	struct lc_text *texts = realloc(decoder->texts, count * sizeof *texts);
	if (texts == NULL) {
		return LC_ERR_NOMEM;
	}
	decoder->texts = texts;
	decoder->capacity = count;
	return LC_OK;
}

/* Collects the strings of a list into decoder->texts; anything else in it is counted in *others. */
static enum lc_err collect(
	struct lc_decoder *decoder, const struct lc_value *list, size_t *count, size_t *others)
{
	if (list->type != LC_VALUE_ARRAY) {
		return LC_ERR_INVALID;
	}
	if (list->len > LC_MESSAGE_SYMBOLS_MAX) {
		return LC_ERR_TOO_LARGE;
	}
	enum lc_err rc = reserve_texts(decoder, list->len);
	if (rc != LC_OK) {
		return rc;
	}
	size_t n = 0;
	const struct lc_value *item;
	*others = 0;
	lc_value_each (item, list) {
		if (lc_value_text(item, &decoder->texts[n]) == LC_OK) {
			n++;
		} else {
			++*others;
		}
	}
	*count = n;
	return LC_OK;
}

static enum lc_err take_update_type(
	const struct lc_value *root, enum lc_interest_type *type, struct lc_error *err)
{
	const struct lc_value *value = find(root, "update_type");
	if (value == NULL || lc_value_is(value, "replace")) {
		*type = LC_INTEREST_REPLACE;
	} else if (lc_value_is(value, "add")) {
		*type = LC_INTEREST_ADD;
	} else if (lc_value_is(value, "remove")) {
		*type = LC_INTEREST_REMOVE;
	} else {
		return lc_error_set(
			err, LC_ERR_INVALID, "update_type is not replace, add or remove");
	}
	return LC_OK;
}

/* A replace without any list would drop a portfolio's every symbol by mistake: the list must be
 * there, if only empty. */
static enum lc_err take_symbols(struct lc_decoder *decoder, const struct lc_value *root,
	struct lc_interest_update *out, struct lc_error *err)
{
	const struct lc_value *list = find(root, "symbols");
	enum lc_err rc = list == NULL ? LC_ERR_INVALID
				      : collect(decoder, list, &out->count, &out->not_texts);
	switch (rc) {
	case LC_OK:
		out->symbols = decoder->texts;
		return LC_OK;
	case LC_ERR_TOO_LARGE:
		return lc_error_set(err, rc, "more than %d symbols", LC_MESSAGE_SYMBOLS_MAX);
	case LC_ERR_NOMEM:
		return lc_error_set(err, rc, "out of memory");
	default:
		return lc_error_set(err, rc, "symbols is missing or not a list");
	}
}

static enum lc_command find_command(struct lc_text name)
{
	for (size_t i = 1; i < COMMANDS; i++) {
		if (strlen(command_names[i]) == name.len &&
			memcmp(command_names[i], name.data, name.len) == 0) {
			return (enum lc_command)i;
		}
	}
	return LC_COMMAND_UNKNOWN;
}

static enum lc_err take_ids(
	const struct lc_value *root, struct lc_control_command *out, struct lc_error *err)
{
	const struct {
		const char *key;
		struct lc_text *text;
	} fields[] = {
		{"request_id", &out->request_id},
		{"correlation_id", &out->correlation_id},
		{"source", &out->source},
		{"trace_id", &out->trace_id},
		{"span_id", &out->span_id},
		{"version", &out->version},
	};
	for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
		enum lc_err rc = take_text(root, fields[i].key, fields[i].text, err);
		if (rc != LC_OK) {
			return rc;
		}
	}
	out->id = out->request_id.len > 0 ? out->request_id : out->correlation_id;
	return LC_OK;
}

static void take_trace(const struct lc_message_in *in, struct lc_control_command *out)
{
	if (lc_traceparent_compose(out->trace_id, out->span_id, out->traceparent) ||
		!lc_traceparent_parse(in->traceparent, in->traceparent_len, out->traceparent)) {
		return;
	}
	if (out->trace_id.len == 0 && out->span_id.len == 0) {
		out->trace_id = (struct lc_text){
			in->traceparent + LC_TRACEPARENT_TRACE, LC_TRACE_ID_LEN};
		out->span_id = (struct lc_text){
			in->traceparent + LC_TRACEPARENT_SPAN, LC_SPAN_ID_LEN};
	}
}

static const struct lc_value *find_param(const struct lc_control_command *command, const char *key)
{
	return command->params != NULL ? find(command->params, key) : NULL;
}

static void take_decimal(const struct lc_value *root, const char *key, uint32_t bit,
	struct lc_decimal *out, uint32_t *has)
{
	const struct lc_value *value = find(root, key);
	if (value != NULL && lc_value_decimal(value, out) == LC_OK) {
		*has |= bit;
	}
}

static void take_numbers(const struct lc_value *root, struct lc_price_view *out)
{
	take_decimal(root, "price", LC_HAS_PRICE, &out->price, &out->has);
	take_decimal(root, "volume", LC_HAS_VOLUME, &out->volume, &out->has);
	take_decimal(root, "amount", LC_HAS_AMOUNT, &out->amount, &out->has);
	take_decimal(root, "bid_price", LC_HAS_BID, &out->bid, &out->has);
	take_decimal(root, "ask_price", LC_HAS_ASK, &out->ask, &out->has);
	take_decimal(root, "bid_volume", LC_HAS_BID_VOLUME, &out->bid_volume, &out->has);
	take_decimal(root, "ask_volume", LC_HAS_ASK_VOLUME, &out->ask_volume, &out->has);
	take_decimal(root, "prev_close", LC_HAS_PREV_CLOSE, &out->prev_close, &out->has);
	const struct lc_value *seq = find(root, "seq");
	const struct lc_value *conflated = find(root, "conflated");
	if (seq != NULL) {
		(void)lc_value_uint(seq, &out->seq); /* stays 0: outside the count */
	}
	if (conflated != NULL) {
		(void)lc_value_uint(conflated, &out->conflated);
	}
}

static enum lc_err take_origin(
	const struct lc_value *root, struct lc_price_view *out, struct lc_error *err)
{
	enum lc_err rc = take_required(root, "symbol", &out->symbol, err);
	rc = rc == LC_OK ? take_text(root, "kind", &out->kind, err) : rc;
	rc = rc == LC_OK ? take_text(root, "source", &out->source, err) : rc;
	rc = rc == LC_OK ? take_text(root, "stream", &out->stream, err) : rc;
	return rc == LC_OK ? take_text(root, "market", &out->market, err) : rc;
}

enum lc_err lc_decoder_create(struct lc_decoder **out)
{
	struct lc_decoder *decoder = calloc(1, sizeof *decoder);
	if (decoder == NULL) {
		return LC_ERR_NOMEM;
	}
	struct lc_json_limits limits = {
		.max_bytes = LC_MESSAGE_IN_MAX,
		.max_values = 2 * LC_MESSAGE_SYMBOLS_MAX,
		.max_depth = 16,
	};
	enum lc_err rc = lc_json_parser_create(&limits, &decoder->json);
	if (rc != LC_OK) {
		free(decoder);
		return rc;
	}
	*out = decoder;
	return LC_OK;
}

void lc_decoder_destroy(struct lc_decoder *decoder)
{
	if (decoder == NULL) {
		return;
	}
	lc_json_parser_destroy(decoder->json);
	free(decoder->texts);
	free(decoder);
}

enum lc_err lc_interest_update_decode(struct lc_decoder *decoder, const struct lc_message_in *in,
	struct lc_interest_update *out, struct lc_error *err)
{
	*out = (struct lc_interest_update){0};
	const struct lc_value *root;
	enum lc_err rc = parse(decoder, in, &root, err);
	rc = rc == LC_OK ? take_required(root, "portfolio_id", &out->portfolio_id, err) : rc;
	rc = rc == LC_OK ? take_text(root, "node_id", &out->node_id, err) : rc;
	rc = rc == LC_OK ? take_update_type(root, &out->type, err) : rc;
	rc = rc == LC_OK ? take_time(root, in, &out->timestamp_ns, &out->clamped, err) : rc;
	return rc == LC_OK ? take_symbols(decoder, root, out, err) : rc;
}

enum lc_err lc_control_command_decode(struct lc_decoder *decoder, const struct lc_message_in *in,
	struct lc_control_command *out, struct lc_error *err)
{
	*out = (struct lc_control_command){0};
	const struct lc_value *root;
	enum lc_err rc = parse(decoder, in, &root, err);
	rc = rc == LC_OK ? take_required(root, "command", &out->name, err) : rc;
	rc = rc == LC_OK ? take_ids(root, out, err) : rc;
	rc = rc == LC_OK ? take_time(root, in, &out->timestamp_ns, &out->clamped, err) : rc;
	if (rc != LC_OK) {
		return rc;
	}
	take_trace(in, out);
	out->command = find_command(out->name);
	out->params = find(root, "params");
	if (out->params != NULL && out->params->type != LC_VALUE_OBJECT) {
		return lc_error_set(err, LC_ERR_INVALID, "params is not an object");
	}
	return LC_OK;
}

const char *lc_command_name(enum lc_command command)
{
	assert((size_t)command < COMMANDS);
	return command_names[command];
}

enum lc_err lc_command_text(
	const struct lc_control_command *command, const char *key, struct lc_text *out)
{
	const struct lc_value *value = find_param(command, key);
	return value != NULL ? lc_value_text(value, out) : LC_ERR_NOT_FOUND;
}

enum lc_err lc_command_bool(const struct lc_control_command *command, const char *key, bool *out)
{
	const struct lc_value *value = find_param(command, key);
	return value != NULL ? lc_value_bool(value, out) : LC_ERR_NOT_FOUND;
}

enum lc_err lc_command_int(const struct lc_control_command *command, const char *key, int64_t *out)
{
	const struct lc_value *value = find_param(command, key);
	return value != NULL ? lc_value_int(value, out) : LC_ERR_NOT_FOUND;
}

enum lc_err lc_command_codes(struct lc_decoder *decoder, const struct lc_control_command *command,
	const struct lc_text **codes, size_t *count)
{
	const struct lc_value *value = find_param(command, "codes");
	bool list = value != NULL && value->type == LC_VALUE_ARRAY;
	if (value == NULL) {
		value = find_param(command, "code");
	}
	if (value == NULL) {
		return LC_ERR_NOT_FOUND;
	}
	enum lc_err rc;
	if (list) {
		size_t others = 0;
		rc = collect(decoder, value, count, &others);
		rc = rc == LC_OK && others > 0 ? LC_ERR_INVALID : rc;
	} else {
		rc = reserve_texts(decoder, 1);
		rc = rc == LC_OK ? lc_value_text(value, decoder->texts) : rc;
		*count = 1;
	}
	*codes = decoder->texts;
	return rc;
}

enum lc_err lc_price_update_decode(struct lc_decoder *decoder, const struct lc_message_in *in,
	struct lc_price_view *out, struct lc_error *err)
{
	*out = (struct lc_price_view){0};
	const struct lc_value *root;
	enum lc_err rc = parse(decoder, in, &root, err);
	rc = rc == LC_OK ? take_origin(root, out, err) : rc;
	if (rc != LC_OK) {
		return rc;
	}
	take_numbers(root, out);
	const struct lc_value *event = find(root, "timestamp");
	const struct lc_value *received = find(root, "received_at");
	if (event != NULL && lc_value_time(event, in->naive_zone, &out->event_ns) == LC_OK) {
		out->has |= LC_HAS_EVENT_TIME;
	}
	if (received != NULL) {
		(void)lc_value_time(received, in->naive_zone, &out->received_ns);
	}
	return LC_OK;
}
