#!/usr/bin/env python3
"""The documents against the program: what is generated is up to date, the samples load, links lead somewhere.

usage: docs.py LIVECORE SOURCE_ROOT"""
import difflib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

LIVECORE, ROOT = os.path.abspath(sys.argv[1]), pathlib.Path(sys.argv[2]).resolve()
GENERATED = {"docs/configuration.md": ["--markdown"], "config/livecore.sample.yaml": []}
TRANSLATED = ("README.md", "README.zh-CN.md")
FENCE = re.compile(r"^```[^\n]*\n(.*?)^```", re.M | re.S)
failures = []


def fail(text):
    failures.append(text)
    print("FAILED: " + text)


def run(*args, env=None):
    """The program with no settings but those given: neither this shell's variables nor this machine's files."""
    clean = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", **(env or {})}
    clean.update({k: v for k, v in os.environ.items() if k.endswith("SAN_OPTIONS")})
    return subprocess.run([LIVECORE, *args], capture_output=True, text=True, env=clean, cwd=ROOT, timeout=60)


def check_generated():
    for path, options in GENERATED.items():
        done = run("config", "--reference", *options)
        committed = (ROOT / path).read_text()
        if done.returncode != 0 or done.stdout != committed:
            sys.stdout.writelines(difflib.unified_diff(
                committed.splitlines(True), done.stdout.splitlines(True), path, "generated"))
            command = " ".join(["livecore config --reference", *options])
            fail(f"{path} is not what the program writes: {command} > {path}")


def check_log_modules():
    """log.level refuses a module that does not log: so each that does must be known."""
    logged = set()
    for path in [*(ROOT / "src").rglob("*.c"), *(ROOT / "feeders").rglob("*.c")]:
        logged.update(re.findall(r'lc_log\([^;"]*"([a-z_]+)"', path.read_text()))
    for module in sorted(logged):
        done = run("config", "--set", f"log.level=info,{module}=debug")
        if done.returncode != 0:
            fail(f"log.level does not take the module {module}: {done.stderr}")


def check_samples():
    for path in sorted((ROOT / "config").glob("*.yaml")):
        if "secrets" in path.name:
            continue
        if path.name == "timer.yaml":
            done = run("timer", "--list", "--rules", str(path))
            if done.returncode != 0:
                fail(f"livecore timer --list of {path.name}: {done.stderr}")
            continue
        done = run("check", str(path))
        if done.returncode != 0 or not done.stdout.startswith("ok"):
            fail(f"livecore check {path.name}: {done.stdout}{done.stderr}")


def settings(config, env):
    done = run("config", "--config", str(config), env=env)
    if done.returncode != 0:
        fail(f"livecore config --config {config.name}: {done.stderr}")
    return dict(re.findall(r"^(\S+) += (.*?)  +\(", done.stdout, re.M))


def check_secrets():
    with tempfile.TemporaryDirectory() as directory:
        secrets = pathlib.Path(directory, "secrets.yaml")
        shutil.copy(ROOT / "config/secrets.sample.yaml", secrets)
        secrets.chmod(0o600)
        found = settings(ROOT / "config/minimal.yaml", {"LIVECORE_SECRETS": str(secrets)})
        for key in re.findall(r"`LIVECORE_\w+`", "".join(
                line for line in (ROOT / "docs/configuration.md").open() if "| secret |" in line)):
            name = next(k for k in found if k.upper().replace(".", "_") == key.strip("`")[len("LIVECORE_"):])
            if found[name] != "***":
                fail(f"config/secrets.sample.yaml does not show {name}")


def check_ginkgo():
    path = ROOT / "config/ginkgo.yaml"
    expected = {"kafka.brokers": "127.0.0.1:9092", "time.format": "naive", "time.naive_zone": "Asia/Shanghai",
                "queue.size": "10000", "alpaca.key": "(unset)", "fushu.url": '""'}
    found = settings(path, {})
    variables = {"GINKGO_KAFKA_HOST": "kafka.example", "GINKGO_KAFKA_PORT": "9093", "GINKGO_ALPACA_API_KEY": "not-a-secret",
                 "GINKGO_ALPACA_API_SECRET": "not-a-secret", "GINKGO_EASTMONEY_API_KEY": "not-a-secret",
                 "GINKGO_FUSHU_API_KEY": "not-a-secret", "GINKGO_FUSHU_API_BASE_URL": "https://fushu.example/v1"}
    named = settings(path, variables)
    older = settings(path, {"KAFKA_BOOTSTRAP_SERVERS": "a.example:1,b.example:2", "QUEUE_MAXSIZE": "500",
                            "ALPACA_API_KEY": "not-a-secret", "ALPACA_API_SECRET": "not-a-secret",
                            "EASTMONEY_TOKEN": "not-a-secret", "FUSHU_TOKEN": "not-a-secret"})
    secret = dict.fromkeys(["alpaca.key", "alpaca.secret", "eastmoney.api_key", "fushu.api_key"], "***")
    for found, wanted in (found, expected), (named, {
            "kafka.brokers": "kafka.example:9093", "fushu.url": "https://fushu.example/v1", **secret}), (older, {
            "kafka.brokers": "a.example:1,b.example:2", "queue.size": "500", **secret}):
        for key, value in wanted.items():
            if found.get(key) != value:
                fail(f"config/ginkgo.yaml: {key} is {found.get(key)}, not {value}")


def anchors(text):
    """GitHub's names of a page's headings."""
    titles = re.findall(r"^#+ +(.*?) *$", FENCE.sub("", text), re.M)
    return {re.sub(r"[^\w\- ]", "", title.replace("`", "").lower()).replace(" ", "-") for title in titles}


def check_links():
    for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]:
        text = page.read_text()
        for target in re.findall(r"\]\(([^)\s]+)\)", FENCE.sub("", text)):
            path, _, anchor = target.partition("#")
            if re.match(r"[a-z]+:", target):
                continue
            linked = (page.parent / path) if path else page
            if not linked.exists():
                fail(f"{page.name} links to {target}, which is not there")
            elif anchor and anchor not in anchors(linked.read_text()):
                fail(f"{page.name} links to {target}, but {linked.name} has no such heading")


def check_translation():
    """The translation has the same commands and the same shape."""
    pages = [re.sub(r"<!-- (bench|outage) -->.*?<!-- /\1 -->", "", (ROOT / name).read_text(), flags=re.S) for name in TRANSLATED]
    blocks = [[block for block in FENCE.findall(page) if "──" not in block] for page in pages]
    for ours, theirs in zip(*[[re.sub(r" *#.*", "", b) for b in side] for side in blocks]):
        if ours != theirs:
            fail("the translation of this block differs:\n" + "".join(
                difflib.unified_diff(ours.splitlines(True), theirs.splitlines(True), *TRANSLATED)))
    for what, pattern in ("headings", r"^#+ "), ("rows of tables", r"^\|"), ("list items", r"^ *(-|\d+\.) "):
        counts = [len(re.findall(pattern, FENCE.sub("", page), re.M)) for page in pages]
        if counts[0] != counts[1] or len(blocks[0]) != len(blocks[1]):
            fail(f"{TRANSLATED[0]} has {counts[0]} {what}, {TRANSLATED[1]} {counts[1]}")


def check_commands():
    """Every command that the documents name exists."""
    for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]:
        text = page.read_text()
        named = re.findall(r"`livecore ([a-z]+)", FENCE.sub("", text))
        named += re.findall(r"^livecore ([a-z]+)", "".join(re.findall(r"^```sh\n(.*?)^```", text, re.M | re.S)), re.M)
        for name in sorted(set(named)):
            if run(name, "--help").returncode != 0:
                fail(f"{page.name} names livecore {name}, which does not exist")


def check_python():
    for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]:
        for block in re.findall(r"^```python\n(.*?)^```", page.read_text(), re.M | re.S):
            compile(block, page.name, "exec")


def check_example():
    """The worked example in vendors.md is the real file."""
    source = {line.strip() for line in (ROOT / "feeders/fushu.c").open()}
    for block in re.findall(r"^ *```c\n(.*?)^ *```", (ROOT / "docs/vendors.md").read_text(), re.M | re.S):
        for line in block.splitlines():
            if line.strip() not in source:
                fail(f"docs/vendors.md shows a line that feeders/fushu.c does not have: {line.strip()}")


def check_said():
    """Every metric, event, alert and command of the code is in the documents."""
    code = "".join(path.read_text() for folder in ("src", "feeders") for path in (ROOT / folder).rglob("*.c"))
    operating, messages = ((ROOT / "docs" / name).read_text() for name in ("operating.md", "messages.md"))
    for name in sorted(set(re.findall(r'"(livecore_[a-z_]+)"', code))):
        if name not in operating:
            fail(f"docs/operating.md does not name the metric {name}")
    for event in sorted(set(re.findall(r'lc_event\([^;]*?"([a-z_]+)"', code)) - {"feeder"}):
        if f"`{event}`" not in messages:
            fail(f"docs/messages.md does not name the event {event}")
    for alert in sorted(set(re.findall(r'lc_alert\([^;"]*"([a-z_]+)"(?: : "([a-z_]+)")?', code))):
        for name in alert:
            if name and name != "resolved" and f"| `{name}`" not in operating:
                fail(f"docs/operating.md does not name the alert {name}")
    for name in re.findall(r'X\(LC_COMMAND_\w+, +"([a-z_]+)"\)', (ROOT / "include/livecore/messages.h").read_text()):
        if f"`{name}`" not in messages:
            fail(f"docs/messages.md does not name the command {name}")


def check_made():
    """Every metric that operating.md names and every event of messages.md is made somewhere."""
    code = "".join(path.read_text() for folder in ("src", "feeders") for path in (ROOT / folder).rglob("*.c"))
    for name in re.findall(r"^\| (`[a-z_]+`(?:, `[a-z_]+`)*) \|.*\|.*\|$", (ROOT / "docs/messages.md").read_text().split(
            "## SystemEvent")[1], re.M):
        for event in re.findall(r"\w+", name):
            if f'"{event}"' not in code:
                fail(f"docs/messages.md has an event {event}, which no code sends")
    for name in set(re.findall(r"`(livecore_\w+)", (ROOT / "docs/operating.md").read_text())):
        if f'"{name}"' not in code:
            fail(f"docs/operating.md names {name}, which no code makes")


def check_files():
    """Each source file has its place in architecture.md, in its folder's paragraph, and none is named that is gone."""
    text = (ROOT / "docs/architecture.md").read_text().split("\n## Files\n")[1].split("\n## ")[0]
    named = {f"{folder}/{name}" for folder, paragraph in re.findall(r"^\*\*`(\S+)`\*\*:(.*?)(?:\n\n|\Z)", text, re.M | re.S)
             for name in re.findall(r"`(\w+\.cc?)`", paragraph)}
    there = {str(path.relative_to(ROOT)) for folder in ("src", "feeders") for path in (ROOT / folder).rglob("*.c*")
             if path.suffix in (".c", ".cc")}
    for path in sorted(there - named):
        fail(f"docs/architecture.md, Files: {path} is not named")
    for path in sorted(named - there):
        fail(f"docs/architecture.md, Files: {path} is not there")


for check in (check_generated, check_samples, check_secrets, check_ginkgo, check_links, check_translation, check_commands,
              check_python, check_example, check_said, check_made, check_files, check_log_modules):
    check()
sys.exit(f"{len(failures)} failed" if failures else 0)
