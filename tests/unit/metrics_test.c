#include "livecore/metrics.h"

#include "livecore/clock.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static struct lc_metrics *metrics;
static struct lc_buf page;

static void open_metrics(void)
{
	cr_assert_eq(lc_metrics_create(&metrics), LC_OK);
	lc_buf_init(&page, 1 << 20);
}

static void close_metrics(void)
{
	lc_metrics_destroy(metrics);
	lc_buf_finish(&page);
}

TestSuite(metrics, .init = open_metrics, .fini = close_metrics);

static const char *render(size_t slice)
{
	lc_buf_clear(&page);
	size_t cursor = 0;
	while (lc_metrics_render(metrics, &cursor, slice, &page)) {
	}
	return lc_buf_text(&page);
}

Test(metrics, a_series_is_made_once)
{
	uint64_t *a = lc_metrics_counter(metrics, "lc_ticks_total", "feeder=\"a\"", "Ticks.");
	uint64_t *b = lc_metrics_counter(metrics, "lc_ticks_total", "feeder=\"b\"", "other help");
	cr_assert_neq(a, b);
	cr_assert_eq(lc_metrics_counter(metrics, "lc_ticks_total", "feeder=\"a\"", ""), a);
}

Test(metrics, families_stay_together)
{
	cr_assert_str_eq(render(10), "");
	*lc_metrics_counter(
		metrics, "lc_ticks_total", "feeder=\"a\"", "Ticks\nseen \\ kept.") = UINT64_MAX;
	*lc_metrics_gauge(metrics, "lc_queue", "", "Queue.") = 0.5;
	*lc_metrics_counter(metrics, "lc_ticks_total", "feeder=\"b\"", "Ticks.") += 3;
	static const char expected[] = "# HELP lc_ticks_total Ticks\\nseen \\\\ kept.\n"
				       "# TYPE lc_ticks_total counter\n"
				       "lc_ticks_total{feeder=\"a\"} 18446744073709551615\n"
				       "lc_ticks_total{feeder=\"b\"} 3\n"
				       "# HELP lc_queue Queue.\n"
				       "# TYPE lc_queue gauge\n"
				       "lc_queue 0.5\n";
	for (size_t slice = 1; slice < 5; slice++) {
		cr_assert_str_eq(render(slice), expected, "%s", lc_buf_text(&page));
	}
}

Test(metrics, gauges_take_any_double)
{
	double *gauge = lc_metrics_gauge(metrics, "g", "", "G.");
	static const struct {
		double value;
		const char *line;
	} cases[] = {{1e6, "\ng 1000000\n"}, {-2, "\ng -2\n"}, {NAN, "\ng NaN\n"},
		{INFINITY, "\ng +Inf\n"}, {-INFINITY, "\ng -Inf\n"},
		{1e300, "\ng 1.0000000000000001e+300\n"}, {0.1, "\ng 0.1\n"}};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		*gauge = cases[i].value;
		cr_assert(strstr(render(1), cases[i].line), "%s", lc_buf_text(&page));
	}
}

Test(metrics, histograms_are_cumulative_and_in_seconds)
{
	struct lc_histogram *h = lc_metrics_histogram(metrics, "lat", "t=\"x\"", "Latency.");
	lc_histogram_observe_ns(h, -5);
	lc_histogram_observe_ns(h, 10 * LC_NS_PER_US);
	lc_histogram_observe_ns(h, 10 * LC_NS_PER_US + 1);
	lc_histogram_observe_ns(h, 11 * LC_NS_PER_S);
	const char *text = render(1);
	static const char *const lines[] = {"# TYPE lat histogram\n",
		"lat_bucket{t=\"x\",le=\"0.00001\"} 2\n", "lat_bucket{t=\"x\",le=\"0.00002\"} 3\n",
		"lat_bucket{t=\"x\",le=\"10\"} 3\n", "lat_bucket{t=\"x\",le=\"+Inf\"} 4\n",
		"lat_sum{t=\"x\"} 11.000020001\n", "lat_count{t=\"x\"} 4\n"};
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		cr_assert(strstr(text, lines[i]), "%s not in %s", lines[i], text);
	}
	lc_metrics_histogram(metrics, "bare", "", "Bare.");
	cr_assert(strstr(render(1), "bare_bucket{le=\"0.00001\"} 0\n"));
}

Test(metrics, a_bound_belongs_to_its_bucket_and_the_sum_saturates)
{
	struct lc_histogram *h = lc_metrics_histogram(metrics, "lat", "", "Latency.");
	for (int i = 1; i <= 100; i++) {
		lc_histogram_observe_ns(h, i * LC_NS_PER_MS);
	}
	const char *text = render(1);
	cr_assert(strstr(text, "lat_bucket{le=\"0.001\"} 1\n"));
	cr_assert(strstr(text, "lat_bucket{le=\"0.05\"} 50\n"));
	cr_assert(strstr(text, "lat_bucket{le=\"0.1\"} 100\n"));
	cr_assert(strstr(text, "lat_sum 5.05\n") && strstr(text, "lat_count 100\n"), "%s", text);
	lc_histogram_observe_ns(h, INT64_MAX);
	text = render(1);
	cr_assert(strstr(text, "lat_sum 9223372036.8547") && strstr(text, "lat_count 101\n"));
}

Test(metrics, labels_are_escaped_and_cut_whole)
{
	char out[64];
	cr_assert_str_eq(
		lc_metrics_label(out, sizeof out, "k", "a\"b\\c\nd"), "k=\"a\\\"b\\\\c\\nd\"");
	cr_assert_str_eq(lc_metrics_label(out, sizeof out, "k", "\xff平"), "k=\"\uFFFD平\"");
	cr_assert_str_eq(lc_metrics_label(out, 7, "k", "abcdef"), "k=\"ab\"");
	cr_assert_str_eq(lc_metrics_label(out, 7, "k", "a\"b"), "k=\"a\"");
	cr_assert_str_eq(lc_metrics_label(out, 5, "k", "abc"), "k=\"\"");
	for (size_t size = 5; size < 20; size++) {
		cr_assert_lt(strlen(lc_metrics_label(out, size, "k", "平\"安\n平\\安")), size);
	}
}

Test(metrics, series_made_during_a_rendering_do_no_harm)
{
	char labels[32];
	for (int i = 0; i < 10; i++) {
		snprintf(labels, sizeof labels, "n=\"%d\"", i);
		lc_metrics_counter(metrics, "first", labels, "F.");
		lc_metrics_counter(metrics, "second", labels, "S.");
	}
	size_t cursor = 0;
	cr_assert(lc_metrics_render(metrics, &cursor, 15, &page));
	lc_metrics_counter(metrics, "first", "n=\"new\"", "F.");
	lc_metrics_counter(metrics, "second", "n=\"new\"", "S.");
	while (lc_metrics_render(metrics, &cursor, 4, &page)) {
	}
	const char *text = lc_buf_text(&page);
	for (int i = 0; i < 10; i++) {
		snprintf(labels, sizeof labels, "second{n=\"%d\"}", i);
		const char *found = strstr(text, labels);
		cr_assert(found);
		cr_assert_null(strstr(found + 1, labels), "twice: %s", labels);
	}
}

Test(metrics, a_total_is_a_counter_that_is_set)
{
	double *total = lc_metrics_total(metrics, "cpu_seconds_total", "", "C.");
	*total = 1.25;
	cr_assert_eq(lc_metrics_total(metrics, "cpu_seconds_total", "", "C."), total);
	size_t cursor = 0;
	while (lc_metrics_render(metrics, &cursor, 10, &page)) {
	}
	const char *text = lc_buf_text(&page);
	cr_assert(strstr(text, "# TYPE cpu_seconds_total counter\n"), "%s", text);
	cr_assert(strstr(text, "cpu_seconds_total 1.25\n"), "%s", text);
}
