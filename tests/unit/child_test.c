/* Child processes: their lines, their end, and that none is left behind. */
#include "livecore/child.h"
#include "loop_fixture.h"

#include <errno.h>
#include <sys/wait.h>

struct seen {
	bool line, exited, done;
	char text[64];
	int64_t status;
};

static void on_line(void *arg, const char *text)
{
	struct seen *seen = arg;
	seen->line = true;
	snprintf(seen->text, sizeof seen->text, "%s", text);
}

static void on_exited(void *arg, int64_t status, int signo)
{
	struct seen *seen = arg;
	(void)signo;
	seen->exited = true;
	seen->status = status;
}

static void on_done(void *arg)
{
	((struct seen *)arg)->done = true;
}

static struct lc_child *start(struct fixture *f, struct seen *seen, const char *script)
{
	static const struct lc_child_handler handler = {.line = on_line, .exited = on_exited};
	const char *args[] = {"/bin/sh", "-c", script, NULL};
	struct lc_child *child;
	struct lc_error err = {0};
	cr_assert_eq(
		lc_child_start(f->loop, args, &handler, seen, &child, &err), LC_OK, "%s", err.text);
	return child;
}

Test(child, lines_and_the_end_are_told)
{
	struct fixture f;
	struct seen seen = {0};
	fixture_open(&f);
	struct lc_child *child = start(&f, &seen, "echo one; exit 3");
	run_until(&f, &seen.exited);
	if (!seen.line) {
		run_until(&f, &seen.line);
	}
	cr_assert_str_eq(seen.text, "one");
	cr_assert_eq(seen.status, 3);
	lc_child_destroy(child, on_done, &seen);
	run_until(&f, &seen.done);
	fixture_close(&f);
}

Test(child, a_destroyed_child_is_waited_for)
{
	static const char *const scripts[] = {
		"echo up; exec sleep 100", "trap '' TERM; echo up; exec sleep 100"};
	for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++) {
		struct fixture f;
		struct seen seen = {0};
		fixture_open(&f);
		struct lc_child *child = start(&f, &seen, scripts[i]);
		run_until(&f, &seen.line);
		lc_child_destroy(child, on_done, &seen);
		cr_assert_not(seen.done, "never from inside the call");
		run_until(&f, &seen.done);
		cr_assert_not(seen.exited, "it was forgotten");
		cr_assert_eq(waitpid(-1, NULL, WNOHANG), -1);
		cr_assert_eq(errno, ECHILD, "no zombie is left");
		fixture_close(&f);
	}
}
