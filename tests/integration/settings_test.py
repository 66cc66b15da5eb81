"""Every documented setting: it takes another value from each source, refuses a wrong one, and changes what it says.

usage: settings_test.py LIVECORE [unittest options]
"""

import json
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
import livecore  # noqa: E402

# Texts that are checked need a value that passes; any other text takes OTHER_TEXT.
OTHER_TEXT = "other"
VALID = {
    "log.level": "debug",
    "time.naive_zone": "America/New_York",
    "http.address": "127.0.0.1:9999",
    "routing.routes": "*.HK=eastmoney",
    "routing.feeders": "alpaca",
    "kafka.brokers": "127.0.0.1:9092",
    "alpaca.url": "wss://127.0.0.1:1/v2/sip",
    "alpaca.data_url": "https://127.0.0.1:1",
    "eastmoney.url": "https://127.0.0.1:1",
    "eastmoney.ws_url": "wss://127.0.0.1:1/ws",
    "eastmoney.us_markets": "106",
    "store.clickhouse_url": "https://127.0.0.1:8443",
    "timer.rules": str(livecore.ROOT / "config" / "timer.yaml"),
    "fushu.url": "https://127.0.0.1:1/v1",
    "tencent.url": "https://127.0.0.1:1",
    "bars.periods": "5m",
    "calendar.dir": str(livecore.ROOT / "docs"),
    "alpaca.ca_file": str(livecore.ROOT / "LICENSE"),
    "store.clickhouse_ca_file": str(livecore.ROOT / "LICENSE"),
}
# Bounded by another setting.
MAY_DEPEND = {"supervisor.backoff_max": "2m", "kafka.batch_size": "128KB", "kafka.in_flight": "16MB", "kafka.buffer": "128MB"}


class Setting:
    def __init__(self, section, key, what, fallback):
        self.name, self.what, self.fallback = f"{section}.{key}", what, fallback
        self.kind = what.split(";")[0].split(",")[0]
        self.variable = re.search(r"LIVECORE_\w+", what)
        self.secret = fallback is None

    def other(self):
        """A value that is not the default."""
        if self.name in VALID or self.name in MAY_DEPEND:
            return (VALID | MAY_DEPEND)[self.name]
        if self.kind == "true or false":
            return "false" if self.fallback == "true" else "true"
        if self.kind.startswith("one of"):
            choices = self.what.split(";")[0].removeprefix("one of ").split(", ")
            return next(choice for choice in choices if choice != self.fallback)
        if self.kind in ("whole number", "number"):
            low, high = self.bounds()
            return low if low != self.fallback else high
        if self.kind in ("duration", "size"):
            low, high = self.bounds()
            return low if low not in (self.fallback, "0") else high
        return f"{OTHER_TEXT}.{self.name}" if self.name.startswith("topics.") else OTHER_TEXT

    def bounds(self):
        low, _, high = self.what.split(";")[0].split(", ", 1)[1].partition(" to ")
        return low, high

    def wrong(self):
        """A value that it must refuse, or None when it takes anything."""
        if self.kind in ("true or false", "whole number", "number", "duration", "size") or self.kind.startswith("one of"):
            return "neither-this-nor-that"
        return {"time.naive_zone": "Mars/Olympus", "routing.feeders": "nobody", "routing.routes": "no-route"}.get(self.name)


def reference():
    """The settings of the reference page, as livecore prints it."""
    done = livecore.tool("config", "--reference")
    assert done.returncode == 0, done.stderr
    section, what, settings = None, None, []
    for line in done.stdout.splitlines():
        if found := re.match(r"(\w+):$", line):
            section = found[1]
        elif found := re.match(r"  # \((.*)\)$", line):
            what = found[1]
        elif found := re.match(r"  (# )?(\w+):(?: (.*))?$", line):
            if what and section:
                settings.append(Setting(section, found[2], what, None if found[1] else (found[3] or "").strip('"')))
                what = None
    return settings


def shown(*args, env=None):
    """What livecore config prints: the value and the origin of each setting."""
    done = livecore.tool("config", *args, env=env)
    if done.returncode != 0:
        raise AssertionError(done.stderr)
    found = (re.match(r"(\S+) += (.*?) +\((.*)\)$", line) for line in done.stdout.splitlines())
    return {match[1]: (match[2].strip('"'), match[3]) for match in found if match}


class Table(unittest.TestCase):
    """Over all settings, so that a new one is covered when it appears."""

    @classmethod
    def setUpClass(cls):
        cls.settings = [setting for setting in reference() if setting.kind != "mapping"]
        cls.directory = tempfile.TemporaryDirectory(prefix="livecore-settings-")
        cls.addClassCleanup(cls.directory.cleanup)

    def test_there_are_many(self):
        self.assertGreater(len(self.settings), 90)
        names = [setting.name for setting in self.settings]
        self.assertEqual(len(set(names)), len(names))

    def test_from_the_environment(self):
        """All at once, each by its own variable."""
        values = {setting.name: setting.other() for setting in self.settings}
        self.check_all({setting.variable[0]: values[setting.name] for setting in self.settings}, values)

    def check_all(self, variables, values):
        page = shown(env=variables)
        for setting in self.settings:
            with self.subTest(setting=setting.name):
                value, origin = page[setting.name]
                self.assertIn(setting.variable[0], origin)
                if setting.secret:
                    self.assertNotIn(values[setting.name], value)
                elif setting.kind not in ("duration", "size"):  # these are printed in the shortest form
                    self.assertEqual(value.split(", "), values[setting.name].split(","))

    def test_from_a_file(self):
        path = Path(self.directory.name) / "livecore.yaml"
        sections = {}
        for setting in self.settings:
            if not setting.secret:
                section, key = setting.name.split(".")
                sections.setdefault(section, []).append(f'  {key}: "{setting.other()}"')
        path.write_text("".join(f"{name}:\n" + "\n".join(lines) + "\n" for name, lines in sections.items()))
        default, page = shown(), shown("--config", str(path))
        for setting in self.settings:
            if not setting.secret:
                with self.subTest(setting=setting.name):
                    self.assertRegex(page[setting.name][1], rf"^{path}:\d+$")
                    self.assertNotEqual(page[setting.name][0], default[setting.name][0])
        done = livecore.tool("check", str(path))
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_wrong_values(self):
        """All wrong at once: every one is reported, at its line, in one run."""
        wrong = [setting for setting in self.settings if setting.wrong() and not setting.secret]
        self.assertGreater(len(wrong), 60)
        path, lines, sections = Path(self.directory.name) / "wrong.yaml", [], {}
        for setting in wrong:
            sections.setdefault(setting.name.split(".")[0], []).append(setting)
        place = {}
        for name, settings in sections.items():
            lines.append(f"{name}:")
            for setting in settings:
                lines.append(f"  {setting.name.split('.')[1]}: {setting.wrong()}")
                place[setting.name] = len(lines)
        path.write_text("\n".join(lines) + "\n")
        done = livecore.tool("check", str(path))
        self.assertEqual(done.returncode, 2)
        said = done.stdout + done.stderr
        for setting in wrong:
            with self.subTest(setting=setting.name):
                self.assertIn(f"{path}:{place[setting.name]}:", said)
                self.assertIn(setting.name, said)

    def test_strength(self):
        """Command line, environment, file, default."""
        path = Path(self.directory.name) / "strength.yaml"
        path.write_text("queue:\n  size: 100\n")
        file, env = ("--config", str(path)), {"LIVECORE_QUEUE_SIZE": "200"}
        self.assertEqual(shown()["queue.size"][0], "10000")
        self.assertEqual(shown(*file)["queue.size"][0], "100")
        self.assertEqual(shown(*file, env=env)["queue.size"][0], "200")
        self.assertEqual(shown(*file, "--set", "queue.size=300", env=env)["queue.size"][0], "300")
        done = livecore.tool("config", env={"LIVECORE_QUEUE_SIZ": "1"})
        self.assertEqual(done.returncode, 2)
        self.assertIn("LIVECORE_QUEUE_SIZE", done.stderr)


class Effects(livecore.Case):
    """What a setting says, seen from outside; those of other files' tests are not repeated here."""

    def alpaca(self, *options, **settings):
        self.server = self.sim("alpaca", "--rate", "100", *options)
        more = {key.replace("__", "."): value for key, value in settings.items()}
        self.live = self.run_livecore(livecore.alpaca(self.server) | more, env=livecore.ALPACA_KEY)
        self.follow("p", ["AAPL", "IBM", "KO", "MSFT", "NVDA"])
        self.live.wait_subscribed("alpaca", 5)

    def kinds(self):
        prices = self.read("market_data")
        prices.wait(lambda record: True, "prices", count=40)
        return {record.value["kind"] for record in prices.records}

    def test_channels_and_chunks(self):
        self.alpaca(alpaca__quotes="false", alpaca__max_symbols="2", alpaca__snapshots="false")
        self.assertEqual(self.kinds(), {"trade"})
        log = self.server.stats()["subscribe_log"]
        self.assertLessEqual(max(entry["symbols"] for entry in log), 2 * 2)  # two channels of two symbols
        self.assertGreaterEqual(len(log), 3)

    def test_quotes_alone(self):
        self.alpaca(alpaca__trades="false", alpaca__statuses="false", alpaca__max_message="256B")
        self.assertEqual(self.kinds(), {"quote"})
        self.assertLessEqual(max(entry["bytes"] for entry in self.server.stats()["subscribe_log"]), 256)

    def test_keys_in_headers_deflated(self):
        self.alpaca("--deflate", alpaca__auth="headers", alpaca__compression="true", alpaca__encoding="msgpack")
        self.assertEqual(self.kinds(), {"trade", "quote"})

    def test_authorities(self):
        where = Path(self.state)
        command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost".split()
        names = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", where / "key.pem", "-out", where / "cert.pem"]
        subprocess.run([*command, *names], check=True, capture_output=True)
        server = self.sim("alpaca", "--tls-cert", where / "cert.pem", "--tls-key", where / "key.pem")
        settings = livecore.alpaca(server) | {"alpaca.snapshots": "false"}
        trusting = self.run_livecore(settings | {"alpaca.ca_file": where / "cert.pem"}, env=livecore.ALPACA_KEY)
        trusting.wait_state("alpaca", "CONNECTED")
        self.assertEqual(trusting.stop(), 0)
        careful = self.run_livecore(settings, env=livecore.ALPACA_KEY)
        livecore.wait_for(lambda: careful.feeder("alpaca")["failures_in_row"] > 0, "it is refused")
        self.assertNotEqual(careful.feeder("alpaca")["state"], "CONNECTED")

    def test_fushu_key_and_batches(self):
        server = self.sim("fushu", "--key", "k1")
        settings = livecore.fushu(server) | {"fushu.max_symbols": "1", "node.id": "n1", "time.format": "naive"}
        live = self.run_livecore(settings, env={"LIVECORE_FUSHU_API_KEY": "k1"})
        prices, events = self.read("market_data"), self.read("events")
        self.follow("p", ["00700.HK", "09988.HK"])
        record = prices.wait(lambda record: True, "prices", count=10)[0]
        self.assertRegex(record.value["timestamp"], r"T\d\d:\d\d:\d\d\.\d{6}$")
        asked = {entry["symbols"] for entry in server.stats()["subscribe_log"]}
        self.assertEqual(asked - {0}, {1})  # none: a poll before anything was followed
        self.assertEqual(events.wait(lambda record: True, "an event")[0].key, "n1")
        self.assertEqual(live.stop(), 0)
        wrong = self.run_livecore(livecore.fushu(server), env={"LIVECORE_FUSHU_API_KEY": "k2"})
        self.follow("p", ["00700.HK"])
        wrong.wait_state("fushu", "STOPPED")

    def test_logs(self):
        server = self.sim("fushu")
        settings = {"state.dir": self.state, "log.format": "json", "log.level": "info,feeder=off"}
        settings = livecore.SETTINGS | livecore.fushu(server) | settings
        live = livecore.Process([livecore.LIVECORE, "run", "--embedded", *livecore.words(settings)])
        live.expect("ready")
        self.assertEqual(live.stop(), 0)
        lines = [json.loads(line) for line in live.text.splitlines()]
        self.assertGreater(len(lines), 3)
        self.assertNotIn("feeder", {line.get("module") for line in lines})

    def test_no_http(self):
        server = self.sim("fushu", "--rate", "100")
        settings = livecore.SETTINGS | livecore.fushu(server) | {"http.enabled": "false", "state.dir": self.state}
        live = livecore.Process([livecore.LIVECORE, "run", "--embedded", *livecore.words(settings)])
        live.expect("interest ready")
        self.assertEqual(live.stop(), 0)
        self.assertNotIn("http listening", live.text)


if __name__ == "__main__":
    livecore.main()
