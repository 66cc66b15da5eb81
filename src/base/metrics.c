#include "livecore/metrics.h"

#include "histogram_priv.h"
#include "livecore/map.h"
#include "livecore/utf8.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define KEY_BYTES_MAX 1024
#define SECONDS_EXPONENT (-9) /* of nanoseconds */

enum kind { KIND_COUNTER, KIND_TOTAL, KIND_GAUGE, KIND_HISTOGRAM };

union value {
	uint64_t counter;
	double gauge;
	struct lc_histogram histogram;
};

struct series {
	struct series *next; /* of the family; owned */
	char *labels;        /* owned */
	union value value;
};

/* All series of one name. */
struct family {
	struct family *next; /* in the order of creation; owned */
	char *name, *help;   /* owned */
	enum kind kind;
	struct series *first, *last;
};

struct lc_metrics {
	struct lc_map *families; /* by name */
	struct lc_map *series;   /* by name, newline, labels */
	struct family *first, *last;
	union value spare; /* what callers count in when memory ran out */
};

static const char *const kind_names[] = {"counter", "counter", "gauge", "histogram"};

static void destroy_family(struct family *family)
{
	while (family->first) {
		struct series *next = family->first->next;
		free(family->first->labels);
		free(family->first);
		family->first = next;
	}
	free(family->name);
	free(family->help);
	free(family);
}

static struct family *make_family(
	struct lc_metrics *metrics, const char *name, enum kind kind, const char *help)
{
	struct family *family = lc_map_get(metrics->families, name, strlen(name));
	if (family) {
		return family;
	}
	family = calloc(1, sizeof *family);
	if (!family) {
		return NULL;
	}
	family->kind = kind;
	family->name = strdup(name);
	family->help = strdup(help);
	if (!family->name || !family->help ||
		lc_map_put(metrics->families, name, strlen(name), family) != LC_OK) {
		destroy_family(family);
		return NULL;
	}
	*(metrics->last ? &metrics->last->next : &metrics->first) = family;
	metrics->last = family;
	return family;
}

static struct series *make_series(struct lc_metrics *metrics, struct family *family,
	const char *labels, const char *key, size_t key_len)
{
	struct series *series = calloc(1, sizeof *series);
	if (!series) {
		return NULL;
	}
	series->labels = strdup(labels);
	if (!series->labels || lc_map_put(metrics->series, key, key_len, series) != LC_OK) {
		free(series->labels);
		free(series);
		return NULL;
	}
	*(family->last ? &family->last->next : &family->first) = series;
	family->last = series;
	return series;
}

/* Never NULL. A name that is already there as another kind, or names too long, are a
 * programmer's error. */
static union value *find_value(struct lc_metrics *metrics, enum kind kind, const char *name,
	const char *labels, const char *help)
{
	char key[KEY_BYTES_MAX];
	size_t name_len = strlen(name);
	size_t labels_len = strlen(labels);
	size_t key_len = name_len + 1 + labels_len;
	assert(key_len <= sizeof key);
	if (key_len > sizeof key) {
		return &metrics->spare;
	}
	memcpy(key, name, name_len);
	key[name_len] = '\n';
	memcpy(key + name_len + 1, labels, labels_len);
	struct family *family = make_family(metrics, name, kind, help);
	assert(!family || family->kind == kind);
	if (!family || family->kind != kind) {
		return &metrics->spare;
	}
	struct series *series = lc_map_get(metrics->series, key, key_len);
	if (!series) {
		series = make_series(metrics, family, labels, key, key_len);
	}
	return series ? &series->value : &metrics->spare;
}

static void put_gauge(struct lc_buf *out, double value)
{
	struct lc_decimal decimal;
	if (!isfinite(value)) {
		lc_buf_puts(out, isnan(value) ? "NaN" : value < 0 ? "-Inf" : "+Inf");
	} else if (lc_decimal_from_double(value, &decimal) == LC_OK) {
		lc_buf_decimal(out, decimal);
	} else {
		lc_buf_printf(out, "%.17g", value);
	}
}

/* name_suffix{labels,le="…"} and a blank; le may be NULL. */
static void put_name(struct lc_buf *out, const char *name, const char *suffix, const char *labels,
	const char *le)
{
	lc_buf_puts(out, name);
	lc_buf_puts(out, suffix);
	if (*labels || le) {
		lc_buf_putc(out, '{');
		lc_buf_puts(out, labels);
		if (le) {
			lc_buf_puts(out, *labels ? ",le=\"" : "le=\"");
			lc_buf_puts(out, le);
			lc_buf_putc(out, '"');
		}
		lc_buf_putc(out, '}');
	}
	lc_buf_putc(out, ' ');
}

static struct lc_decimal seconds(int64_t ns)
{
	return (struct lc_decimal){.mantissa = ns, .exponent = SECONDS_EXPONENT};
}

static void put_histogram(struct lc_buf *out, const char *name, const char *labels,
	const struct lc_histogram *histogram)
{
	uint64_t total = 0;
	for (size_t i = 0; i <= HISTOGRAM_BOUNDS; i++) {
		char le[LC_DECIMAL_TEXT_MAX] = "+Inf";
		if (i < HISTOGRAM_BOUNDS) {
			le[lc_decimal_format(seconds(histogram_bounds_ns[i]), le)] = '\0';
		}
		total += histogram->buckets[i];
		put_name(out, name, "_bucket", labels, le);
		lc_buf_uint(out, total);
		lc_buf_putc(out, '\n');
	}
	put_name(out, name, "_sum", labels, NULL);
	lc_buf_decimal(out, seconds(histogram->sum_ns));
	lc_buf_putc(out, '\n');
	put_name(out, name, "_count", labels, NULL);
	lc_buf_uint(out, histogram->count);
	lc_buf_putc(out, '\n');
}

static void put_series(struct lc_buf *out, const struct family *family, const struct series *series)
{
	switch (family->kind) {
	case KIND_COUNTER:
		put_name(out, family->name, "", series->labels, NULL);
		lc_buf_uint(out, series->value.counter);
		lc_buf_putc(out, '\n');
		break;
	case KIND_TOTAL:
	case KIND_GAUGE:
		put_name(out, family->name, "", series->labels, NULL);
		put_gauge(out, series->value.gauge);
		lc_buf_putc(out, '\n');
		break;
	case KIND_HISTOGRAM:
		put_histogram(out, family->name, series->labels, &series->value.histogram);
		break;
	}
}

static void put_family(struct lc_buf *out, const struct family *family)
{
	lc_buf_puts(out, "# HELP ");
	lc_buf_puts(out, family->name);
	lc_buf_putc(out, ' ');
	for (const char *p = family->help; *p; p++) {
		if (*p == '\\' || *p == '\n') {
			lc_buf_putc(out, '\\');
		}
		lc_buf_putc(out, *p == '\n' ? 'n' : *p);
	}
	lc_buf_printf(out, "\n# TYPE %s %s\n", family->name, kind_names[family->kind]);
}

enum lc_err lc_metrics_create(struct lc_metrics **out)
{
	struct lc_metrics *metrics = calloc(1, sizeof *metrics);
	if (!metrics) {
		return LC_ERR_NOMEM;
	}
	/* The names are the program's own: nobody can choose colliding ones. */
	if (lc_map_create(1, &metrics->families) != LC_OK ||
		lc_map_create(2, &metrics->series) != LC_OK) {
		lc_metrics_destroy(metrics);
		return LC_ERR_NOMEM;
	}
	*out = metrics;
	return LC_OK;
}

void lc_metrics_destroy(struct lc_metrics *metrics)
{
	if (!metrics) {
		return;
	}
	while (metrics->first) {
		struct family *next = metrics->first->next;
		destroy_family(metrics->first);
		metrics->first = next;
	}
	lc_map_destroy(metrics->families, NULL);
	lc_map_destroy(metrics->series, NULL);
	free(metrics);
}

uint64_t *lc_metrics_counter(
	struct lc_metrics *metrics, const char *name, const char *labels, const char *help)
{
	return &find_value(metrics, KIND_COUNTER, name, labels, help)->counter;
}

double *lc_metrics_total(
	struct lc_metrics *metrics, const char *name, const char *labels, const char *help)
{
	return &find_value(metrics, KIND_TOTAL, name, labels, help)->gauge;
}

double *lc_metrics_gauge(
	struct lc_metrics *metrics, const char *name, const char *labels, const char *help)
{
	return &find_value(metrics, KIND_GAUGE, name, labels, help)->gauge;
}

struct lc_histogram *lc_metrics_histogram(
	struct lc_metrics *metrics, const char *name, const char *labels, const char *help)
{
	return &find_value(metrics, KIND_HISTOGRAM, name, labels, help)->histogram;
}

/* One character of a label's value, escaped, into p (4 bytes); returns its length. */
static size_t label_char(const char *value, size_t left, char *p, size_t *used)
{
	unsigned char c = (unsigned char)*value;
	*used = 1;
	if (c == '\\' || c == '"' || c == '\n') {
		p[0] = '\\';
		p[1] = c == '\n' ? 'n' : (char)c;
		return 2;
	}
	if (c < 0x80) {
		*p = (char)c;
		return 1;
	}
	size_t n = lc_utf8_length(value, left);
	if (n == 0) {
		memcpy(p, "\xEF\xBF\xBD", 3);
		return 3;
	}
	memcpy(p, value, n);
	*used = n;
	return n;
}

const char *lc_metrics_label(char *out, size_t size, const char *name, const char *value)
{
	size_t name_len = strlen(name);
	size_t left = strlen(value);
	assert(size >= name_len + 4); /* name="" and the NUL */
	memcpy(out, name, name_len);
	memcpy(out + name_len, "=\"", 2);
	size_t len = name_len + 2;
	while (left > 0) {
		char piece[4];
		size_t used;
		size_t n = label_char(value, left, piece, &used);
		if (len + n + 2 > size) {
			/* Cut between characters, so that the label stays valid. */
			break;
		}
		memcpy(out + len, piece, n);
		len += n;
		value += used;
		left -= used;
	}
	memcpy(out + len, "\"", 2);
	return out;
}

/* Both numbers are stable, as families and series are only ever added at the end of their lists. */
static size_t make_cursor(size_t family_number, size_t series_number)
{
	static_assert(sizeof(size_t) >= 8);
	return family_number << 32 | series_number;
}

/* Renders a family from *number on; false when the slice was used up before its end. */
static bool render_family(
	const struct family *family, size_t *number, size_t *left, struct lc_buf *out)
{
	size_t i = 0;
	for (const struct series *series = family->first; series; series = series->next, i++) {
		if (i < *number) {
			continue;
		}
		if (*left == 0) {
			return false;
		}
		if (i == 0) {
			put_family(out, family);
		}
		put_series(out, family, series);
		(*left)--;
		*number = i + 1;
	}
	return true;
}

bool lc_metrics_render(
	struct lc_metrics *metrics, size_t *cursor, size_t max_series, struct lc_buf *out)
{
	size_t number = *cursor & UINT32_MAX;
	size_t family_number = *cursor >> 32;
	const struct family *family = metrics->first;
	for (size_t i = 0; i < family_number && family; i++) {
		family = family->next;
	}
	size_t left = max_series;
	for (; family; family = family->next) {
		if (!render_family(family, &number, &left, out)) {
			*cursor = make_cursor(family_number, number);
			return true;
		}
		number = 0;
		family_number++;
	}
	*cursor = make_cursor(family_number, 0);
	return false;
}
