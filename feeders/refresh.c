#include "refresh.h"

void lc_refresh_init(struct lc_refresh *refresh, struct lc_metrics *metrics, const char *feeder)
{
	char label[64];
	lc_metrics_label(label, sizeof(label), "feeder", feeder);
	refresh->polls = lc_metrics_counter(metrics, "livecore_polls_total", label, "Polls sent");
	refresh->failed = lc_metrics_counter(metrics, "livecore_failed_requests_total", label,
		"Requests to a polled vendor without a usable answer");
	refresh->ages = lc_metrics_histogram(metrics, "livecore_refresh_age_seconds", label,
		"Time between two answers for one symbol");
	refresh->oldest = lc_metrics_gauge(metrics, "livecore_refresh_age_max_seconds", label,
		"Time since the symbol that waits longest was answered");
}
