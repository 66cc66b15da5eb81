/* The feeders that registry.c lists; each is defined in its own file. Constants. */
#pragma once

#include "livecore/feeder.h"

extern const struct lc_feeder_impl lc_feeder_alpaca;
extern const struct lc_feeder_impl lc_feeder_eastmoney;
extern const struct lc_feeder_impl lc_feeder_fushu;
extern const struct lc_feeder_impl lc_feeder_tencent;
