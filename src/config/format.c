/* Typed values to canonical text. */
#include "config/config_priv.h"

#include <inttypes.h>
#include <string.h>

struct unit {
	const char *name;
	int64_t factor;
};

static void put_quantity(int64_t value, const struct unit *units, struct lc_buf *out)
{
	while (value == 0 || value % units->factor != 0) {
		if (units->factor == 1) {
			break;
		}
		units++;
	}
	lc_buf_printf(out, "%" PRId64 "%s", value / units->factor, value == 0 ? "" : units->name);
}

void lc_config_format_duration(int64_t ms, struct lc_buf *out)
{
	static const struct unit units[] = {
		{"h", 60 * 60 * 1000}, {"m", 60 * 1000}, {"s", 1000}, {"ms", 1}};
	put_quantity(ms, units, out);
}

void lc_config_format_size(int64_t bytes, struct lc_buf *out)
{
	static const struct unit units[] = {
		{"GB", 1024 * 1024 * 1024}, {"MB", 1024 * 1024}, {"KB", 1024}, {"B", 1}};
	put_quantity(bytes, units, out);
}

static void put_double(double value, struct lc_buf *out)
{
	struct lc_decimal decimal;
	if (lc_decimal_from_double(value, &decimal) == LC_OK) {
		lc_buf_decimal(out, decimal);
	} else {
		lc_buf_puts(out, "?");
	}
}

/* Quoted where lc_config_split() would not give the same item back. */
static void put_item(const char *item, struct lc_buf *out)
{
	size_t len = strlen(item);
	bool quoted = len == 0 || strpbrk(item, ",\"\\") || strchr(" \t", item[0]) ||
		      strchr(" \t", item[len - 1]);
	if (!quoted) {
		lc_buf_puts(out, item);
		return;
	}
	lc_buf_putc(out, '"');
	for (; *item; item++) {
		if (*item == '"' || *item == '\\') {
			lc_buf_putc(out, '\\');
		}
		lc_buf_putc(out, *item);
	}
	lc_buf_putc(out, '"');
}

static void put_list(const struct lc_strings *list, struct lc_buf *out)
{
	for (size_t i = 0; i < list->count; i++) {
		lc_buf_puts(out, i > 0 ? ", " : "");
		put_item(list->items[i], out);
	}
}

/* ssl.key.password, sasl.oauthbearer.client.secret: what librdkafka calls its secrets. */
static bool names_secret(const char *key)
{
	return strcasestr(key, "password") || strcasestr(key, "secret");
}

static void put_map(const struct lc_pairs *map, bool hide, struct lc_buf *out)
{
	struct lc_buf item;
	lc_buf_init(&item, out->limit);
	for (size_t i = 0; i < map->count; i++) {
		lc_buf_clear(&item);
		lc_buf_puts(&item, map->items[i].key);
		lc_buf_putc(&item, '=');
		bool hidden = hide && names_secret(map->items[i].key);
		lc_buf_puts(&item, hidden ? "***" : map->items[i].value);
		lc_buf_puts(out, i > 0 ? ", " : "");
		put_item(lc_buf_text(&item), out);
	}
	out->failed |= item.failed;
	lc_buf_finish(&item);
}

void lc_config_format(const struct lc_setting *setting, const void *slot, struct lc_buf *out)
{
	switch (setting->type) {
	case LC_SET_BOOL:
		lc_buf_puts(out, *(const bool *)slot ? "true" : "false");
		break;
	case LC_SET_INT:
		lc_buf_int(out, *(const int64_t *)slot);
		break;
	case LC_SET_DOUBLE:
		put_double(*(const double *)slot, out);
		break;
	case LC_SET_DURATION:
		lc_config_format_duration(*(const int64_t *)slot, out);
		break;
	case LC_SET_SIZE:
		lc_config_format_size(*(const int64_t *)slot, out);
		break;
	case LC_SET_STRING:
		lc_buf_puts(out, *(char *const *)slot);
		break;
	case LC_SET_ENUM:
		lc_buf_puts(out, setting->choices[*(const int *)slot]);
		break;
	case LC_SET_LIST:
		put_list(slot, out);
		break;
	case LC_SET_MAP:
		put_map(slot, false, out);
		break;
	}
}

void lc_config_format_shown(const struct lc_setting *setting, const void *slot, struct lc_buf *out)
{
	if (setting->type == LC_SET_MAP) {
		put_map(slot, true, out);
	} else {
		lc_config_format(setting, slot, out);
	}
}

static void put_limit(const struct lc_setting *setting, double limit, struct lc_buf *out)
{
	if (setting->type == LC_SET_DURATION) {
		lc_config_format_duration((int64_t)limit, out);
	} else if (setting->type == LC_SET_SIZE) {
		lc_config_format_size((int64_t)limit, out);
	} else {
		put_double(limit, out);
	}
}

bool lc_config_has_range(const struct lc_setting *setting)
{
	return setting->min != 0 || setting->max != 0;
}

void lc_config_format_range(const struct lc_setting *setting, struct lc_buf *out)
{
	if (setting->type == LC_SET_ENUM) {
		lc_buf_puts(out, "one of ");
		for (size_t i = 0; setting->choices[i]; i++) {
			lc_buf_puts(out, i > 0 ? ", " : "");
			lc_buf_puts(out, setting->choices[i]);
		}
	} else if (lc_config_has_range(setting) && setting->max < setting->min) {
		lc_buf_puts(out, "at least ");
		put_limit(setting, setting->min, out);
	} else if (lc_config_has_range(setting)) {
		put_limit(setting, setting->min, out);
		lc_buf_puts(out, " to ");
		put_limit(setting, setting->max, out);
	}
}

void lc_config_format_type(const struct lc_setting *setting, struct lc_buf *out)
{
	static const char *const names[] = {
		[LC_SET_BOOL] = "true or false",
		[LC_SET_INT] = "whole number",
		[LC_SET_DOUBLE] = "number",
		[LC_SET_DURATION] = "duration",
		[LC_SET_SIZE] = "size",
		[LC_SET_STRING] = "text",
		[LC_SET_ENUM] = "",
		[LC_SET_LIST] = "list",
		[LC_SET_MAP] = "mapping",
	};
	lc_buf_puts(out, names[setting->type]);
	if (setting->type == LC_SET_ENUM) {
		lc_config_format_range(setting, out);
	} else if (lc_config_has_range(setting)) {
		lc_buf_puts(out, ", ");
		lc_config_format_range(setting, out);
	}
}
