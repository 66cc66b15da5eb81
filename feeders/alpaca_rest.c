#include "alpaca_rest.h"

#include "livecore/clock.h"

/* A trading day as New York's midnights bound it; the longest has 25 hours. */
#define DAY_NS (25 * 3600 * LC_NS_PER_S)

struct page_reader {
	enum lc_alpaca_type type;
	struct lc_conditions_seen *seen;
	lc_alpaca_item_cb item;
	void *arg;
	struct lc_alpaca_page *page;
};

/* `u` on a trade of history: what the vendor took back or replaced since. */
static bool was_withdrawn(const struct lc_value *value)
{
	const struct lc_value *update = lc_value_find(value, "u");
	return update && (lc_value_is(update, "canceled") || lc_value_is(update, "corrected") ||
				 lc_value_is(update, "incorrect"));
}

static void read_item(
	struct page_reader *reader, struct lc_text symbol, const struct lc_value *value)
{
	struct lc_alpaca_msg msg;
	const char *reason;
	if (lc_alpaca_parse_as(reader->type, value, reader->seen, &msg, &reason) != LC_OK) {
		reader->page->bad++;
		return;
	}
	msg.symbol = symbol;
	msg.withdrawn = reader->type == LC_ALPACA_TRADE && was_withdrawn(value);
	reader->page->items++;
	reader->item(reader->arg, &msg);
}

/* null, which the vendor sends for an empty list, is no item. */
static void read_items(
	struct page_reader *reader, struct lc_text symbol, const struct lc_value *value)
{
	if (value->type == LC_VALUE_OBJECT) {
		read_item(reader, symbol, value);
	} else if (value->type == LC_VALUE_ARRAY) {
		const struct lc_value *each;
		lc_value_each (each, value) {
			read_item(reader, symbol, each);
		}
	} else if (value->type != LC_VALUE_NULL) {
		reader->page->bad++;
	}
}

static const struct lc_value *find_list(const struct lc_value *root, enum lc_alpaca_type *type)
{
	static const struct {
		const char *name;
		enum lc_alpaca_type type;
	} lists[] = {
		{"trades", LC_ALPACA_TRADE},
		{"quotes", LC_ALPACA_QUOTE},
		{"bars", LC_ALPACA_BAR},
	};
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		const struct lc_value *list = lc_value_find(root, lists[i].name);
		if (list) {
			*type = lists[i].type;
			return list;
		}
	}
	return NULL;
}

static void reference_put(struct lc_reference *reference, uint32_t bit, struct lc_decimal *field,
	struct lc_decimal value)
{
	reference->has |= bit;
	*field = value;
}

/* A member that is absent or null is not there; one that cannot be read spoils the snapshot. */
static enum lc_err read_part(const struct lc_value *snapshot, const char *name,
	enum lc_alpaca_type type, struct lc_conditions_seen *seen, struct lc_alpaca_msg *msg,
	bool *there)
{
	const struct lc_value *value = lc_value_find(snapshot, name);
	const char *reason;
	*there = value && value->type != LC_VALUE_NULL;
	return *there ? lc_alpaca_parse_as(type, value, seen, msg, &reason) : LC_OK;
}

static enum lc_err read_snapshot(
	const struct lc_value *snapshot, struct lc_conditions_seen *seen, struct lc_reference *out)
{
	struct lc_alpaca_msg trade, day, before;
	bool has_trade, has_day, has_before;
	if (read_part(snapshot, "latestTrade", LC_ALPACA_TRADE, seen, &trade, &has_trade) !=
			LC_OK ||
		read_part(snapshot, "dailyBar", LC_ALPACA_BAR, seen, &day, &has_day) != LC_OK ||
		read_part(snapshot, "prevDailyBar", LC_ALPACA_BAR, seen, &before, &has_before) !=
			LC_OK) {
		return LC_ERR_INVALID;
	}
	bool same_day = has_day && (!has_trade || trade.time_ns - day.time_ns < DAY_NS);
	if (has_trade && (!has_day || trade.u.tick.effect & LC_UPDATES_LAST)) {
		reference_put(out, LC_HAS_PRICE, &out->price, trade.u.tick.price);
		out->event_ns = trade.time_ns;
	} else if (has_day) {
		reference_put(out, LC_HAS_PRICE, &out->price, day.u.bar.close);
		out->event_ns = has_trade ? trade.time_ns : day.time_ns;
	}
	if (same_day) {
		reference_put(out, LC_HAS_OPEN, &out->open, day.u.bar.open);
		reference_put(out, LC_HAS_HIGH, &out->high, day.u.bar.high);
		reference_put(out, LC_HAS_LOW, &out->low, day.u.bar.low);
		reference_put(out, LC_HAS_VOLUME, &out->volume, day.u.bar.volume);
	}
	if (has_day && !same_day) {
		reference_put(out, LC_HAS_PREV_CLOSE, &out->prev_close, day.u.bar.close);
	} else if (has_before) {
		reference_put(out, LC_HAS_PREV_CLOSE, &out->prev_close, before.u.bar.close);
	}
	return LC_OK;
}

enum lc_err lc_alpaca_rest_page(const struct lc_value *root, struct lc_conditions_seen *seen,
	lc_alpaca_item_cb item, void *arg, struct lc_alpaca_page *page)
{
	*page = (struct lc_alpaca_page){0};
	struct page_reader reader = {.seen = seen, .item = item, .arg = arg, .page = page};
	const struct lc_value *list = find_list(root, &reader.type);
	if (!list || (list->type != LC_VALUE_OBJECT && list->type != LC_VALUE_ARRAY)) {
		return LC_ERR_INVALID;
	}
	const struct lc_value *key, *value;
	lc_value_each_field (key, value, list) {
		struct lc_text symbol;
		if (lc_value_text(key, &symbol) == LC_OK) {
			read_items(&reader, symbol, value);
		}
	}
	if (list->type == LC_VALUE_ARRAY) {
		const struct lc_value *name = lc_value_find(root, "symbol");
		struct lc_text symbol;
		if (!name || lc_value_text(name, &symbol) != LC_OK) {
			return LC_ERR_INVALID;
		}
		read_items(&reader, symbol, list);
	}
	const struct lc_value *next = lc_value_find(root, "next_page_token");
	if (next && next->type != LC_VALUE_NULL) {
		return lc_value_text(next, &page->next);
	}
	return LC_OK;
}

enum lc_err lc_alpaca_rest_snapshots(const struct lc_value *root, struct lc_conditions_seen *seen,
	lc_alpaca_snapshot_cb snapshot, void *arg, size_t *bad)
{
	*bad = 0;
	if (root->type != LC_VALUE_OBJECT) {
		return LC_ERR_INVALID;
	}
	const struct lc_value *key, *value;
	lc_value_each_field (key, value, root) {
		struct lc_text symbol;
		struct lc_reference reference = {0};
		if (lc_value_text(key, &symbol) != LC_OK || value->type == LC_VALUE_NULL) {
			continue;
		}
		if (value->type != LC_VALUE_OBJECT ||
			read_snapshot(value, seen, &reference) != LC_OK) {
			(*bad)++;
		} else if (reference.has & LC_HAS_PRICE) {
			snapshot(arg, symbol, &reference);
		}
	}
	return LC_OK;
}

enum lc_err lc_alpaca_rest_error(const struct lc_value *root, struct lc_text *message)
{
	const struct lc_value *text = lc_value_find(root, "message");
	return text ? lc_value_text(text, message) : LC_ERR_INVALID;
}
