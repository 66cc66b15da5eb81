#include "eastmoney_priv.h"

#include <stdlib.h>
#include <string.h>

void lc_eastmoney_book_init(struct lc_eastmoney_book *book, const struct lc_symbols *symbols)
{
	*book = (struct lc_eastmoney_book){.symbols = symbols};
	lc_list_init(&book->polled);
}

void lc_eastmoney_book_finish(struct lc_eastmoney_book *book)
{
	lc_eastmoney_book_clear(book);
	free(book->entries);
	free(book->known);
}

void lc_eastmoney_book_markets(struct lc_eastmoney_book *book, const struct lc_strings *markets)
{
	book->n_us_markets = 0;
	for (size_t i = 0; i < markets->count && book->n_us_markets < LC_EASTMONEY_US_MARKETS;
		i++) {
		book->us_markets[book->n_us_markets++] = (uint8_t)strtoul(
			markets->items[i], NULL, 10);
	}
	if (book->n_us_markets == 0) {
		book->us_markets[book->n_us_markets++] = LC_EASTMONEY_US_FIRST;
	}
}

static enum lc_err make_room(struct lc_eastmoney_book *book, uint32_t symbol)
{
	if (symbol < book->room) {
		return LC_OK;
	}
	size_t room = (size_t)symbol + 1;
	room = room < book->room * 2 ? book->room * 2 : room;
	void *entries = realloc(book->entries, room * sizeof(struct lc_eastmoney_entry *));
	if (!entries) {
		return LC_ERR_NOMEM;
	}
	book->entries = entries;
	void *known = realloc(book->known, room * sizeof(*book->known));
	if (!known) {
		return LC_ERR_NOMEM;
	}
	book->known = known;
	for (size_t i = book->room; i < room; i++) {
		book->entries[i] = NULL;
		book->known[i] = (struct lc_eastmoney_known){0};
	}
	book->room = room;
	return LC_OK;
}

enum lc_err lc_eastmoney_book_add(
	struct lc_eastmoney_book *book, uint32_t symbol, int64_t now_ns, struct lc_list **after)
{
	if (make_room(book, symbol) != LC_OK) {
		return LC_ERR_NOMEM;
	}
	if (book->entries[symbol]) {
		return LC_OK;
	}
	struct lc_eastmoney_entry *entry = calloc(1, sizeof(*entry));
	if (!entry) {
		return LC_ERR_NOMEM;
	}
	entry->symbol = symbol;
	entry->fresh_ns = now_ns;
	entry->awaits_full = true;
	lc_list_append((*after)->next, &entry->node);
	*after = &entry->node;
	book->entries[symbol] = entry;
	book->count++;
	book->n_polled++;
	return LC_OK;
}

void lc_eastmoney_book_remove(struct lc_eastmoney_book *book, uint32_t symbol)
{
	struct lc_eastmoney_entry *entry = lc_eastmoney_book_find(book, symbol);
	if (!entry) {
		return;
	}
	struct lc_eastmoney_stream *stream = entry->stream;
	if (stream) {
		stream->secids -= entry->secids;
		stream->bytes -= entry->bytes;
		stream->changed = true;
	} else {
		book->n_polled--;
	}
	lc_list_remove(&entry->node);
	book->entries[symbol] = NULL;
	book->count--;
	free(entry);
}

void lc_eastmoney_book_clear(struct lc_eastmoney_book *book)
{
	for (size_t i = 0; i < book->room && book->count > 0; i++) {
		lc_eastmoney_book_remove(book, (uint32_t)i);
	}
}

struct lc_eastmoney_entry *lc_eastmoney_book_find(
	const struct lc_eastmoney_book *book, uint32_t symbol)
{
	return symbol < book->room ? book->entries[symbol] : NULL;
}

struct lc_eastmoney_known *lc_eastmoney_book_known(
	const struct lc_eastmoney_book *book, uint32_t symbol)
{
	return symbol < book->room ? &book->known[symbol] : NULL;
}

size_t lc_eastmoney_book_secids(const struct lc_eastmoney_book *book,
	const struct lc_eastmoney_entry *entry, struct lc_buf *out)
{
	const struct lc_symbol *symbol = lc_symbols_get(book->symbols, entry->symbol);
	const uint8_t *markets = book->us_markets;
	size_t count = book->n_us_markets;
	if (symbol->market != LC_MARKET_US) {
		count = 1;
	} else if (book->known[entry->symbol].us_market) {
		markets = &book->known[entry->symbol].us_market;
		count = 1;
	}
	for (size_t i = 0; i < count; i++) {
		char secid[LC_EASTMONEY_SECID_MAX];
		size_t len = lc_eastmoney_secid(symbol, markets[i], secid);
		if (i > 0) {
			lc_buf_putc(out, ',');
		}
		lc_buf_append(out, secid, len);
	}
	return count;
}

bool lc_eastmoney_book_fill(struct lc_eastmoney_book *book, struct lc_eastmoney_stream *stream,
	size_t max_secids, size_t max_bytes)
{
	bool moved = false;
	struct lc_buf text;
	lc_buf_init(&text, 256);
	while (!lc_list_empty(&book->polled)) {
		struct lc_eastmoney_entry *entry = container_of(
			book->polled.next, struct lc_eastmoney_entry, node);
		lc_buf_clear(&text);
		size_t secids = lc_eastmoney_book_secids(book, entry, &text);
		size_t bytes = text.len + 1;
		if (text.failed || stream->secids + secids > max_secids ||
			stream->bytes + bytes > max_bytes) {
			break;
		}
		entry->stream = stream;
		entry->secids = secids;
		entry->bytes = bytes;
		stream->secids += secids;
		stream->bytes += bytes;
		lc_list_remove(&entry->node);
		lc_list_append(&stream->entries, &entry->node);
		book->n_polled--;
		stream->changed = moved = true;
	}
	lc_buf_finish(&text);
	return moved;
}

size_t lc_eastmoney_book_batch(struct lc_eastmoney_book *book, uint32_t round, size_t max_secids,
	size_t max_bytes, struct lc_buf *out)
{
	size_t taken = 0, secids = 0, limit = out->len + max_bytes;
	while (taken < book->n_polled) {
		struct lc_eastmoney_entry *entry = container_of(
			book->polled.next, struct lc_eastmoney_entry, node);
		size_t before = out->len;
		if (taken > 0) {
			lc_buf_putc(out, ',');
		}
		size_t more = lc_eastmoney_book_secids(book, entry, out);
		/* The first always goes, so that no limit can stop the round. */
		if (taken > 0 && (secids + more > max_secids || out->len > limit)) {
			out->len = before;
			break;
		}
		secids += more;
		entry->round = round;
		lc_list_remove(&entry->node);
		lc_list_append(&book->polled, &entry->node);
		taken++;
	}
	return taken;
}
