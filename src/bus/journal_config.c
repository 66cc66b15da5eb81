#include "livecore/journal.h"

#include <stddef.h>

static const char *const syncs[] = {[LC_SYNC_NONE] = "none", [LC_SYNC_INTERVAL] = "interval", NULL};

#define JOURNAL(field) offsetof(struct lc_journal_config, field)
static const struct lc_setting settings[] = {
	{"enabled", LC_SET_BOOL, JOURNAL(enabled), .fallback = "true", .apply = LC_APPLY_RESTART,
		.help = "keep what Kafka has not acknowledged on disk, so that it survives an "
			"outage and a crash"},
	{"dir", LC_SET_STRING, JOURNAL(dir), .fallback = "", .apply = LC_APPLY_RESTART,
		.help = "folder of the log; one process alone may use it; empty: journal in "
			"state.dir"},
	{"memory_dir", LC_SET_STRING, JOURNAL(memory_dir), .fallback = "/dev/shm",
		.apply = LC_APPLY_RESTART,
		.help = "folder on a tmpfs where the log keeps its memory, kafka.buffer at most, "
			"so "
			"that kill -9 does not take what is not on disk yet; empty: it takes the "
			"last milliseconds, and they are a gap"},
	{"sync", LC_SET_ENUM, JOURNAL(sync), .fallback = "interval", .choices = syncs,
		.apply = LC_APPLY_RESTART,
		.help = "none: the system decides when bytes reach the disk; interval: they do so "
			"every sync_interval. Both survive kill -9, interval also a power failure"},
	{"sync_interval", LC_SET_DURATION, JOURNAL(sync_interval_ms), .fallback = "1s", .min = 10,
		.max = 60000, .apply = LC_APPLY_RESTART,
		.help = "what a power failure may take, when sync is interval"},
	{"max_bytes", LC_SET_SIZE, JOURNAL(max_bytes), .fallback = "8GB", .min = 16.0 * 1024 * 1024,
		.max = 1e12, .apply = LC_APPLY_RESTART,
		.help = "size of the log on disk; when it is full, the oldest part is given up and "
			"said as gaps. 20,000 ticks a second take about 9 MB a second"},
	{"restart_max_age", LC_SET_DURATION, JOURNAL(restart_max_age_ms), .fallback = "15m",
		.min = 0, .max = 6.048e8, .apply = LC_APPLY_RESTART,
		.help = "after a restart, market data older than this is not sent any more but "
			"said as gaps; 0: everything is sent"},
};

const struct lc_section lc_journal_section = {
	.name = "journal",
	.help = "the log on disk between encoder and Kafka",
	.settings = settings,
	.count = sizeof settings / sizeof *settings,
	.size = sizeof(struct lc_journal_config),
};
