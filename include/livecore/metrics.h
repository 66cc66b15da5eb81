/* Counters, gauges and histograms, and their Prometheus text form. Loop thread only. A series is
 * made once, at set-up; after that counting is one addition to memory that the caller holds.
 * Rendering is done in slices, so that /metrics never holds the loop. */
#pragma once

#include "livecore/buf.h"
#include "livecore/error.h"

#include <stdbool.h>
#include <stdint.h>

struct lc_metrics;

enum lc_err lc_metrics_create(struct lc_metrics **out);
void lc_metrics_destroy(struct lc_metrics *metrics);

/* The functions below return the series with this name and labels, made at the first call.
 * labels is "" or `feeder="alpaca",reason="stale"`, escaped by lc_metrics_label(). help is that
 * of the first call. Owned by the registry, valid until it is destroyed. When memory runs out
 * they return a series that is never rendered, so callers need no check. */
uint64_t *lc_metrics_counter(
	struct lc_metrics *metrics, const char *name, const char *labels, const char *help);
double *lc_metrics_gauge(
	struct lc_metrics *metrics, const char *name, const char *labels, const char *help);
/* A counter that is read elsewhere (CPU time, another module's sum): the caller sets it, and never
 * lower. Its name ends in _total, as a counter's. */
double *lc_metrics_total(
	struct lc_metrics *metrics, const char *name, const char *labels, const char *help);

/* Latencies in seconds with buckets 10 us, 20 us, 50 us … 10 s (1-2-5). */
struct lc_histogram;
struct lc_histogram *lc_metrics_histogram(
	struct lc_metrics *metrics, const char *name, const char *labels, const char *help);
void lc_histogram_observe_ns(struct lc_histogram *histogram, int64_t ns);

/* Writes name="value" with value escaped into out (NUL-terminated); returns out. A value too
 * long is cut between characters, its closing quote kept; size is at least that of an empty
 * value. Several labels are joined with commas by the caller. */
const char *lc_metrics_label(char *out, size_t size, const char *name, const char *value);

/* Appends up to max_series series, grouped by family with HELP and TYPE, from *cursor (0 at
 * first) on. Returns true when more is left. Series made during a rendering may be missing from
 * it. */
bool lc_metrics_render(
	struct lc_metrics *metrics, size_t *cursor, size_t max_series, struct lc_buf *out);
