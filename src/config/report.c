#include "config/config_priv.h"

#include "livecore/utf8.h"

#include <stdio.h>
#include <string.h>

enum { MESSAGE_MAX = 1024 };

struct lc_config_complaint {
	struct lc_config_complaint *next;
	struct lc_config_place place;
	const char *text;
};

static bool goes_before(const struct lc_config_place *a, const struct lc_config_place *b)
{
	if (a->source != b->source) {
		return a->source < b->source;
	}
	if (a->line != b->line) {
		return a->line < b->line;
	}
	return a->column < b->column;
}

void lc_config_complain(
	struct lc_config_report *report, struct lc_config_place place, const char *format, ...)
{
	if (++report->count > LC_CONFIG_ERRORS_MAX) {
		return;
	}
	char text[MESSAGE_MAX];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	struct lc_config_complaint *complaint = lc_config_alloc(report->arena, sizeof *complaint);
	char *copy = lc_config_copy(report->arena, text, strlen(text));
	if (!complaint || !copy) {
		return;
	}
	*complaint = (struct lc_config_complaint){.place = place, .text = copy};
	struct lc_config_complaint **at = &report->first;
	while (*at && !goes_before(&place, &(*at)->place)) {
		at = &(*at)->next;
	}
	complaint->next = *at;
	*at = complaint;
}

void lc_config_write_place(const struct lc_config_place *place, struct lc_buf *out)
{
	lc_config_escape(out, place->name ? place->name : "default", 512);
	if (place->line > 0) {
		lc_buf_printf(out, ":%d:%d", place->line, place->column);
	}
	lc_buf_puts(out, ": ");
}

/* out fails as a whole when one append is too much for it, so what does not fit is left out. */
static void append_if_fits(struct lc_buf *line, struct lc_buf *out)
{
	if (!line->failed && !out->failed && line->len < out->limit - out->len) {
		lc_buf_append(out, line->data, line->len);
	}
	lc_buf_clear(line);
}

void lc_config_report_write(const struct lc_config_report *report, struct lc_buf *out)
{
	struct lc_buf line;
	lc_buf_init(&line, 2 * MESSAGE_MAX + 4 * 512);
	for (const struct lc_config_complaint *at = report->first; at; at = at->next) {
		lc_config_write_place(&at->place, &line);
		lc_buf_puts(&line, at->text);
		lc_buf_putc(&line, '\n');
		append_if_fits(&line, out);
	}
	if (report->count > LC_CONFIG_ERRORS_MAX) {
		lc_buf_printf(&line, "and %zu more errors\n", report->count - LC_CONFIG_ERRORS_MAX);
		append_if_fits(&line, out);
	}
	lc_buf_finish(&line);
}

void lc_config_escape(struct lc_buf *buf, const char *text, size_t max)
{
	size_t len = strlen(text);
	bool cut = len > max;
	if (cut) {
		len = max;
		/* Not in the middle of a character. */
		while (len > 0 && ((unsigned char)text[len] & 0xC0) == 0x80) {
			len--;
		}
	}
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];
		if (c < 0x20 || c == 0x7F) {
			lc_buf_printf(buf, "\\x%02x", c);
		} else {
			lc_buf_putc(buf, (char)c);
		}
	}
	if (cut) {
		lc_buf_puts(buf, "...");
	}
}

const char *lc_config_shown(const char *text, char *out, size_t size)
{
	struct lc_buf buf;
	lc_buf_init(&buf, 4096);
	lc_config_escape(&buf, text, 60);
	snprintf(out, size, "%s", lc_buf_text(&buf));
	lc_buf_finish(&buf);
	return out;
}

size_t lc_config_utf8_span(const char *data, size_t size)
{
	size_t at = 0;
	while (at < size && data[at] != '\0') {
		bool ascii = (unsigned char)data[at] < 0x80;
		size_t len = ascii ? 1 : lc_utf8_length(data + at, size - at);
		if (len == 0) {
			return at;
		}
		at += len;
	}
	return at;
}
