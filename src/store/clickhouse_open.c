#include "store/clickhouse_call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *trim(struct lc_buf *text)
{
	while (text->len > 0 && (text->data[text->len - 1] == '\n')) {
		text->len--;
	}
	return lc_buf_text(text);
}

static enum lc_err check_version(struct clickhouse_call *call)
{
	struct clickhouse *ch = call->ch;
	const char *text = trim(&call->answer);
	if (clickhouse_version_parse(text, call->answer.len, &ch->version) != LC_OK) {
		return lc_error_set(&call->err, LC_ERR_PROTOCOL,
			"what answers at %.150s is no ClickHouse", ch->config->clickhouse_url);
	}
	snprintf(ch->version_text, sizeof ch->version_text, "%s", text);
	if (ch->version.major < 18 || (ch->version.major == 18 && ch->version.minor < 16)) {
		return lc_error_set(&call->err, LC_ERR_UNSUPPORTED,
			"ClickHouse %.40s is too old: 18.16 or newer is needed", text);
	}
	return LC_OK;
}

/* The stored version of the tables: 0 when there is none. */
static enum lc_err check_schema(struct clickhouse_call *call, enum clickhouse_step *next)
{
	const char *database = call->ch->config->clickhouse_database;
	int version = atoi(trim(&call->answer));
	if (version > CLICKHOUSE_SCHEMA) {
		return lc_error_set(&call->err, LC_ERR_UNSUPPORTED,
			"database %s is version %d, this livecore knows up to %d: run the newer "
			"livecore, or name another store.clickhouse_database",
			database, version, CLICKHOUSE_SCHEMA);
	}
	if (version == 0 && call->ch->read_only) {
		return clickhouse_explain(404, "Code: 60", 8, call->ch->config, &call->err);
	}
	*next = version == 0 ? CLICKHOUSE_CREATE_DATABASE : CLICKHOUSE_EXISTS;
	return LC_OK;
}

/* Takes the answer of a step. Returns true when the call is answered. */
static bool end_step(struct clickhouse_call *call)
{
	enum clickhouse_step next = call->step + 1;
	switch (call->step) {
	case CLICKHOUSE_VERSION:
		check_version(call);
		break;
	case CLICKHOUSE_SCHEMA_VERSION:
		check_schema(call, &next);
		break;
	case CLICKHOUSE_EXISTS:
		next = CLICKHOUSE_CREATE_BARS;
		if (strcmp(trim(&call->answer), "1") == 0) {
			clickhouse_call_answer(call);
			return true;
		}
		if (call->ch->read_only) {
			clickhouse_explain(404, "Code: 60", 8, call->ch->config, &call->err);
		}
		break;
	case CLICKHOUSE_PUT_SCHEMA:
		clickhouse_call_answer(call);
		return true;
	case CLICKHOUSE_CREATE_DATABASE:
	case CLICKHOUSE_CREATE_SCHEMA:
	case CLICKHOUSE_CREATE_BARS:
	case CLICKHOUSE_CHECK_BARS:
		break;
	}
	call->step = next;
	if (call->err.code != LC_OK) {
		clickhouse_call_answer(call);
		return true;
	}
	return false;
}

/* That nothing was made yet is not an error when it may be made. */
static bool may_create(const struct clickhouse_call *call)
{
	return call->step == CLICKHOUSE_SCHEMA_VERSION && !call->ch->read_only &&
	       call->err.code == LC_ERR_NOT_FOUND;
}

static void put_step(struct clickhouse_call *call, struct lc_buf *sql)
{
	const char *database = call->ch->config->clickhouse_database;
	switch (call->step) {
	case CLICKHOUSE_VERSION:
		lc_buf_puts(sql, "SELECT version()");
		break;
	case CLICKHOUSE_SCHEMA_VERSION:
		lc_buf_printf(sql,
			"SELECT max(version) FROM %s.livecore_schema WHERE component = 'bars'",
			database);
		break;
	case CLICKHOUSE_EXISTS:
		lc_buf_printf(sql, "EXISTS TABLE %s.bars", database);
		break;
	case CLICKHOUSE_CREATE_DATABASE:
		lc_buf_printf(sql, "CREATE DATABASE IF NOT EXISTS %s", database);
		break;
	case CLICKHOUSE_CREATE_SCHEMA:
		clickhouse_create_schema(sql, database);
		break;
	case CLICKHOUSE_CREATE_BARS:
		clickhouse_create_bars(sql, database);
		break;
	case CLICKHOUSE_CHECK_BARS: /* one that was there before may be somebody else's */
		clickhouse_check_bars(sql, database);
		break;
	case CLICKHOUSE_PUT_SCHEMA:
		lc_buf_printf(sql,
			"INSERT INTO %s.livecore_schema (component, version) VALUES "
			"('bars', %d)",
			database, CLICKHOUSE_SCHEMA);
		break;
	}
}

static enum lc_err on_step_answered(struct clickhouse_call *call)
{
	return end_step(call) ? LC_OK : clickhouse_call_ask(call);
}

const struct clickhouse_call_kind clickhouse_opening = {
	.put = put_step,
	.answered = on_step_answered,
	.forgives = may_create,
};
