/* Bars in ClickHouse. */
#include "livecore/bar_store.h"

static enum lc_err clickhouse_create(
	const struct lc_bar_backend_env *env, struct lc_bar_backend **out, struct lc_error *err)
{
	(void)env;
	(void)out;
	return lc_error_set(err, LC_ERR_UNSUPPORTED, "store.backend clickhouse is not built in");
}

const struct lc_bar_backend_impl lc_bars_clickhouse = {
	.name = "clickhouse",
	.create = clickhouse_create,
};
