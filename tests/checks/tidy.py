#!/usr/bin/env python3
"""Runs clang-tidy over our C sources as the build compiles them; any finding fails.

usage: tidy.py ROOT BUILD [JOBS]
A source that was clean is not looked at again until it, a header that it includes, its flags or .clang-tidy change:
what was seen stays in BUILD/tidy."""
import concurrent.futures
import hashlib
import json
import os
import re
import subprocess
import sys
import time


def dependencies(build: str) -> dict[str, list[str]]:
    """Object file to the files it was compiled from, as ninja knows them; our own ones only."""
    said = subprocess.run(["ninja", "-C", build, "-t", "deps"], capture_output=True, text=True, check=False).stdout
    found, current = {}, []
    for line in said.splitlines():
        if line.startswith("    "):
            if not line.strip().startswith("/usr/"):
                current.append(os.path.normpath(os.path.join(build, line.strip())))
        elif ": #deps" in line:
            current = found.setdefault(line.split(": #deps")[0], [])
    return found


def digest(paths: list[str], flags: str) -> str:
    state = hashlib.sha256(flags.encode())
    for path in sorted(set(paths)):
        with open(path, "rb") as source:
            state.update(path.encode() + source.read())
    return state.hexdigest()


# The build's flags are gcc's: clang passes over those it does not know. Sanitizers slow the analyzer and find nothing there.
# The analyzer gives up a function after 60,000 states, a quarter of its default: a third of the time on long files.
FLAGS = ["--extra-arg=-Wno-unknown-warning-option", "--extra-arg=-fno-sanitize=all", "--extra-arg=-Xclang",
         "--extra-arg=-analyzer-config", "--extra-arg=-Xclang", "--extra-arg=max-nodes=60000"]


def tidy(build: str, path: str) -> str:
    """What clang-tidy finds in one source; "" when nothing."""
    done = subprocess.run(["clang-tidy", "--quiet", "-p", build, *FLAGS, path], capture_output=True, text=True, check=False)
    if done.returncode == 0 and "warning:" not in done.stdout:
        return ""
    return done.stdout + re.sub(r"\d+ warnings? .*\n|.*suppressed.*\n", "", done.stderr)


def main() -> int:
    root, build = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
    jobs = int(sys.argv[3]) if len(sys.argv) > 3 else 2
    seen = os.path.join(build, "tidy")
    os.makedirs(seen, exist_ok=True)
    version = subprocess.run(["clang-tidy", "--version"], capture_output=True, text=True, check=True).stdout
    with open(os.path.join(root, ".clang-tidy"), encoding="utf-8") as settings:
        version += settings.read() + " ".join(FLAGS)
    deps = dependencies(build)
    todo, total = {}, 0
    for entry in json.load(open(os.path.join(build, "compile_commands.json"), encoding="utf-8")):
        path = os.path.normpath(os.path.join(entry["directory"], entry["file"]))
        name = os.path.relpath(path, root)
        if not name.startswith(("src/", "feeders/")) or not name.endswith(".c"):
            continue
        total += 1
        key = digest([path] + [p for p in deps.get(entry["output"], []) if os.path.exists(p)], version + entry["command"])
        stamp = os.path.join(seen, name.replace("/", "_"))
        if not os.path.exists(stamp) or open(stamp, encoding="utf-8").read() != key:
            todo[path] = (stamp, key)
    found, started = [], time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for path, said in zip(todo, pool.map(lambda path: tidy(build, path), todo)):
            if said:
                found.append(said)
            else:
                with open(todo[path][0], "w", encoding="utf-8") as out:
                    out.write(todo[path][1])
    print("\n".join(found) if found else
          f"tidy: {total} files, {len(todo)} of them looked at in {time.monotonic() - started:.0f} s, ok")
    return 1 if found or not total else 0


if __name__ == "__main__":
    sys.exit(main())
