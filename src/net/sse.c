#include "livecore/sse.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define EVENT_NAME_MAX 64 /* with the NUL */

struct store {
	char *data; /* owned; grows up to the parser's bound and is kept */
	size_t len, capacity;
};

struct lc_sse {
	lc_sse_event_cb on_event;
	void *arg;
	size_t max_bytes;
	struct store line;  /* the line that is being read */
	struct store event; /* the data of the event that is being read, its lines joined */
	char name[EVENT_NAME_MAX];
	bool has_data;    /* a data field came, even an empty one */
	bool after_cr;    /* an LF now belongs to the CR before it */
	bool skip_line;   /* the line is too long: its rest is dropped */
	bool skip_event;  /* the event is too long: it is dropped at its end */
	bool first_line;  /* a byte order mark may come */
	bool blank_event; /* nothing but blank lines since the last event */
	struct lc_sse_counts counts;
};

static enum lc_err store_append(struct store *store, const char *data, size_t len, size_t max)
{
	if (len > max - store->len) {
		return LC_ERR_TOO_LARGE;
	}
	size_t need = store->len + len;
	if (need > store->capacity) {
		size_t capacity = store->capacity ? store->capacity : 256;
		while (capacity < need) {
			capacity *= 2;
		}
		char *grown = realloc(store->data, capacity);
		if (!grown) {
			return LC_ERR_NOMEM;
		}
		store->data = grown;
		store->capacity = capacity;
	}
	if (len) {
		memcpy(store->data + store->len, data, len);
	}
	store->len = need;
	return LC_OK;
}

static enum lc_err add_data(struct lc_sse *sse, const char *value, size_t len)
{
	enum lc_err err = sse->has_data ? store_append(&sse->event, "\n", 1, sse->max_bytes)
					: LC_OK;
	sse->has_data = true;
	return err == LC_OK ? store_append(&sse->event, value, len, sse->max_bytes) : err;
}

static void set_name(struct lc_sse *sse, const char *value, size_t len)
{
	if (len > sizeof sse->name - 1) {
		len = sizeof sse->name - 1;
	}
	memcpy(sse->name, value, len);
	sse->name[len] = '\0';
}

static void forget_event(struct lc_sse *sse)
{
	sse->event.len = 0;
	sse->name[0] = '\0';
	sse->has_data = false;
	sse->skip_event = false;
}

/* A blank line: the event's end, or a keep-alive. */
static enum lc_err end_event(struct lc_sse *sse)
{
	enum lc_err err = LC_OK;
	if (sse->skip_event) {
		sse->counts.oversize++;
	} else if (sse->has_data) {
		sse->counts.events++;
		err = sse->on_event(
			sse->arg, sse->name, sse->event.len ? sse->event.data : "", sse->event.len);
	} else if (sse->blank_event) {
		sse->counts.keepalives++;
	}
	forget_event(sse);
	sse->blank_event = true;
	return err;
}

static bool field_is(const char *line, size_t len, const char *name)
{
	return len == strlen(name) && memcmp(line, name, len) == 0;
}

/* One line without its end. */
static enum lc_err take_line(struct lc_sse *sse, const char *line, size_t len)
{
	if (sse->first_line && len >= 3 && memcmp(line, "\xef\xbb\xbf", 3) == 0) {
		line += 3;
		len -= 3;
	}
	sse->first_line = false;
	if (len == 0) {
		return end_event(sse);
	}
	if (*line == ':') {
		sse->counts.keepalives++;
		return LC_OK;
	}
	sse->blank_event = false;
	const char *colon = memchr(line, ':', len);
	size_t name_len = colon ? (size_t)(colon - line) : len;
	const char *value = colon ? colon + 1 : line + len;
	size_t value_len = len - (size_t)(value - line);
	if (value_len && *value == ' ') {
		value++;
		value_len--;
	}
	if (field_is(line, name_len, "event")) {
		set_name(sse, value, value_len);
	} else if (field_is(line, name_len, "data") && !sse->skip_event) {
		enum lc_err err = add_data(sse, value, value_len);
		sse->skip_event = err == LC_ERR_TOO_LARGE;
		return err == LC_ERR_TOO_LARGE ? LC_OK : err;
	}
	return LC_OK; /* id, retry and unknown fields mean nothing to us */
}

/* The line ends here: what was kept of it, and the piece that this chunk has. */
static enum lc_err end_line(struct lc_sse *sse, const char *piece, size_t len)
{
	enum lc_err err = LC_OK;
	if (sse->skip_line || len > sse->max_bytes - sse->line.len) {
		sse->skip_event = true;
		sse->blank_event = false;
		sse->first_line = false;
	} else if (sse->line.len == 0) {
		/* Usual: the whole line lies in this chunk, nothing is copied. */
		err = take_line(sse, piece, len);
	} else {
		err = store_append(&sse->line, piece, len, sse->max_bytes);
		if (err == LC_OK) {
			err = take_line(sse, sse->line.data, sse->line.len);
		}
	}
	sse->line.len = 0;
	sse->skip_line = false;
	return err;
}

static enum lc_err keep_piece(struct lc_sse *sse, const char *piece, size_t len)
{
	if (sse->skip_line) {
		return LC_OK;
	}
	enum lc_err err = store_append(&sse->line, piece, len, sse->max_bytes);
	sse->skip_line = err == LC_ERR_TOO_LARGE;
	return sse->skip_line ? LC_OK : err;
}

static const char *line_end(const char *at, const char *end)
{
	const char *lf = memchr(at, '\n', (size_t)(end - at));
	const char *cr = memchr(at, '\r', (size_t)((lf ? lf : end) - at));
	return cr ? cr : lf;
}

enum lc_err lc_sse_create(
	size_t max_event_bytes, lc_sse_event_cb on_event, void *arg, struct lc_sse **out)
{
	struct lc_sse *sse = calloc(1, sizeof *sse);
	if (!sse) {
		return LC_ERR_NOMEM;
	}
	sse->on_event = on_event;
	sse->arg = arg;
	sse->max_bytes = max_event_bytes;
	lc_sse_reset(sse);
	*out = sse;
	return LC_OK;
}

void lc_sse_destroy(struct lc_sse *sse)
{
	if (sse) {
		free(sse->line.data);
		free(sse->event.data);
		free(sse);
	}
}

enum lc_err lc_sse_feed(struct lc_sse *sse, const void *data, size_t len)
{
	const char *at = data;
	const char *end = at + len;
	while (at < end) {
		if (sse->after_cr && *at == '\n') {
			at++;
		}
		sse->after_cr = false;
		if (at == end) {
			break;
		}
		const char *stop = line_end(at, end);
		enum lc_err err = stop ? end_line(sse, at, (size_t)(stop - at))
				       : keep_piece(sse, at, (size_t)(end - at));
		if (err != LC_OK) {
			return err;
		}
		sse->after_cr = stop && *stop == '\r';
		at = stop ? stop + 1 : end;
	}
	return LC_OK;
}

void lc_sse_reset(struct lc_sse *sse)
{
	forget_event(sse);
	sse->line.len = 0;
	sse->after_cr = false;
	sse->skip_line = false;
	sse->first_line = true;
	sse->blank_event = true;
}

struct lc_sse_counts lc_sse_counts(const struct lc_sse *sse)
{
	return sse->counts;
}
