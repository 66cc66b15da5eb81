"""Every documented setting is shown to change what it says: by a test below, or by the one that SHOWN names.

usage: effects_test.py LIVECORE [unittest options]
"""

import itertools
import json
import os
import re
import socket
import struct
import subprocess
import sys
import threading
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
import livecore  # noqa: E402
import machine  # noqa: E402
import vendors  # noqa: E402

# setting -> file:test where it is shown. A section's name alone stands for those that have no line of their own.
SHOWN = """
node.id                  settings_test:test_fushu_key_and_batches
log.level                settings_test:test_logs
log.format               settings_test:test_logs
time.format              settings_test:test_fushu_key_and_batches
time.naive_zone          effects_test:test_naive_zone
http.enabled             settings_test:test_no_http
http.address             effects_test:test_http_address
state.dir                kafka_test:test_check_beside_one_that_runs
symbols.max              interest_test:test_rejected
routing.routes           commands_test:test_routing_follows_a_reload
routing.feeders          commands_test:test_reload
failover                 failover_test:test_a_dead_vendor_is_left_and_gone_back_to
failover.ban_wait        failover_test:test_a_ban_that_is_short_is_waited_out
queue.size               unit/queue_test:a_new_configuration_keeps_what_is_queued
queue.policy             overload_test:test_drop_oldest
interest.ttl             unit/interest_sync_test:portfolios_that_fell_silent_are_forgotten
interest.group           effects_test:test_groups_and_created_topics
interest.store           redis_test:test_followed_sets
control.max_age          commands_test:test_expired_repeated_and_unreadable
control.group            effects_test:test_groups_and_created_topics
shutdown.timeout         unit/manager_test:stops_in_time_without_a_kafka_and_says_what_is_lost
calendar.always_open     unit/market_test:the_demo_is_always_open
calendar.dir             roles_test:test_another_folder_needs_no_restart
bars.enabled             bars_test:test_off
bars                     bars_test:test_a_recorded_day
bars.us_extended         unit/bars_us_test:extended_hours
bars.partial_ms          unit/bars_us_test:partials
timer.rules              timer_test:test_run_has_a_timer_when_there_are_rules
supervisor.backoff_min   unit/supervisor_test:alerts_after_the_fifth_failure_and_once
supervisor.backoff_max   unit/supervisor_test:alerts_after_the_fifth_failure_and_once
supervisor.healthy       unit/supervisor_test:a_short_session_does_not_end_the_trouble
supervisor.alert_after   unit/supervisor_test:alerts_after_the_fifth_failure_and_once
supervisor.connect_rate  unit/supervisor_test:connects_no_faster_than_allowed
supervisor.connect_burst unit/supervisor_test:connects_no_faster_than_allowed
supervisor.change_rate   unit/supervisor_test:changes_no_faster_than_allowed
supervisor.change_burst  unit/supervisor_test:changes_no_faster_than_allowed
liveness                 unit/liveness_test:the_stages_come_in_order_each_with_its_patience
liveness.symbol_silence  unit/liveness_test:a_silent_symbol_is_asked_for_once_and_then_said
liveness.grace           unit/liveness_test:the_first_seconds_are_grace
kafka.brokers            kafka_test:test_check_connect
kafka.client_id          effects_test:test_client_id
kafka.username           kafka_test:test_wrong_password
kafka.password           kafka_test:test_wrong_password
kafka.linger             effects_test:test_batches
kafka.batch_size         effects_test:test_batches
kafka.compression        effects_test:test_batches
kafka.in_flight          unit/sender_test:no_more_is_on_its_way_than_allowed
kafka.buffer             unit/journal_test:limits
kafka.fetch_wait         effects_test:test_fetch_wait
kafka.metadata_interval  effects_test:test_new_partitions
kafka.create_topics      effects_test:test_groups_and_created_topics
kafka.replication_factor effects_test:test_too_many_copies
kafka.retention          unit/topics_test:what_the_contract_wants
kafka.per_market         kafka_test:test_per_market
kafka.properties         kafka_test:test_tls_and_sasl
topics                   effects_test:test_topic_names
journal                  unit/journal_disk_test:what_is_not_reported_comes_again
journal.dir              journal_test:test_a_second_process
journal.memory_dir       unit/journal_disk_test:what_is_not_on_disk_outlives_its_process
journal.max_bytes        journal_test:test_at_its_size_limit
journal.restart_max_age  journal_test:test_too_old_for_a_restart
backfill.enabled         gaps_test:test_it_can_be_off
backfill.max_requests    gaps_test:test_a_small_budget_leaves_it_open
redis.address            redis_test:test_beats
redis.username           redis_test:test_another_user
redis.password           redis_test:test_beats
redis.db                 redis_test:test_beats
redis.timeout            redis_test:test_killed_and_hung
store.backend            bars_test:test_a_store_that_is_killed_does_not_stop_ticks
store.clickhouse_url     effects_test:test_clickhouse_login
store.clickhouse_database effects_test:test_clickhouse_login
store.clickhouse_user    effects_test:test_clickhouse_login
store.clickhouse_password effects_test:test_clickhouse_login
store.clickhouse_ca_file bar_store_test:tls
store.batch_rows         unit/bar_store_test:a_batch_goes_by_time_and_by_size
store.batch_interval     unit/bar_store_test:a_batch_goes_by_time_and_by_size
store.spool_size         unit/bar_store_test:a_full_spool_gives_up_the_oldest
store.timeout            effects_test:test_clickhouse_login
alpaca.enabled           effects_test:test_alpaca_that_may_not_be_used
alpaca.url               delivery_test:test_alpaca_json
alpaca.data_url          effects_test:test_snapshot_requests
alpaca.key               failures_test:test_wrong_key
alpaca.secret            failures_test:test_wrong_key
alpaca.auth              settings_test:test_keys_in_headers_deflated
alpaca.encoding          settings_test:test_keys_in_headers_deflated
alpaca.compression       settings_test:test_keys_in_headers_deflated
alpaca.trades            settings_test:test_quotes_alone
alpaca.quotes            settings_test:test_channels_and_chunks
alpaca.statuses          settings_test:test_quotes_alone
alpaca.max_symbols       settings_test:test_channels_and_chunks
alpaca.max_message       settings_test:test_quotes_alone
alpaca.symbol_limit      failures_test:test_limit_known
alpaca.ping_interval     effects_test:test_pings
alpaca.pong_timeout      effects_test:test_pings
alpaca.connect_timeout   failures_test:test_never_answers_alpaca
alpaca.reply_timeout     effects_test:test_replies
alpaca.ca_file           settings_test:test_authorities
alpaca.snapshots         settings_test:test_channels_and_chunks
alpaca.snapshot_batch    effects_test:test_snapshot_requests
alpaca.snapshot_timeout  effects_test:test_snapshot_requests
alpaca.rest_rate         effects_test:test_history_requests
alpaca.rest_page         gaps_test:test_a_small_budget_leaves_it_open
alpaca.allow_insecure    effects_test:test_alpaca_that_may_not_be_used
eastmoney.mode           delivery_test:test_eastmoney_poll
eastmoney.url            delivery_test:test_eastmoney_poll
eastmoney.ws_url         delivery_test:test_eastmoney_ws
eastmoney.api_key        unit/eastmoney_ws_test:subscribes_by_difference_and_makes_snapshots
eastmoney.max_secids     effects_test:test_eastmoney_requests
eastmoney.max_url        unit/eastmoney_session_test:a_url_stays_within_its_limit
eastmoney.max_connections unit/eastmoney_session_test:what_does_not_fit_into_streams_is_polled
eastmoney.mpi            effects_test:test_eastmoney_streams
eastmoney.poll_interval  effects_test:test_eastmoney_requests
eastmoney.us_markets     effects_test:test_eastmoney_requests
eastmoney.ut             effects_test:test_eastmoney_requests
eastmoney.stream_ut      effects_test:test_eastmoney_streams
eastmoney.user_agent     effects_test:test_eastmoney_requests
eastmoney.referer        effects_test:test_eastmoney_requests
eastmoney.connect_timeout effects_test:test_dead_hosts
eastmoney.timeout        failures_test:test_never_answers_eastmoney
eastmoney.idle_timeout   effects_test:test_a_silent_stream
eastmoney.ban_after      unit/eastmoney_session_test:connections_cut_off_in_a_row_are_a_ban
eastmoney.ban_wait       failures_test:test_eastmoney_bans
eastmoney.ban_wait_second failures_test:test_eastmoney_bans
eastmoney.ban_wait_last  failures_test:test_eastmoney_bans
eastmoney.ws_volume      unit/eastmoney_ws_test:volume_in_shares_by_setting
eastmoney.ping_interval  effects_test:test_eastmoney_pings
eastmoney.pong_timeout   effects_test:test_eastmoney_pings
fushu.url                delivery_test:test_fushu_code
fushu.api_key            settings_test:test_fushu_key_and_batches
fushu.poll_interval      unit/fushu_test:polls_what_is_followed
fushu.timeout            failures_test:test_never_answers_fushu
fushu.max_symbols        settings_test:test_fushu_key_and_batches
tencent                  delivery_test:test_tencent
tencent.user_agent       effects_test:test_tencent_requests
tencent.referer          effects_test:test_tencent_requests
tencent.poll_interval    unit/tencent_test:pace_is_kept_and_changed_by_a_reload
tencent.max_url          unit/tencent_test:urls_have_a_limit
tencent.allow_delayed    unit/tencent_test:delayed_rows_need_leave
tencent.connect_timeout  effects_test:test_dead_hosts
tencent.timeout          failures_test:test_never_answers_tencent
tencent.ban_after        unit/tencent_test:bans
tencent.ban_wait         failures_test:test_tencent_bans
tencent.ban_wait_second  failures_test:test_tencent_bans
tencent.ban_wait_last    failures_test:test_tencent_bans
"""


def documented():
    """Every setting of the reference page, as livecore prints it."""
    page, section, found = livecore.tool("config", "--reference", "--markdown").stdout, "", []
    for line in page.splitlines():
        if heading := re.match(r"## (\w+)$", line):
            section = heading[1]
        elif row := re.match(r"\| `(\w+)` \|", line):
            found.append(f"{section}.{row[1]}")
    return found


def exists(where):
    """Is there such a test?"""
    name, _, test = where.partition(":")
    path = livecore.ROOT / "tests" / (name + ".c" if name.startswith("unit/") else f"integration/{name}.py")
    pattern = rf"(?m)^Test\(\w+, {test}\b" if name.startswith("unit/") else rf"(?m)^ *def {test}\("
    return path.exists() and re.search(pattern, path.read_text()) is not None


class Complete(unittest.TestCase):
    def test_every_setting_is_shown(self):
        """A new setting without a test fails here, and so does a line whose setting or test is gone."""
        shown, settings = dict(line.split() for line in SHOWN.split("\n") if line), documented()
        self.assertGreater(len(settings), 130)
        without = [name for name in settings if name not in shown and name.split(".")[0] not in shown]
        self.assertEqual(without, [], "no test shows what these do")
        sections = {name.split(".")[0] for name in settings}
        self.assertEqual([name for name in shown if name not in settings and name not in sections], [], "no such setting")
        self.assertEqual([where for where in shown.values() if not exists(where)], [], "no such test")


class Effects(livecore.Case):
    def recorder(self, *args, **more):
        made = vendors.Recorder(*args, **more)
        self.addCleanup(made.stop)
        return made

    def mute(self, *greetings):
        made = vendors.MuteSocket(*greetings)
        self.addCleanup(made.stop)
        return made

    def test_naive_zone(self):
        """A time without a zone is New York's here and Shanghai's there: they are half a day apart."""
        server = self.sim("fushu")
        settings = livecore.fushu(server) | {"time.format": "naive", "time.naive_zone": "America/New_York"}
        live = self.run_livecore(settings)
        self.follow("p", ["00700.HK"])
        record = self.read("market_data").wait(lambda record: True, "a price")[0]
        self.assertNotRegex(record.value["timestamp"], r"[Z+]")
        hour = int(record.value["timestamp"][11:13])
        utc_hour = record.time_ms // 3600000 % 24
        self.assertIn((utc_hour - hour) % 24, (4, 5), record)
        self.assertEqual(live.stop(), 0)

    def test_http_address(self):
        port = livecore.free_port()
        live = self.run_livecore(livecore.fushu(self.sim("fushu")) | {"http.address": f"127.0.0.1:{port}"})
        self.assertEqual(live.url, f"http://127.0.0.1:{port}")
        self.assertEqual(livecore.get(live.url + "/livez")[0], 200)

    # --- Kafka, as it goes over the wire ---

    def test_client_id(self):
        """In the first bytes that a broker gets."""
        heard = []
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)

        def listen():
            try:
                while True:
                    link, _ = listener.accept()
                    heard.append(link.recv(4096))
                    link.close()
            except OSError:
                return

        threading.Thread(target=listen, daemon=True).start()
        brokers = "127.0.0.1:%d" % listener.getsockname()[1]
        settings = {"kafka.client_id": "a-name-of-our-own", "kafka.brokers": brokers, "routing.feeders": "", "state.dir": self.state}
        live = livecore.Process([livecore.LIVECORE, "run", *livecore.words(livecore.SETTINGS | settings | {"shutdown.timeout": "0"})])
        self.addCleanup(live.stop)
        livecore.wait_for(lambda: any(b"a-name-of-our-own" in first for first in heard), lambda: f"its name: {heard}")

    def test_fetch_wait(self):
        """A broker without records holds an answer back for so long; the embedded one does even when a record comes."""
        live = self.run_livecore(livecore.alpaca(self.sim("alpaca")) | {"kafka.fetch_wait": "3s"}, env=livecore.ALPACA_KEY)
        self.follow("p", ["AAPL"])
        live.wait_followed(1)
        began = time.monotonic()
        self.follow("p", ["AAPL", "IBM"])
        live.wait_followed(2)
        self.assertGreater(time.monotonic() - began, 1)

    def test_topic_names(self):
        """livecore topics knows each by the name that it is given."""
        names = {f"topics.{name}": f"my.{name}" for name in livecore.TOPICS.split()}
        for per_market, missing in (("false", {"market_data_cn", "market_data_hk", "market_data_us"}), ("true", {"market_data"})):
            live = self.run_livecore({"routing.feeders": "", "kafka.per_market": per_market} | names)
            done = livecore.tool("topics", *livecore.words(names | {"kafka.brokers": live.broker, "kafka.per_market": per_market}))
            listed = set(re.findall(r"\bmy\.(\w+)", done.stdout))
            self.assertEqual(listed, set(livecore.TOPICS.split()) - missing, done.stdout + done.stderr)
            self.assertEqual(live.stop(), 0)

    # --- stores ---

    def test_clickhouse_login(self):
        server = self.recorder(answer=b"24.8.1.1\n")
        settings = {
            "store.backend": "clickhouse",
            "store.clickhouse_url": server.url,
            "store.clickhouse_database": "elsewhere",
            "store.clickhouse_user": "someone",
            "store.timeout": "300ms",
            "routing.feeders": "",
            "state.dir": self.state,
        }
        env = {"LIVECORE_STORE_CLICKHOUSE_PASSWORD": "not-a-secret"}
        done = livecore.tool("check", "--connect", *livecore.words(settings), env=env)
        self.assertGreater(len(server.requests), 0, done.stdout + done.stderr)
        headers = {name.lower(): value for name, value in server.requests[0][1].items()}
        self.assertEqual((headers["x-clickhouse-user"], headers["x-clickhouse-key"]), ("someone", "not-a-secret"))
        self.assertTrue(any("elsewhere" in path + body.decode() for path, _, body in server.requests), server.requests)
        self.assertNotIn("not-a-secret", done.stdout + done.stderr)
        server.held_s = 50
        done = livecore.tool("check", "--connect", *livecore.words(settings), env=env)
        took_ms = float(re.search(r"(?m)^bars +FAILED +([\d.]+) ms", done.stdout)[1])
        self.assertLess(took_ms, 9000, f"by default it would be 10 s: {done.stdout}")

    # --- vendors ---

    def test_alpaca_that_may_not_be_used(self):
        for sets, said in (
            ({"alpaca.enabled": "false"}, "alpaca.enabled"),
            ({"alpaca.url": "ws://vendor.invalid/v2/iex"}, "alpaca.allow_insecure"),
        ):
            settings = livecore.words({"routing.feeders": "alpaca", "state.dir": self.state} | sets)
            done = livecore.tool("check", "--connect", *settings, env=livecore.ALPACA_KEY)
            self.assertRegex(done.stdout, rf"alpaca .*{said}", done.stderr)
        sets |= {"alpaca.allow_insecure": "true", "routing.feeders": "alpaca", "state.dir": self.state}
        done = livecore.tool("check", "--connect", *livecore.words(sets), env=livecore.ALPACA_KEY, within_s=90)
        self.assertNotIn("allow_insecure", done.stdout)
        self.assertRegex(done.stdout, r"alpaca +FAILED")

    WELCOME = [{"T": "success", "msg": "connected"}]
    WORKS = [{"T": "success", "msg": "authenticated"}]

    def test_pings(self):
        """Pinged after a second, and left a second after that, since nobody answers; by default it would be 30 s and a minute."""
        server = self.mute(self.WELCOME, self.WORKS)
        settings = {"alpaca.url": server.url + "/v2/test", "alpaca.ping_interval": "1s", "alpaca.pong_timeout": "1s"}
        settings |= {"routing.feeders": "alpaca", "alpaca.snapshots": "false"}
        self.run_livecore(settings, env=livecore.ALPACA_KEY, ready=False)
        livecore.wait_for(lambda: server.closed, lambda: f"it is left: {server.frames}")
        first = server.frames[0][0]
        pings = [at - first for at, opcode in server.frames if opcode == server.PING and at < server.closed[0]]
        self.assertTrue(pings and 0.5 < pings[0] < 15, server.frames)
        self.assertLess(server.closed[0] - first, 25)

    def test_eastmoney_pings(self):
        server = self.mute()
        settings = {"eastmoney.mode": "ws", "eastmoney.ws_url": server.url, "routing.feeders": "eastmoney"}
        settings |= {"eastmoney.ping_interval": "1s", "eastmoney.pong_timeout": "1s"}
        self.run_livecore(settings, ready=False)
        livecore.wait_for(lambda: server.closed, lambda: f"it is left: {server.frames}")
        self.assertIn(server.PING, [opcode for _, opcode in server.frames])

    def test_replies(self):
        """Nothing comes after the upgrade: the wait for a welcome is the setting's."""
        server = self.mute()
        settings = {"alpaca.url": server.url + "/v2/test", "alpaca.reply_timeout": "400ms", "routing.feeders": "alpaca"}
        live = self.run_livecore(settings, env=livecore.ALPACA_KEY, ready=False)
        live.expect(r"no `connected` within 400 ms")

    def test_snapshot_requests(self):
        sim = self.sim("alpaca", "--rate", "20")
        data = self.recorder(sim.origin)
        settings = livecore.alpaca(sim) | {"alpaca.data_url": data.url, "alpaca.snapshot_batch": "2"}
        live = self.run_livecore(settings | {"alpaca.snapshot_timeout": "300ms"}, env=livecore.ALPACA_KEY)
        self.follow("p", ["AAPL", "IBM", "KO", "MSFT", "NVDA"])
        livecore.wait_for(lambda: len(data.requests) >= 3, "three requests")
        asked = [re.search(r"symbols=([^&]*)", path)[1].replace("%2C", ",").split(",") for path in data.paths()[:3]]
        self.assertEqual(sorted(len(symbols) for symbols in asked), [1, 2, 2])
        data.held_s = 3
        self.follow("q", ["TSLA"])
        live.expect(r"snapshot.*(?i:timeout|timed out)")

    def test_history_requests(self):
        """What a gap left out is asked for at the pace of rest_rate."""
        sim = self.sim("alpaca", "--rate", "300", "--linger", "60")
        data = self.recorder(sim.origin)
        settings = livecore.alpaca(sim) | {"alpaca.data_url": data.url, "alpaca.rest_rate": "1", "alpaca.rest_page": "20"}
        live = self.run_livecore(settings, env=livecore.ALPACA_KEY)
        self.follow("p", ["AAPL", "IBM", "KO"])
        livecore.wait_for(lambda: live.feeder("alpaca")["ticks"] > 100, "ticks")
        sim.fault("drop,hold:2")

        def history():
            return [at for at, path in zip(data.times, data.paths()) if "start=" in path]

        livecore.wait_for(lambda: len(history()) >= 6, lambda: data.paths())
        times = history()[:6]
        self.assertGreater(times[-1] - times[0], 1.5, "some at once, then one a second")

    def eastmoney(self, server, **more):
        settings = {"routing.feeders": "eastmoney", "eastmoney.url": server.url, "routing.routes": "*=eastmoney"}
        return self.run_livecore(settings | {f"eastmoney.{key}": value for key, value in more.items()})

    def test_eastmoney_requests(self):
        server = self.recorder(self.sim("eastmoney").origin)
        self.eastmoney(
            server,
            mode="poll",
            ut="my-ut",
            user_agent="my-agent/1",
            referer="https://referer.invalid/",
            us_markets="106",
            max_secids="2",
            poll_interval="200ms",
        )
        self.follow("p", ["600000.SH", "600519.SH", "000001.SZ", "KO"])
        livecore.wait_for(lambda: any("106.KO" in path for path in server.paths()), lambda: server.paths())
        livecore.wait_for(lambda: len(server.requests) >= 8, "eight requests")
        lists = [path for path in server.paths() if "secids=" in path]
        most = max(len(re.search(r"secids=([^&]*)", path)[1].replace("%2C", ",").split(",")) for path in lists)
        self.assertEqual(most, 2)
        self.assertTrue(all("ut=my-ut" in path for path in lists), lists)
        self.assertFalse([path for path in lists if re.search(r"\b10[57]\.", path)], lists)
        headers = server.requests[-1][1]
        self.assertEqual((headers["User-Agent"], headers["Referer"]), ("my-agent/1", "https://referer.invalid/"))
        between = [b - a for a, b in zip(server.times, server.times[1:])]
        self.assertGreater(sorted(between)[len(between) // 2], 0.15)

    def test_eastmoney_streams(self):
        server = self.recorder(answer=json.dumps({"rc": 0, "data": {"total": 0, "diff": []}}).encode())
        self.eastmoney(server, mode="sse", stream_ut="my-stream-ut", mpi="2345ms")
        self.follow("p", ["600000.SH"])
        livecore.wait_for(
            lambda: any("ut=my-stream-ut" in path and "mpi=2345" in path for path in server.paths()), lambda: server.paths()
        )

    def test_a_silent_stream(self):
        """A stream on which nothing comes is opened again after idle_timeout; by default after 90 s."""
        server = self.recorder(self.sim("eastmoney").origin, held_s=20, held="/sse")
        self.eastmoney(server, mode="sse", idle_timeout="1s")
        self.follow("p", ["600000.SH"])
        livecore.wait_for(lambda: len([path for path in server.paths() if "/sse" in path]) >= 2, lambda: server.paths(), 30)

    def test_dead_hosts(self):
        """A host that takes no connection: its backlog is full. Left after connect_timeout, not after timeout."""
        dead = socket.socket()
        self.addCleanup(dead.close)
        dead.bind(("127.0.0.1", 0))
        dead.listen(0)
        for _ in range(3):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(dead.getsockname())
            self.addCleanup(filler.close)
        for vendor in ("eastmoney", "tencent"):
            settings = {f"{vendor}.url": "http://127.0.0.1:%d" % dead.getsockname()[1], "state.dir": self.state}
            settings |= {f"{vendor}.connect_timeout": "300ms", f"{vendor}.timeout": "100s", "routing.feeders": vendor}
            done = livecore.tool("check", "--connect", *livecore.words(settings))
            took_ms = float(re.search(rf"(?m)^{vendor} +FAILED +([\d.]+) ms", done.stdout)[1])
            self.assertTrue(300 <= took_ms < 9000, f"by default it would be 10 s: {done.stdout}")

    def test_tencent_requests(self):
        server = self.recorder(self.sim("tencent").origin)
        settings = {"routing.feeders": "tencent", "tencent.url": server.url, "routing.routes": "*=tencent"}
        settings |= {"tencent.user_agent": "my-agent/2", "tencent.referer": "https://other.invalid/"}
        self.run_livecore(settings | {"tencent.poll_interval": "100ms"})
        self.follow("p", ["600000.SH"])
        livecore.wait_for(lambda: any("600000" in path for path in server.paths()), lambda: server.paths())
        headers = server.requests[-1][1]
        self.assertEqual((headers["User-Agent"], headers["Referer"]), ("my-agent/2", "https://other.invalid/"))


class OnKafka(livecore.Case):
    KAFKA = ()

    def committed(self, group):
        """Has this group committed? Kafka keeps that in a topic of its own."""
        logs = Path(self.kafka.directory).rglob("__consumer_offsets-*/*.log")
        return any(group.encode() in log.read_bytes() for log in logs)

    def test_groups_and_created_topics(self):
        settings = {"interest.group": "mine_i_", "control.group": "mine_c_", "kafka.create_topics": "true"}
        self.run_livecore({"routing.feeders": ""} | settings)
        self.follow("p", ["AAPL"])
        self.command("heartbeat_test")
        for group in ("mine_i_under-test", "mine_c_under-test"):
            livecore.wait_for(lambda group=group: self.committed(group), f"what {group} committed")
        made = livecore.tool("topics", *livecore.words({"kafka.brokers": self.broker} | self.topics()))
        self.assertEqual(made.returncode, 0, made.stdout + made.stderr)

    def add_partitions(self, topic, count):
        """Kafka's CreatePartitions request (37, version 0) by hand: kcat cannot."""
        host, port = self.broker.split(":")
        name = topic.encode()
        body = struct.pack(">ih", 1, len(name)) + name + struct.pack(">iiib", count, -1, 10000, 0)
        request = struct.pack(">hhih", 37, 0, 1, -1) + body
        with socket.create_connection((host, int(port)), timeout=30) as link:
            link.sendall(struct.pack(">i", len(request)) + request)
            size = struct.unpack(">i", link.recv(4, socket.MSG_WAITALL))[0]
            answer = link.recv(size, socket.MSG_WAITALL)
        # correlation id, throttle time, number of topics, name, error code
        self.assertEqual(struct.unpack_from(">h", answer, 14 + len(name))[0], 0, answer)

    def test_new_partitions(self):
        """They are looked for every metadata_interval; by default it would be 10 s after the time before."""
        live = self.run_livecore({"kafka.metadata_interval": "300ms", "routing.feeders": ""})
        topic, symbols = self.name("interest"), ["AAPL", "IBM", "KO", "MSFT"]
        partitions = itertools.count(12)

        def found_s():
            partition = next(partitions)
            self.add_partitions(topic, partition + 1)
            began = time.monotonic()
            update = {"portfolio_id": "p", "node_id": "test", "symbols": symbols[: partition - 11], "timestamp": livecore.now()}
            command = ["kcat", "-P", "-q", "-b", self.broker, "-t", topic, "-p", str(partition)]
            subprocess.run(command, input=json.dumps(update).encode(), check=True, timeout=60)
            live.wait_followed(partition - 11)
            return time.monotonic() - began

        found_s()  # from when it looked, the next time is counted
        machine.soonest(5, found_s)

    def test_another_partition_count(self):
        """Order per symbol holds only within one count: another one than the last life saw is a warning."""
        topic, settings = self.name("market_data"), {"routing.feeders": ""}
        live = self.run_livecore(settings)
        kept = Path(self.state) / "topics"
        livecore.wait_for(lambda: kept.exists() and f"{topic} 24\n" in kept.read_text(), "the counts are kept")
        self.assertEqual(live.stop(), 0)
        self.assertNotIn("partition_count_changed", live.text)
        self.add_partitions(topic, 25)
        live = self.run_livecore(settings)
        live.expect(rf"WARN kafka partition_count_changed topic={topic} before=24 now=25 ")
        livecore.wait_for(lambda: f"{topic} 25\n" in kept.read_text(), "the new count is kept")
        self.assertEqual(len(kept.read_text().splitlines()), 7)

    def batches(self, topic):
        """(bytes, codec, records) of every batch that Kafka has on its disk, as the producer made it."""
        found = []
        for log in Path(self.kafka.directory).rglob(f"{topic}-*/*.log"):
            data, at = log.read_bytes(), 0
            while at + 61 <= len(data):
                size, attributes = struct.unpack_from(">i", data, at + 8)[0], struct.unpack_from(">h", data, at + 21)[0]
                if size <= 0:
                    break
                found.append((size + 12, attributes & 7, struct.unpack_from(">i", data, at + 57)[0]))
                at += size + 12
        return found

    def test_batches(self):
        """Linger collects records into a batch, batch_size bounds it, compression packs it."""
        codecs, most = {"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}, {}
        # Slower where batches are small: a busy machine could not send as many, and stopping would wait for them.
        for codec, size, rate in (("zstd", "256KB", 600), ("none", "1KB", 60)):
            self.prefix = f"{codec}."  # topics of its own
            server = self.sim("alpaca", "--rate", str(rate))
            settings = {"kafka.linger": "300ms", "kafka.compression": codec, "kafka.batch_size": size}
            live = self.run_livecore(livecore.alpaca(server) | settings, env=livecore.ALPACA_KEY)
            self.follow("p", ["AAPL"])
            livecore.wait_for(lambda live=live, rate=rate: live.status()["acknowledged"] > rate, "acknowledged")
            self.assertEqual(live.stop(), 0, live.text)
            batches = self.batches(self.name("market_data"))
            self.assertEqual({batch[1] for batch in batches}, {codecs[codec]})
            most[codec] = max(batch[2] for batch in batches)
        self.assertGreater(most["zstd"], 20)
        self.assertLess(max(batch[0] for batch in batches), 1100, "the last run's are of 1 KB")
        self.assertLess(most["none"], 5)

    def test_too_many_copies(self):
        """One broker cannot keep two copies, and that is what is said."""
        settings = {"kafka.replication_factor": "2"} | self.topics()
        done = livecore.tool("topics", "create", *livecore.words({"kafka.brokers": self.kafka.brokers} | settings))
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout + done.stderr, r"(?i)replication")


if __name__ == "__main__":
    os.environ.setdefault("NO_PROXY", "127.0.0.1")
    livecore.main()
