/* Text to typed values. */
#include "config/config_priv.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { SHOWN_MAX = 256 };

struct unit {
	const char *name;
	int64_t factor;
};

static const struct unit duration_units[] = {
	{"ms", 1},
	{"s", 1000},
	{"m", 60 * 1000},
	{"h", 60 * 60 * 1000},
	{"d", 24 * 60 * 60 * 1000},
	{NULL, 0},
};

static const struct unit size_units[] = {
	{"B", 1},
	{"KB", 1024},
	{"MB", 1024 * 1024},
	{"GB", 1024 * 1024 * 1024},
	{"KiB", 1024},
	{"MiB", 1024 * 1024},
	{"GiB", 1024 * 1024 * 1024},
	{NULL, 0},
};

static enum lc_err check_range(
	const struct lc_setting *setting, double value, const char *text, struct lc_error *err)
{
	bool below = value < setting->min;
	bool above = setting->max >= setting->min && value > setting->max;
	if (!lc_config_has_range(setting) || (!below && !above)) {
		return LC_OK;
	}
	struct lc_buf range;
	char shown[SHOWN_MAX];
	lc_buf_init(&range, 256);
	lc_config_format_range(setting, &range);
	lc_error_set(err, LC_ERR_RANGE, "%s is out of range: %s",
		lc_config_shown(text, shown, sizeof shown), lc_buf_text(&range));
	lc_buf_finish(&range);
	return LC_ERR_RANGE;
}

static enum lc_err parse_bool(const char *text, bool *out, struct lc_error *err)
{
	static const char *const words[][2] = {
		{"false", "true"}, {"no", "yes"}, {"off", "on"}, {"0", "1"}};
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		for (int value = 0; value < 2; value++) {
			if (strcasecmp(text, words[i][value]) == 0) {
				*out = value;
				return LC_OK;
			}
		}
	}
	char shown[SHOWN_MAX];
	return lc_error_set(err, LC_ERR_INVALID, "\"%s\" is neither true nor false",
		lc_config_shown(text, shown, sizeof shown));
}

static enum lc_err parse_int(
	const struct lc_setting *setting, const char *text, int64_t *out, struct lc_error *err)
{
	char shown[SHOWN_MAX];
	size_t digits = strspn(text + (text[0] == '-'), "0123456789");
	if (digits == 0 || text[digits + (text[0] == '-')]) {
		return lc_error_set(err, LC_ERR_INVALID, "\"%s\" is not a whole number",
			lc_config_shown(text, shown, sizeof shown));
	}
	errno = 0;
	long long value = strtoll(text, NULL, 10);
	if (errno == ERANGE) {
		return lc_error_set(err, LC_ERR_RANGE, "%s is out of range: 64 bits",
			lc_config_shown(text, shown, sizeof shown));
	}
	*out = value;
	return check_range(setting, (double)value, text, err);
}

/* Through lc_decimal, because strtod() follows the locale. */
static enum lc_err parse_double(
	const struct lc_setting *setting, const char *text, double *out, struct lc_error *err)
{
	struct lc_decimal value;
	if (lc_decimal_parse(text, strlen(text), &value) != LC_OK) {
		char shown[SHOWN_MAX];
		return lc_error_set(err, LC_ERR_INVALID, "\"%s\" is not a number",
			lc_config_shown(text, shown, sizeof shown));
	}
	*out = lc_decimal_to_double(value);
	return check_range(setting, *out, text, err);
}

static const struct unit *find_unit(const struct unit *units, const char *name)
{
	for (; units->name; units++) {
		if (strcasecmp(units->name, name) == 0) {
			return units;
		}
	}
	return NULL;
}

/* number and unit; without a unit only a plain 0 or, where plain is not NULL, its unit. */
static enum lc_err parse_quantity(const char *text, const struct unit *units, const char *plain,
	double *out, const char *usage, struct lc_error *err)
{
	char shown[SHOWN_MAX];
	lc_config_shown(text, shown, sizeof shown);
	size_t digits = strspn(text, "0123456789.");
	const char *name = text + digits + strspn(text + digits, " ");
	struct lc_decimal number;
	if (digits == 0 || lc_decimal_parse(text, digits, &number) != LC_OK) {
		return lc_error_set(err, LC_ERR_INVALID, "\"%s\" is not %s", shown, usage);
	}
	if (!name[0] && !plain && !lc_decimal_is_zero(number)) {
		return lc_error_set(
			err, LC_ERR_INVALID, "\"%s\" has no unit: write %s", shown, usage);
	}
	const struct unit *unit = find_unit(units, name[0] ? name : plain ? plain : units->name);
	if (!unit) {
		return lc_error_set(
			err, LC_ERR_INVALID, "\"%s\" has an unknown unit: write %s", shown, usage);
	}
	*out = lc_decimal_to_double(lc_decimal_mul(number, lc_decimal_from_int(unit->factor)));
	if (*out > 9e15) {
		return lc_error_set(err, LC_ERR_RANGE, "%s is too large", shown);
	}
	if (*out != floor(*out)) {
		return lc_error_set(
			err, LC_ERR_INVALID, "%s is not a whole number of %s", shown, units->name);
	}
	return LC_OK;
}

static enum lc_err parse_whole_quantity(
	const struct lc_setting *setting, const char *text, int64_t *out, struct lc_error *err)
{
	double value = 0;
	enum lc_err code = setting->type == LC_SET_DURATION
				   ? parse_quantity(text, duration_units, NULL, &value,
					     "a duration, as 500ms, 5s, 2m, 24h or 0", err)
				   : parse_quantity(text, size_units, "B", &value,
					     "a size, as 64MB, 4KB or plain bytes", err);
	if (code != LC_OK) {
		return code;
	}
	*out = (int64_t)value;
	return check_range(setting, value, text, err);
}

static enum lc_err parse_enum(
	const struct lc_setting *setting, const char *text, int *out, struct lc_error *err)
{
	struct lc_config_nearest nearest;
	lc_config_nearest_begin(&nearest, text);
	for (int i = 0; setting->choices[i]; i++) {
		if (strcmp(setting->choices[i], text) == 0) {
			*out = i;
			return LC_OK;
		}
		lc_config_nearest_offer(&nearest, setting->choices[i]);
	}
	char shown[SHOWN_MAX];
	lc_config_shown(text, shown, sizeof shown);
	if (nearest.best) {
		return lc_error_set(err, LC_ERR_INVALID, "\"%s\" is not a choice: did you mean %s?",
			shown, nearest.best);
	}
	struct lc_buf choices;
	lc_buf_init(&choices, 1024);
	lc_config_format_range(setting, &choices);
	lc_error_set(err, LC_ERR_INVALID, "\"%s\" is not a choice: it must be %s", shown,
		lc_buf_text(&choices));
	lc_buf_finish(&choices);
	return LC_ERR_INVALID;
}

enum lc_err lc_config_parse_scalar(
	const struct lc_setting *setting, const char *text, void *slot, struct lc_error *err)
{
	switch (setting->type) {
	case LC_SET_BOOL:
		return parse_bool(text, slot, err);
	case LC_SET_INT:
		return parse_int(setting, text, slot, err);
	case LC_SET_DOUBLE:
		return parse_double(setting, text, slot, err);
	case LC_SET_DURATION:
	case LC_SET_SIZE:
		return parse_whole_quantity(setting, text, slot, err);
	case LC_SET_ENUM:
		return parse_enum(setting, text, slot, err);
	default:
		return lc_error_set(err, LC_ERR_UNSUPPORTED, "not a scalar");
	}
}

static const char *skip_spaces(const char *at)
{
	while (*at == ' ' || *at == '\t') {
		at++;
	}
	return at;
}

/* at is behind the opening quote; returns behind the closing one, or NULL. */
static const char *read_quoted(const char *at, struct lc_buf *item)
{
	for (; *at && *at != '"'; at++) {
		if (*at == '\\' && at[1]) {
			at++;
		}
		lc_buf_putc(item, *at);
	}
	return *at ? at + 1 : NULL;
}

static const char *read_plain(const char *at, struct lc_buf *item)
{
	const char *end = strchrnul(at, ',');
	const char *last = end;
	while (last > at && (last[-1] == ' ' || last[-1] == '\t')) {
		last--;
	}
	lc_buf_append(item, at, (size_t)(last - at));
	return end;
}

enum lc_err lc_config_split(struct lc_config_arena *arena, const char *text, struct lc_strings *out,
	struct lc_error *err)
{
	size_t most = 1;
	for (const char *at = text; *at; at++) {
		most += *at == ',';
	}
	*out = (struct lc_strings){.items = lc_config_alloc(arena, most * sizeof *out->items)};
	if (!out->items) {
		return LC_ERR_NOMEM;
	}
	for (const char *at = skip_spaces(text); *at; at = skip_spaces(at)) {
		struct lc_buf item;
		lc_buf_init(&item, LC_CONFIG_FILE_MAX);
		bool quoted = *at == '"';
		at = quoted ? read_quoted(at + 1, &item) : read_plain(at, &item);
		at = at ? skip_spaces(at) : at;
		bool empty = item.len == 0 && !quoted;
		char *copy = lc_config_take(arena, &item);
		if (!copy) {
			return LC_ERR_NOMEM;
		}
		if (!at || (*at && *at != ',')) {
			return lc_error_set(err, LC_ERR_INVALID,
				"a quoted item must end with a quote and a comma");
		}
		if (!empty) {
			out->items[out->count++] = copy;
		}
		at += *at == ',';
	}
	return LC_OK;
}
