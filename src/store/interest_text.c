#include "store/interest_text.h"

#include "store/interest_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define VERSION 1

bool interest_text_write(
	const struct lc_saved_portfolio *portfolio, size_t *next, size_t want, struct lc_buf *out)
{
	if (*next == 0) {
		lc_buf_printf(out, "%d %lld %lld %zu\n", VERSION, (long long)portfolio->replace_ns,
			(long long)portfolio->latest_ns, portfolio->count);
	}
	while (*next < portfolio->count && out->len < want) {
		const struct lc_saved_entry *entry = &portfolio->entries[(*next)++];
		lc_buf_puts(out, entry->symbol);
		lc_buf_putc(out, ' ');
		lc_buf_int(out, entry->follow_ns);
		lc_buf_putc(out, ' ');
		lc_buf_int(out, entry->remove_ns);
		lc_buf_putc(out, ' ');
		lc_buf_int(out, entry->since_ns);
		lc_buf_putc(out, '\n');
	}
	return *next < portfolio->count;
}

void interest_text_offsets(const struct lc_saved_interest *saved, struct lc_buf *out)
{
	for (size_t i = 0; i < saved->offset_count; i++) {
		lc_buf_int(out, saved->offsets[i].partition);
		lc_buf_putc(out, ':');
		lc_buf_int(out, saved->offsets[i].next);
		lc_buf_putc(out, ' ');
	}
}

/* One number, and the character behind it; false: there is none. */
static bool take_number(const char **at, char end, int64_t *out)
{
	char *stop;
	errno = 0;
	*out = strtoll(*at, &stop, 10);
	if (stop == *at || *stop != end || errno != 0) {
		return false;
	}
	*at = stop + (end != '\0');
	return true;
}

static bool read_head(
	struct interest_text_reader *reader, const char *at, struct lc_saved_portfolio *portfolio)
{
	int64_t version, count;
	if (!take_number(&at, ' ', &version) || version != VERSION ||
		!take_number(&at, ' ', &portfolio->replace_ns) ||
		!take_number(&at, ' ', &portfolio->latest_ns) || !take_number(&at, '\0', &count) ||
		count < 0) {
		return false;
	}
	reader->promised = (size_t)count;
	reader->head = true;
	return true;
}

static bool read_entry(const char *at, struct lc_saved_entry *entry)
{
	size_t len = strcspn(at, " ");
	if (len == 0 || len >= sizeof entry->symbol || at[len] != ' ') {
		return false;
	}
	memcpy(entry->symbol, at, len);
	at += len + 1;
	return take_number(&at, ' ', &entry->follow_ns) &&
	       take_number(&at, ' ', &entry->remove_ns) && take_number(&at, '\0', &entry->since_ns);
}

static enum lc_err read_line(
	struct interest_text_reader *reader, struct lc_saved_portfolio *portfolio)
{
	reader->line[reader->len] = '\0';
	reader->len = 0;
	if (!reader->head) {
		return read_head(reader, reader->line, portfolio) ? LC_OK : LC_ERR_INVALID;
	}
	void *items = portfolio->entries;
	if (portfolio->count >= reader->promised) {
		return LC_ERR_INVALID;
	}
	struct lc_saved_entry *entry = interest_grow(&items, portfolio->count, sizeof *entry);
	if (!entry) {
		return LC_ERR_NOMEM;
	}
	portfolio->entries = items;
	portfolio->count++;
	return read_entry(reader->line, entry) ? LC_OK : LC_ERR_INVALID;
}

enum lc_err interest_text_feed(struct interest_text_reader *reader, const char *data, size_t len,
	struct lc_saved_portfolio *portfolio)
{
	enum lc_err rc = LC_OK;
	for (size_t i = 0; i < len && rc == LC_OK; i++) {
		if (data[i] == '\n') {
			rc = read_line(reader, portfolio);
		} else if (reader->len + 1 >= sizeof reader->line) {
			rc = LC_ERR_INVALID;
		} else {
			reader->line[reader->len++] = data[i];
		}
	}
	return rc;
}

bool interest_text_whole(
	const struct interest_text_reader *reader, const struct lc_saved_portfolio *portfolio)
{
	return reader->head && reader->len == 0 && portfolio->count == reader->promised;
}

enum lc_err interest_text_read_offsets(const char *text, struct lc_saved_interest *out)
{
	while (*text) {
		int64_t partition, next;
		void *items = out->offsets;
		if (!take_number(&text, ':', &partition) || !take_number(&text, ' ', &next) ||
			partition < 0 || partition > INT32_MAX || next < 0) {
			return LC_ERR_INVALID;
		}
		struct lc_saved_offset *offset = interest_grow(
			&items, out->offset_count, sizeof *offset);
		if (!offset) {
			return LC_ERR_NOMEM;
		}
		out->offsets = items;
		out->offset_count++;
		*offset = (struct lc_saved_offset){(int32_t)partition, next};
	}
	return LC_OK;
}
