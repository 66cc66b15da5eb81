/* From text to bits. */
#include "livecore/cron.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

enum { FIELDS_MAX = 6 };

struct field {
	const char *name;
	unsigned min, max;
	const char *names;   /* of three letters each; NULL: numbers only */
	unsigned first_name; /* the value of the first */
	const char *allowed;
};

/* The order of the six; five begin with the second. */
static const struct field fields[FIELDS_MAX] = {
	{"second", 0, 59, NULL, 0, "0 to 59"},
	{"minute", 0, 59, NULL, 0, "0 to 59"},
	{"hour", 0, 23, NULL, 0, "0 to 23"},
	{"day of month", 1, 31, NULL, 0, "1 to 31"},
	{"month", 1, 12, "JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC", 1, "1 to 12 or JAN to DEC"},
	{"weekday", 0, 7, "SUNMONTUEWEDTHUFRISAT", 0, "0 to 7 (0 and 7 are Sunday) or SUN to SAT"},
};
static const struct field monday_weekday = {
	"weekday", 0, 6, "MONTUEWEDTHUFRISATSUN", 0, "0 to 6 (0 is Monday) or MON to SUN"};

static const struct {
	const char *name, *text;
} shorthands[] = {
	{"@yearly", "0 0 1 1 *"},
	{"@annually", "0 0 1 1 *"},
	{"@monthly", "0 0 1 * *"},
	{"@weekly", "0 0 * * SUN"},
	{"@daily", "0 0 * * *"},
	{"@midnight", "0 0 * * *"},
	{"@hourly", "0 * * * *"},
};

/* A piece of the expression. */
struct span {
	const char *at;
	size_t len;
};

/* One item of a field's list. */
struct item {
	const struct field *field;
	struct span span;
	struct lc_error *err;
};

static enum lc_err wrong(const struct item *item, const char *what)
{
	return lc_error_set(item->err, LC_ERR_INVALID,
		"%s \"%.*s\": %s; allowed are %s, *, lists "
		"(a,b), ranges (a-b) and steps (*/n, a-b/n)",
		item->field->name, item->span.len > 40 ? 40 : (int)item->span.len, item->span.at,
		what, item->field->allowed);
}

static bool is_weekday(const struct field *field)
{
	return strcmp(field->name, "weekday") == 0;
}

/* Cuts span at the first c: what is behind it, or a NULL span when there is none. */
static struct span cut(struct span *span, char c)
{
	const char *found = memchr(span->at, c, span->len);
	if (!found) {
		return (struct span){0};
	}
	struct span rest = {found + 1, span->len - (size_t)(found + 1 - span->at)};
	span->len = (size_t)(found - span->at);
	return rest;
}

static bool read_number(struct span span, unsigned *out)
{
	unsigned value = 0;
	if (span.len == 0 || span.len > 4) {
		return false;
	}
	for (size_t i = 0; i < span.len; i++) {
		if (!isdigit((unsigned char)span.at[i])) {
			return false;
		}
		value = value * 10 + (unsigned)(span.at[i] - '0');
	}
	*out = value;
	return true;
}

static bool read_name(const struct field *field, struct span span, unsigned *out)
{
	for (const char *at = field->names; at && *at && span.len == 3; at += 3) {
		if (strncasecmp(at, span.at, 3) == 0) {
			*out = field->first_name + (unsigned)(at - field->names) / 3;
			return true;
		}
	}
	return false;
}

static enum lc_err read_value(const struct item *item, struct span span, unsigned *out)
{
	if (read_name(item->field, span, out)) {
		return LC_OK;
	}
	if (!read_number(span, out)) {
		return wrong(
			item, span.len == 0 ? "a value is missing" : "not a value of this field");
	}
	if (*out < item->field->min || *out > item->field->max) {
		return wrong(item, "out of range");
	}
	return LC_OK;
}

static enum lc_err read_step(const struct item *item, struct span span, unsigned *out)
{
	if (!read_number(span, out) || *out == 0) {
		return wrong(item, "a step is a number from 1 on");
	}
	/* Of a longer step only its start would be left: hardly what was meant. */
	if (*out > item->field->max - item->field->min) {
		return wrong(item, "the step is longer than the field");
	}
	return LC_OK;
}

/* `*` and what has no end go to the last value; cron's second Sunday is none. */
static unsigned last_of(const struct field *field)
{
	return field->max == 7 ? 6 : field->max;
}

/* A range of weekdays may go over the week's end. */
static enum lc_err put_range(
	const struct item *item, unsigned low, unsigned high, unsigned step, uint64_t *bits)
{
	if (low > high && is_weekday(item->field)) {
		high += 7;
	}
	if (low > high) {
		return wrong(item, "the range ends before it begins");
	}
	for (unsigned value = low; value <= high; value += step) {
		*bits |= UINT64_C(1) << (is_weekday(item->field) ? value % 7 : value);
	}
	return LC_OK;
}

static enum lc_err read_item(const struct item *item, uint64_t *bits)
{
	struct span from = item->span;
	unsigned low = item->field->min, high = last_of(item->field), step = 1;
	struct span step_text = cut(&from, '/');
	struct span to = cut(&from, '-');
	enum lc_err rc = LC_OK;
	if (from.len == 1 && from.at[0] == '*') {
		rc = to.at ? wrong(item, "a range has no *") : LC_OK;
	} else {
		rc = read_value(item, from, &low);
		if (rc == LC_OK && to.at) {
			rc = read_value(item, to, &high);
		} else if (rc == LC_OK && !step_text.at) {
			high = low;
		}
	}
	if (rc == LC_OK && step_text.at) {
		rc = read_step(item, step_text, &step);
	}
	return rc ? rc : put_range(item, low, high, step, bits);
}

static enum lc_err read_field(
	const struct field *field, struct span text, uint64_t *bits, struct lc_error *err)
{
	struct span rest = text;
	enum lc_err rc = LC_OK;
	*bits = 0;
	while (rc == LC_OK && rest.at) {
		struct item item = {.field = field, .span = rest, .err = err};
		rest = cut(&item.span, ',');
		rc = read_item(&item, bits);
	}
	return rc;
}

/* Monday-based bits to Sunday-based ones. */
static uint8_t from_monday(uint64_t bits)
{
	return (uint8_t)(((bits << 1) | (bits >> 6)) & 0x7F);
}

static size_t split(const char *text, struct span *out)
{
	size_t count = 0;
	for (;;) {
		text += strspn(text, " \t");
		size_t len = strcspn(text, " \t");
		if (len == 0) {
			return count;
		}
		if (count < FIELDS_MAX) {
			out[count] = (struct span){text, len};
		}
		count++;
		text += len;
	}
}

static enum lc_err check_text(const char *text, struct lc_error *err)
{
	if (strlen(text) > LC_CRON_TEXT_MAX) {
		return lc_error_set(err, LC_ERR_INVALID, "the expression is longer than %d bytes",
			LC_CRON_TEXT_MAX);
	}
	for (const char *at = text; *at; at++) {
		if ((*at < ' ' && *at != '\t') || *at > '~') {
			return lc_error_set(err, LC_ERR_INVALID,
				"the expression has a character that is not plain ASCII");
		}
	}
	return LC_OK;
}

static enum lc_err expand_shorthand(const char **text, struct lc_error *err)
{
	for (size_t i = 0; i < sizeof shorthands / sizeof *shorthands; i++) {
		if (strcasecmp(*text, shorthands[i].name) == 0) {
			*text = shorthands[i].text;
			return LC_OK;
		}
	}
	return lc_error_set(err, LC_ERR_INVALID,
		"there is no \"%.40s\"; there are @yearly, @annually, "
		"@monthly, @weekly, @daily, @midnight and @hourly",
		*text);
}

static enum lc_err read_fields(const struct span *spans, size_t count, enum lc_cron_rules rules,
	struct lc_cron *out, struct lc_error *err)
{
	uint64_t bits[FIELDS_MAX] = {1}; /* without a field of seconds: second 0 */
	size_t skipped = FIELDS_MAX - count;
	for (size_t i = skipped; i < FIELDS_MAX; i++) {
		const struct field *field = &fields[i];
		if (i == 5 && rules == LC_CRON_MONDAY_RULES) {
			field = &monday_weekday;
		}
		enum lc_err rc = read_field(field, spans[i - skipped], &bits[i], err);
		if (rc != LC_OK) {
			return rc;
		}
	}
	bool both = spans[count - 3].at[0] != '*' && spans[count - 1].at[0] != '*';
	*out = (struct lc_cron){
		.seconds = bits[0],
		.minutes = bits[1],
		.hours = (uint32_t)bits[2],
		.days = (uint32_t)bits[3],
		.months = (uint16_t)bits[4],
		.weekdays = rules == LC_CRON_MONDAY_RULES ? from_monday(bits[5]) : (uint8_t)bits[5],
		.either = both && rules == LC_CRON_RULES,
	};
	return LC_OK;
}

enum lc_err lc_cron_parse(
	const char *text, enum lc_cron_rules rules, struct lc_cron *out, struct lc_error *err)
{
	struct span spans[FIELDS_MAX];
	enum lc_err rc = check_text(text, err);
	text += strspn(text, " \t");
	if (rc == LC_OK && *text == '@') {
		rc = expand_shorthand(&text, err);
	}
	if (rc != LC_OK) {
		return rc;
	}
	size_t count = split(text, spans);
	if (count != 5 && count != 6) {
		return lc_error_set(err, LC_ERR_INVALID,
			"a cron expression has five fields (minute hour day-of-month month "
			"weekday), or six "
			"with seconds first; this one has %zu",
			count);
	}
	return read_fields(spans, count, rules, out, err);
}
