#include "manager/disk_log.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define CLOSE_MS 2000

static const struct lc_journal_config *config_of(const struct lc_manager *manager)
{
	return lc_config_section(
		manager->first_config ? manager->first_config : manager->config, "journal");
}

static void on_protection(void *arg, bool is_protected, const char *why)
{
	struct lc_manager *manager = arg;
	snprintf(manager->log_trouble, sizeof manager->log_trouble, "%s", is_protected ? "" : why);
	lc_event(&manager->outbox, "journal",
		LC_S("state", is_protected ? "protected" : "unprotected"), LC_S("reason", why));
	lc_alert(&manager->outbox, is_protected ? "resolved" : "unprotected",
		is_protected ? LC_SEVERITY_INFO : LC_SEVERITY_ERROR,
		LC_S("resolves", is_protected ? "unprotected" : NULL), LC_S("reason", why));
}

static bool is_full(const char *cause)
{
	return strcmp(cause, "journal_full") == 0;
}

static void on_lost(void *arg, const struct lc_journal_loss *loss)
{
	static const struct {
		enum lc_gap_cause gap;
		const char *evidence;
	} causes[] = {
		{LC_GAP_JOURNAL_FULL, "the log on disk was at journal.max_bytes"},
		{LC_GAP_TOO_OLD, "older than journal.restart_max_age at the start"},
		{LC_GAP_JOURNAL_DAMAGED, "files of the log on disk cannot be read"},
	};
	struct lc_manager *manager = arg;
	size_t i = 0;
	while (strcmp(lc_gap_cause_name(causes[i].gap), loss->cause) != 0) {
		i++;
		assert(i < sizeof causes / sizeof *causes);
	}
	lc_gaps_missing(manager->gaps, causes[i].gap, NULL, loss->key, loss->key_len,
		loss->first_ns, loss->last_ns, loss->records, causes[i].evidence);
}

static void on_lost_end(void *arg, const char *cause, uint64_t records, uint64_t others)
{
	struct lc_manager *manager = arg;
	lc_gaps_flush(manager->gaps);
	lc_event(&manager->outbox, "journal", LC_S("state", cause), LC_U("records", records),
		LC_U("others", others));
	if (is_full(cause)) {
		lc_alert(&manager->outbox, "journal_full", LC_SEVERITY_ERROR,
			LC_U("actual", records + others),
			LC_I("threshold", config_of(manager)->max_bytes));
	}
}

static void on_room(void *arg)
{
	struct lc_manager *manager = arg;
	lc_drain_wake(manager->drain);
}

static void folder_of(const struct lc_manager *manager, char *out, size_t size)
{
	const struct lc_journal_config *config = config_of(manager);
	if (config->dir[0] != '\0') {
		snprintf(out, size, "%s", config->dir);
	} else {
		snprintf(out, size, "%s/journal", manager->state_dir);
	}
}

enum lc_err lc_disk_log_create(struct lc_manager *manager, struct lc_error *err)
{
	size_t memory = (size_t)manager->kafka.buffer_bytes;
	char folder[1024];
	folder_of(manager, folder, sizeof folder);
	enum lc_err rc = LC_ERR_IO;
	if (config_of(manager)->enabled) {
		const struct lc_journal_progress progress = {
			manager->options.reading, manager->options.arg};
		rc = lc_journal_open(manager->loop, folder, memory, config_of(manager), progress,
			&manager->journal, err);
		if (rc != LC_ERR_IO) {
			return rc;
		}
		lc_log(manager->log, LC_LOG_ERROR, "journal", "unusable", LC_S("error", err->text));
		snprintf(manager->log_trouble, sizeof manager->log_trouble, "%s", err->text);
	}
	rc = lc_journal_create(memory, &manager->journal);
	if (rc == LC_OK && manager->log_trouble[0] != '\0') {
		lc_journal_unprotect(manager->journal);
	}
	return rc ? lc_error_set(err, rc, "out of memory for kafka.buffer") : LC_OK;
}

void lc_disk_log_begin(struct lc_manager *manager)
{
	static const struct lc_journal_handlers handlers = {
		.protection = on_protection,
		.lost = on_lost,
		.lost_end = on_lost_end,
		.room = on_room,
	};
	const struct lc_journal_recovery *found = lc_journal_recovered(manager->journal);
	lc_journal_handle(manager->journal, &handlers, manager);
	if (manager->log_trouble[0] != '\0') {
		on_protection(manager, false, manager->log_trouble);
	}
	if (found->found) {
		lc_event(&manager->outbox, "journal", LC_S("state", "found"),
			LC_B("clean", found->clean), LC_U("records", found->records),
			LC_U("to_send", found->to_send), LC_U("too_old", found->expired),
			LC_U("torn", found->torn), LC_U("damaged", found->damaged));
	}
}

void lc_disk_log_stop(struct lc_manager *manager, void (*done)(void *arg))
{
	if (manager->journal) {
		lc_journal_close(manager->journal, CLOSE_MS, done, manager);
	} else {
		done(manager);
	}
}

uint64_t lc_disk_log_kept(const struct lc_manager *manager)
{
	if (!manager->config || !manager->journal) {
		return 0; /* it could not be made: nothing was accepted */
	}
	struct lc_journal_stats stats = lc_journal_stats(manager->journal);
	return config_of(manager)->enabled && lc_journal_protected(manager->journal) &&
			       stats.unwritten == 0
		       ? manager->unacknowledged
		       : 0;
}

void lc_disk_log_status(const struct lc_manager *manager, struct lc_buf *out)
{
	struct lc_journal_stats stats = lc_journal_stats(manager->journal);
	const struct lc_journal_recovery *found = lc_journal_recovered(manager->journal);
	lc_buf_printf(out,
		",\"journal\":{\"on_disk\":%s,\"protected\":%s,\"disk_bytes\":%llu,"
		"\"memory_bytes\":%zu,\"unwritten_bytes\":%llu,\"written_bytes\":%llu,"
		"\"write_failures\":%llu,\"segments\":%llu,\"segments_on_disk_only\":%llu,"
		"\"lost\":%llu,\"found\":%llu,\"too_old\":%llu,\"problem\":",
		config_of(manager)->enabled ? "true" : "false",
		lc_journal_protected(manager->journal) ? "true" : "false",
		(unsigned long long)stats.disk_bytes, stats.bytes,
		(unsigned long long)stats.unwritten, (unsigned long long)stats.written_bytes,
		(unsigned long long)stats.write_failures, (unsigned long long)stats.segments,
		(unsigned long long)stats.on_disk, (unsigned long long)stats.lost,
		(unsigned long long)found->to_send, (unsigned long long)found->expired);
	lc_buf_json_string(out, manager->log_trouble, strlen(manager->log_trouble));
	lc_buf_putc(out, '}');
}

static void gauge(struct lc_manager *manager, const char *name, const char *help, double value)
{
	*lc_metrics_gauge(lc_loop_metrics(manager->loop), name, "", help) = value;
}

static void total(struct lc_manager *manager, const char *name, const char *help, uint64_t value)
{
	*lc_metrics_total(lc_loop_metrics(manager->loop), name, "", help) = (double)value;
}

void lc_disk_log_gauges(struct lc_manager *manager)
{
	struct lc_journal_stats stats = lc_journal_stats(manager->journal);
	gauge(manager, "livecore_journal_bytes", "files of the log on disk",
		(double)stats.disk_bytes);
	gauge(manager, "livecore_journal_unwritten_bytes", "of the log, not on disk yet",
		(double)stats.unwritten);
	total(manager, "livecore_journal_written_bytes_total", "written to the log since the start",
		stats.written_bytes);
	total(manager, "livecore_journal_write_failures_total", "writes that the disk did not take",
		stats.write_failures);
	total(manager, "livecore_journal_lost_records_total",
		"records given up at journal.max_bytes, or damaged", stats.lost);
	gauge(manager, "livecore_journal_segments", "parts of the log in use",
		(double)stats.segments);
	gauge(manager, "livecore_journal_protected", "0 while records are in memory alone",
		lc_journal_protected(manager->journal));
}
