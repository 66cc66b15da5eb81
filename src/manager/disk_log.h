/* The manager's side of the log on disk: makes it by the settings, says what it lost and when it
 * does not protect, and shows it. Loop thread. */
#pragma once

#include "manager/manager_priv.h"

/* Makes manager->journal. A folder that cannot be used is no reason to stay away from the market:
 * the log is in memory then, and says so. Errors: LC_ERR_EXISTS (another process has the folder),
 * LC_ERR_NOMEM. */
enum lc_err lc_disk_log_create(struct lc_manager *manager, struct lc_error *err);
/* Once there are an outbox and gaps. */
void lc_disk_log_begin(struct lc_manager *manager);
/* Stores what is left; answers through done, also from inside the call. */
void lc_disk_log_stop(struct lc_manager *manager, void (*done)(void *arg));
/* Of the records that Kafka has not acknowledged, those that the next start will send. */
uint64_t lc_disk_log_kept(const struct lc_manager *manager);
/* Appends ,"journal":{…}. */
void lc_disk_log_status(const struct lc_manager *manager, struct lc_buf *out);
void lc_disk_log_gauges(struct lc_manager *manager);
