#include "interest_bench.h"


/* What a real Redis does to the sets: away, empty again, changed by another hand. The contract that
 * it shares with SQLite is tested in interest_store_test.c. */

#define KEY "livecore:interest:n1"

static struct lc_saved_interest *two_sets(void)
{
	struct lc_saved_interest *saved = make_saved(2, 2);
	add_portfolio(saved, "p", 3);
	add_portfolio(saved, "q", 1);
	return saved;
}

static struct lc_saved_interest *complete(struct lc_saved_interest *saved)
{
	saved->complete = true;
	return saved;
}

static void store_two(struct bench *b)
{
	bench_open(b, REDIS);
	lc_log_set_levels(b->f.log, "off", NULL);
	open_store(b);
	save(b, complete(two_sets()));
	cr_assert_eq(b->err.code, LC_OK, "%s", b->err.text);
}

/* Redis is looked for again after a while, so a save right behind its return may be too early. */
static bool try_complete_save(struct bench *b)
{
	save(b, complete(two_sets()));
	return b->err.code == LC_OK;
}

Test(interest_redis, an_address_is_needed)
{
	struct bench b = {.kind = SQLITE};
	char none[] = "", bad[] = "a b";
	struct lc_redis_config redis = {.address = none, .username = none, .password = none};
	struct lc_error err;
	fixture_open(&b.f);
	cr_assert_eq(
		lc_interest_store_open_redis(b.f.loop, &redis, "n1", on_loaded, &b, &b.store, &err),
		LC_ERR_INVALID);
	redis.address = bad;
	cr_assert_eq(
		lc_interest_store_open_redis(b.f.loop, &redis, "n1", on_loaded, &b, &b.store, &err),
		LC_ERR_INVALID);
	cr_assert(strstr(err.text, "HOST:PORT"), "%s", err.text);
	fixture_close(&b.f);
}

/* Many entries: several pieces each way. */
Test(interest_redis, large_sets_come_in_pieces)
{
	struct bench b;
	bench_open(&b, REDIS);
	open_store(&b);
	struct lc_saved_interest *saved = make_saved(2, 3000);
	add_portfolio(saved, "large", 5000);
	add_portfolio(saved, "small", 1);
	save(&b, complete(saved));
	cr_assert_eq(b.err.code, LC_OK, "%s", b.err.text);
	reopen(&b);
	const struct lc_saved_portfolio *large = find(b.loaded, "large");
	cr_assert_eq(large->count, 5000);
	for (size_t i = 0; i < large->count; i++) {
		cr_assert_eq((size_t)atoi(large->entries[i].symbol), i + 1);
		cr_assert_eq(large->entries[i].follow_ns, INT64_MAX - (int64_t)i);
	}
	cr_assert_eq(b.loaded->offset_count, 3000);
	cr_assert_eq(b.loaded->offsets[2999].next, 3999);
	close_store(&b);
	bench_close(&b);
}

/* Away at the start: said, and a complete save does as soon as it is there; what was stored before
 * and is not in it goes. */
Test(interest_redis, away_at_the_start)
{
	struct bench b;
	bench_open(&b, REDIS);
	lc_log_set_levels(b.f.log, "off", NULL);
	redis_run(&b, "kill");
	redis_run(&b, "address");
	open_store(&b);
	cr_assert_eq(b.err.code, LC_ERR_AGAIN);
	cr_assert(strstr(b.err.text, "refused"), "%s", b.err.text);
	save(&b, complete(two_sets()));
	cr_assert_eq(b.err.code, LC_ERR_AGAIN);
	redis_run(&b, "restart");
	char said[64];
	redis_cli(&b, "ZADD " KEY ":portfolios 0 left-over", said, sizeof said);
	while (!try_complete_save(&b)) {
	}
	reopen(&b);
	cr_assert_eq(b.loaded->portfolio_count, 2);
	close_store(&b);
	bench_close(&b);
}

/* Killed, and empty when it comes back: what is stored is not what we stored, so a part of it is
 * refused and the whole is taken. */
Test(interest_redis, killed_and_empty_again)
{
	struct bench b;
	store_two(&b);
	redis_run(&b, "kill");
	save(&b, make_saved(0, 1));
	cr_assert_eq(b.err.code, LC_ERR_AGAIN, "%s", b.err.text);
	redis_run(&b, "restart");
	save(&b, make_saved(0, 1));
	cr_assert_eq(b.err.code, LC_ERR_AGAIN, "only a complete save may follow");
	while (!try_complete_save(&b)) {
	}
	char said[64];
	redis_cli(&b, "FLUSHALL", said, sizeof said);
	save(&b, make_saved(0, 1));
	cr_assert_eq(b.err.code, LC_ERR_EXISTS, "%s", b.err.text);
	cr_assert(try_complete_save(&b));
	reopen(&b);
	cr_assert_eq(b.loaded->portfolio_count, 2);
	close_store(&b);
	bench_close(&b);
}

/* A Redis that hangs costs its timeout, and the store closes all the same. */
Test(interest_redis, hangs)
{
	struct bench b;
	char command[200];
	store_two(&b);
	snprintf(command, sizeof command, "kill -STOP $(cat %s/redis/pid)", b.root);
	cr_assert_eq(system(command), 0);
	save(&b, make_saved(0, 1));
	cr_assert_eq(b.err.code, LC_ERR_AGAIN, "%s", b.err.text);
	cr_assert(strstr(b.err.text, "no answer"), "%s", b.err.text);
	close_store(&b);
	open_store(&b);
	cr_assert_eq(b.err.code, LC_ERR_AGAIN, "%s", b.err.text);
	close_store(&b);
	bench_close(&b);
}

/* Two processes with one node.id: each learns of the other and neither mixes into the other's. */
Test(interest_redis, another_process_writes_here)
{
	struct bench b, other;
	store_two(&b);
	other = (struct bench){.kind = SQLITE};
	fixture_open(&other.f);
	other.kind = REDIS;
	strcpy(other.address, b.address);
	open_store(&other);
	cr_assert_eq(other.loaded->portfolio_count, 2);
	struct lc_saved_interest *saved = make_saved(1, 1);
	add_portfolio(saved, "r", 1);
	save(&other, complete(saved));
	cr_assert_eq(other.err.code, LC_OK, "%s", other.err.text);
	save(&b, make_saved(0, 1));
	cr_assert_eq(b.err.code, LC_ERR_EXISTS);
	cr_assert(strstr(b.err.text, "node.id"), "%s", b.err.text);
	reopen(&other);
	cr_assert_eq(other.loaded->portfolio_count, 1);
	close_store(&other);
	lc_saved_interest_free(other.loaded);
	fixture_close(&other.f);
	close_store(&b);
	bench_close(&b);
}

/* What does not hold together counts as empty, and the next save mends it. */
Test(interest_redis, damage)
{
	static const char *const harms[] = {"DEL " KEY ":set:p", "DEL " KEY ":portfolios",
		"APPEND " KEY ":set:p x", "SETRANGE " KEY ":set:p 0 9", "HDEL " KEY " offsets",
		"HSET " KEY " offsets 1:x", "HSET " KEY " portfolios 3",
		"SET " KEY ":set:q \"1 0 0 1\nAAPL 1 2 \"", "ZADD " KEY ":portfolios 0 \"\""};
	struct bench b;
	char said[64];
	store_two(&b);
	for (size_t i = 0; i < sizeof harms / sizeof *harms; i++) {
		redis_cli(&b, harms[i], said, sizeof said);
		reopen(&b);
		cr_assert_eq(b.loaded->portfolio_count + b.loaded->offset_count, 0, "%s", harms[i]);
		save(&b, complete(two_sets()));
		cr_assert_eq(b.err.code, LC_OK, "%s: %s", harms[i], b.err.text);
		reopen(&b);
		cr_assert_eq(b.loaded->portfolio_count, 2, "%s", harms[i]);
		cr_assert_eq(b.loaded->offset_count, 2, "%s", harms[i]);
	}
	close_store(&b);
	bench_close(&b);
}

Test(interest_redis, keys_of_another_kind_and_of_a_newer_livecore)
{
	struct bench b;
	char said[64];
	store_two(&b);
	redis_cli(&b, "HSET " KEY " version 2", said, sizeof said);
	close_store(&b);
	open_store(&b);
	cr_assert_eq(b.err.code, LC_ERR_UNSUPPORTED);
	cr_assert(strstr(b.err.text, "version 2"), "%s", b.err.text);
	close_store(&b);
	redis_cli(&b, "SET " KEY " x", said, sizeof said);
	open_store(&b);
	cr_assert_eq(b.err.code, LC_ERR_AGAIN);
	cr_assert(strstr(b.err.text, "WRONGTYPE"), "%s", b.err.text);
	save(&b, complete(two_sets()));
	cr_assert_eq(b.err.code, LC_ERR_REFUSED);
	cr_assert(strstr(b.err.text, "another kind"), "%s", b.err.text);
	redis_cli(&b, "DEL " KEY, said, sizeof said);
	save(&b, complete(two_sets()));
	cr_assert_eq(b.err.code, LC_OK, "the connection is clean again: %s", b.err.text);
	close_store(&b);
	bench_close(&b);
}
