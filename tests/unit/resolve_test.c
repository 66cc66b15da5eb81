#include "loop_fixture.h"

#include <string.h>

struct answer {
	bool done;
	int times;
	size_t count;
	char first[46];
	struct lc_error err;
};

static void on_resolved(
	void *arg, const char (*addresses)[46], size_t count, const struct lc_error *err)
{
	struct answer *answer = arg;
	answer->done = true;
	answer->times++;
	answer->count = count;
	answer->err = *err;
	if (count) {
		memcpy(answer->first, addresses[0], sizeof answer->first);
	}
}

static struct answer look_up(struct fixture *f, const char *host)
{
	struct answer answer = {0};
	struct lc_resolve *resolve;
	cr_assert_eq(lc_resolve_start(f->loop, host, on_resolved, &answer, &resolve), LC_OK);
	cr_assert_not(answer.done, "never before the call returns");
	run_until(f, &answer.done);
	cr_assert_eq(answer.times, 1);
	return answer;
}

Test(resolve, addresses_answer_themselves)
{
	struct fixture f;
	fixture_open(&f);
	static const char *const hosts[] = {"127.0.0.1", "::1", "10.1.2.3", "2001:db8::1"};
	for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
		struct answer answer = look_up(&f, hosts[i]);
		cr_assert_eq(answer.count, 1);
		cr_assert_eq(answer.err.code, LC_OK);
		cr_assert_str_eq(answer.first, hosts[i]);
	}
	fixture_close(&f);
}

Test(resolve, names)
{
	struct fixture f;
	fixture_open(&f);
	struct answer answer = look_up(&f, "localhost");
	cr_assert_geq(answer.count, 1);
	cr_assert_leq(answer.count, LC_RESOLVE_MAX);
	cr_assert(strcmp(answer.first, "127.0.0.1") == 0 || strcmp(answer.first, "::1") == 0);
	answer = look_up(&f, "no-such-host.invalid");
	cr_assert_eq(answer.count, 0);
	cr_assert_eq(answer.err.code, LC_ERR_NOT_FOUND);
	cr_assert_not_null(strstr(answer.err.text, "no-such-host.invalid"));
	struct lc_resolve *resolve;
	char long_host[400];
	memset(long_host, 'a', sizeof long_host - 1);
	long_host[sizeof long_host - 1] = '\0';
	cr_assert_eq(
		lc_resolve_start(f.loop, long_host, on_resolved, NULL, &resolve), LC_ERR_INVALID);
	cr_assert_eq(lc_resolve_start(f.loop, "", on_resolved, NULL, &resolve), LC_ERR_INVALID);
	fixture_close(&f);
}

Test(resolve, cancelled_look_ups_do_not_answer)
{
	struct fixture f;
	fixture_open(&f);
	struct answer numeric = {0}, name = {0};
	struct lc_resolve *a, *b;
	cr_assert_eq(lc_resolve_start(f.loop, "127.0.0.1", on_resolved, &numeric, &a), LC_OK);
	cr_assert_eq(lc_resolve_start(f.loop, "localhost", on_resolved, &name, &b), LC_OK);
	lc_resolve_cancel(a);
	lc_resolve_cancel(b);
	lc_resolve_cancel(NULL);
	look_up(&f, "localhost");
	cr_assert(!numeric.done && !name.done);
	fixture_close(&f);
}
