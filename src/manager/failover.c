#include "manager/failover.h"

#include "livecore/sources.h"
#include "manager/manager_priv.h"

#include <stdlib.h>

struct lc_failover {
	struct lc_manager *manager; /* borrowed */
	struct lc_sources sources;  /* one a feed */
};

enum lc_err lc_failover_create(struct lc_manager *manager, struct lc_failover **out)
{
	struct lc_failover *failover = calloc(1, sizeof *failover);
	if (!failover) {
		return LC_ERR_NOMEM;
	}
	failover->manager = manager;
	*out = failover;
	return LC_OK;
}

void lc_failover_destroy(struct lc_failover *failover)
{
	free(failover);
}

bool lc_failover_leave(struct lc_feed *feed, const char *why)
{
	(void)feed;
	(void)why;
	return false;
}

void lc_failover_recovered(struct lc_feed *feed)
{
	(void)feed;
}
