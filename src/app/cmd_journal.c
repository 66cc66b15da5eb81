/* livecore journal: shows a log's folder, and says whether it is sound. */
#include "app/args.h"
#include "app/commands.h"
#include "app/journal_view.h"
#include "livecore/buf.h"
#include "livecore/zone.h"

#include <stdio.h>
#include <string.h>

static const struct lc_usage usage = {"journal", "DIR",
	"Shows the log on disk in DIR (the folder journal in state.dir, when journal.dir is not "
	"set): its files, its records by\n"
	"topic, which of them Kafka has not acknowledged, and how many stand in its memory and in "
	"no file yet. It changes nothing,\n"
	"and may be used while livecore runs, by the same user. Exit code 1 when something in it "
	"is damaged, or there is no log."};

static const char *time_of(int64_t ns, char out[LC_TIME_TEXT_MAX + 1])
{
	out[ns ? lc_time_format(ns, LC_TIME_UTC, NULL, out) : 0] = '\0';
	return out;
}

static void print_file(const struct lc_journal_view *view, const struct lc_journal_file_view *file)
{
	char first[LC_TIME_TEXT_MAX + 1], last[LC_TIME_TEXT_MAX + 1];
	const char *problem = lc_journal_view_problem(view, file);
	if (file->state != LC_OK) {
		printf("%s  %s\n", file->name, problem ? problem : "not in use");
		return;
	}
	printf("%s  from %llu: %u records, %u unmarked, %llu bytes  %s .. %s%s%s\n", file->name,
		(unsigned long long)file->first_id, file->records, file->unmarked,
		(unsigned long long)file->bytes, time_of(file->first_ns, first),
		time_of(file->last_ns, last), problem ? "  " : "", problem ? problem : "");
}

static size_t print_problems(const struct lc_journal_view *view)
{
	size_t count = 0;
	for (size_t i = 0; i < view->count; i++) {
		const char *problem = lc_journal_view_problem(view, &view->files[i]);
		if (problem) {
			printf("%s: after %u sound records: %s\n", view->files[i].name,
				view->files[i].records, problem);
			count++;
		}
	}
	return count;
}

static void print_totals(const struct lc_journal_view *view)
{
	char first[LC_TIME_TEXT_MAX + 1], last[LC_TIME_TEXT_MAX + 1];
	for (int topic = 0; topic < LC_TOPICS_OUT; topic++) {
		if (view->topics[topic] > 0) {
			printf("%-16s %llu records, %llu unmarked\n", lc_journal_view_topic(topic),
				(unsigned long long)view->topics[topic],
				(unsigned long long)view->unmarked_topics[topic]);
		}
	}
	printf("%zu files, %llu records, %llu unmarked", view->count,
		(unsigned long long)view->records, (unsigned long long)view->unmarked);
	if (view->records > 0) {
		printf(", %s .. %s", time_of(view->first_ns, first), time_of(view->last_ns, last));
	}
	if (view->holder[0]) {
		printf("; in use by process %s\n", view->holder);
	} else {
		printf("; %s\n", view->clean ? "its process ended in order"
					     : "its process did not end in order");
	}
}

static void print_memory(const struct lc_journal_view *view)
{
	const char *problem = lc_journal_view_memory_problem(view);
	if (view->memory.state == LC_ERR_NOT_FOUND) {
		puts("in memory alone: nothing, there is no file for it");
	} else if (view->memory.state == LC_OK) {
		printf("in memory alone: %llu records, %llu bytes\n",
			(unsigned long long)view->memory.records,
			(unsigned long long)view->memory.bytes);
	}
	if (problem) {
		puts(problem);
	}
}

static void file_json(const struct lc_journal_view *view, const struct lc_journal_file_view *file,
	struct lc_buf *out)
{
	static const char *const states[] = {"in_use", "free", "damaged"};
	char first[LC_TIME_TEXT_MAX + 1], last[LC_TIME_TEXT_MAX + 1];
	const char *problem = lc_journal_view_problem(view, file);
	int state = file->state == LC_OK ? 0 : file->state == LC_ERR_NOT_FOUND ? 1 : 2;
	lc_buf_printf(out,
		"{\"file\":\"%s\",\"state\":\"%s\",\"first_id\":%llu,\"records\":%u,"
		"\"unmarked\":%u,\"bytes\":%llu,\"torn\":%s,\"first\":\"%s\",\"last\":\"%s\","
		"\"problem\":",
		file->name, states[state], (unsigned long long)file->first_id, file->records,
		file->unmarked, (unsigned long long)file->bytes, file->torn ? "true" : "false",
		time_of(file->first_ns, first), time_of(file->last_ns, last));
	lc_buf_json_string(out, problem ? problem : "", problem ? strlen(problem) : 0);
	lc_buf_putc(out, '}');
}

static void memory_json(const struct lc_journal_view *view, struct lc_buf *out)
{
	const char *state = view->memory.state == LC_OK              ? "in_use"
			    : view->memory.state == LC_ERR_NOT_FOUND ? "none"
								     : "damaged";
	lc_buf_printf(out, "\"memory\":{\"state\":\"%s\",\"records\":%llu,\"bytes\":%llu},", state,
		(unsigned long long)view->memory.records, (unsigned long long)view->memory.bytes);
}

static bool print_json(const struct lc_journal_view *view)
{
	struct lc_buf out;
	bool damaged = lc_journal_view_memory_problem(view) != NULL;
	lc_buf_init(&out, 64 << 20);
	lc_buf_printf(&out, "{\"records\":%llu,\"unmarked\":%llu,\"clean\":%s,\"held_by\":\"%s\",",
		(unsigned long long)view->records, (unsigned long long)view->unmarked,
		view->clean ? "true" : "false", view->holder);
	memory_json(view, &out);
	lc_buf_puts(&out, "\"topics\":{");
	for (int topic = 0; topic < LC_TOPICS_OUT; topic++) {
		lc_buf_printf(&out, "%s\"%s\":{\"records\":%llu,\"unmarked\":%llu}",
			topic ? "," : "", lc_journal_view_topic(topic),
			(unsigned long long)view->topics[topic],
			(unsigned long long)view->unmarked_topics[topic]);
	}
	lc_buf_puts(&out, "},\"files\":[");
	for (size_t i = 0; i < view->count; i++) {
		damaged |= lc_journal_view_problem(view, &view->files[i]) != NULL;
		lc_buf_puts(&out, i ? "," : "");
		file_json(view, &view->files[i], &out);
	}
	lc_buf_printf(&out, "],\"damaged\":%s}", damaged ? "true" : "false");
	puts(lc_buf_text(&out));
	lc_buf_finish(&out);
	return damaged;
}

static bool show(const struct lc_journal_view *view, bool verify)
{
	for (size_t i = 0; i < view->count && !verify; i++) {
		print_file(view, &view->files[i]);
	}
	size_t problems = verify ? print_problems(view) : 0;
	for (size_t i = 0; i < view->count && !verify; i++) {
		problems += lc_journal_view_problem(view, &view->files[i]) != NULL;
	}
	print_totals(view);
	print_memory(view);
	problems += lc_journal_view_memory_problem(view) != NULL;
	if (verify || problems > 0) {
		printf("%s\n", problems > 0 ? "damaged" : "sound");
	}
	return problems > 0;
}

int lc_command_journal(int argc, char **argv)
{
	bool verify = false, json = false;
	const char *memory_dir = "/dev/shm";
	const struct lc_option options[] = {
		{"verify", LC_OPTION_FLAG, &verify, NULL, "print only what is damaged, and totals"},
		{"json", LC_OPTION_FLAG, &json, NULL, "one JSON object"},
		{"memory-dir", LC_OPTION_TEXT, &memory_dir, "DIR",
			"the setting journal.memory_dir, when it is not /dev/shm"},
		{0},
	};
	int rc = lc_args_parse(&usage, options, &argc, argv);
	if (rc >= 0) {
		return rc;
	}
	if (argc != 2) {
		return lc_args_wrong(&usage, "journal takes one folder");
	}
	struct lc_journal_view view;
	struct lc_error err;
	if (lc_journal_view_read(argv[1], memory_dir, &view, &err) != LC_OK) {
		fprintf(stderr, "livecore: %s\n", err.text);
		lc_journal_view_finish(&view);
		return LC_EXIT_FAILED;
	}
	bool damaged = json ? print_json(&view) : show(&view, verify);
	lc_journal_view_finish(&view);
	return damaged ? LC_EXIT_FAILED : LC_EXIT_OK;
}
