#include "registry.h"

/* The one place that names every vendor. */
const struct lc_feeder_impl *const lc_feeders[] = {
	&lc_feeder_alpaca,
	&lc_feeder_eastmoney,
	&lc_feeder_fushu,
	&lc_feeder_tencent,
	NULL,
};
