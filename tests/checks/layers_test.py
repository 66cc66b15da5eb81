#!/usr/bin/env python3
"""Plants each kind of violation in a small tree of its own and looks whether tools/check-layers says so.

usage: layers_test.py CHECK_LAYERS"""
import os
import subprocess
import sys
import tempfile

CLEAN = {
    "include/livecore/list.h": "#pragma once\n#include <stddef.h>\n",
    "include/livecore/tick.h": '#pragma once\n#include "livecore/list.h"\n',
    "include/livecore/http_client.h": '#pragma once\n#include "livecore/list.h"\n',
    "include/livecore/manager.h": '#pragma once\n#include "livecore/tick.h"\n',
    "src/base/clock.c": "#include <time.h>\nint f(void)\n{\n\tclock_gettime(0, 0);\n}\n",
    "src/market/tick.c": '#include "livecore/tick.h"\n#include <string.h>\n',
    "src/market/tick_priv.h": "#pragma once\n",
    "src/net/http_client.c": '#include "livecore/http_client.h"\n#include <curl/curl.h>\n#include <uv.h>\n',
    "src/net/ws_client.c": "#include <libwebsockets.h>\n",
    "src/store/x.c": '#include "livecore/http_client.h"\n#include <sqlite3.h>\n',
    "src/manager/manager.c": '#include "livecore/manager.h"\n/* time() is read elsewhere */\nint a = s->time(0);\n',
    "src/app/main.c": '#include "livecore/manager.h"\n#include <curses.h>\n',
    "feeders/alpaca.c": '#include "livecore/http_client.h"\n',
}

# file, text that is added to it, what must be said
PLANTED = [
    ("src/base/clock.c", '#include "livecore/tick.h"\n', "base includes"),
    ("src/base/clock.c", "#include <uv.h>\n", "<uv.h> belongs in"),
    ("include/livecore/tick.h", "#include <uv.h>\n", "<uv.h> belongs in"),
    ("include/livecore/list.h", '#include "livecore/tick.h"\n', "base includes"),
    ("src/net/ws_client.c", '#include "manager/manager.h"\n', "belongs to no folder"),
    ("src/net/ws_client.c", '#include "livecore/manager.h"\n', "not below it"),
    ("src/net/http_client.c", "#include <libwebsockets.h>\n", "<libwebsockets.h> belongs in"),
    ("src/net/ws_client.c", "#include <librdkafka/rdkafka.h>\n", "<librdkafka/rdkafka.h> belongs in"),
    ("src/http/x.c", '#include "livecore/http_client.h"\n', "of adapter net"),
    ("src/http/x.c", "#include <sqlite3.h>\n", "<sqlite3.h> belongs in"),
    ("src/http/x.c", "#include <jansson.h>\n", "<jansson.h>: an unknown library"),
    ("src/codec/x.c", "#include <yaml.h>\n", "<yaml.h> belongs in"),
    ("src/config/x.c", "#include <mpack.h>\n", "<mpack.h> belongs in"),
    ("src/manager/manager.c", "#include <ncurses.h>\n", "<ncurses.h> belongs in"),
    ("src/manager/manager.c", "#include <curl/curl.h>\n", "<curl/curl.h> belongs in"),
    ("src/pipeline/x.c", "#include <sys/socket.h>\n", "pipeline is pure"),
    ("src/pipeline/x.c", '#include "market/tick_priv.h"\n', "never leaves market"),
    ("src/app/app_x.h", "#pragma once\n", None),
    ("src/unheard/x.c", "int x;\n", "has no layer"),
    ("include/livecore/orphan.h", "#pragma once\n", "no source has its name"),
    ("src/manager/manager.c", "int t(void)\n{\n\treturn time(NULL);\n}\n", "time(): only"),
    ("src/manager/manager.c", "int t(void)\n{\n\treturn gettimeofday(&a, 0);\n}\n", "gettimeofday(): only"),
    ("feeders/alpaca.c", "int t(void)\n{\n\treturn clock_gettime(a, b);\n}\n", "clock_gettime(): only"),
    ("src/base/clock.c", "int z(void)\n{\n\treturn localtime_r(a, b);\n}\n", "localtime_r(): the machine's zone"),
    ("src/base/clock.c", 'int z(void)\n{\n\treturn setenv("TZ", "UTC", 1);\n}\n', "TZ is never set"),
    ("src/base/clock.c", "int z(void)\n{\n\treturn rand();\n}\n", "randomness is injected"),
    ("src/market/tick_priv.c", '#include <stdio.h>\n#include "tick_priv.h"\n', "comes first"),
    ("src/market/x.c", "int x;\n" * 801, "801 lines"),
    ("src/market/x.c", "int f(void)\n{\n" + "\tx();\n" * 60 + "}\n", "a function of 61 lines"),
    ("src/market/x.c", "int f(void)\n{\n" + "\tx();\n" * 59 + "}\n", None),
    ("src/market/x.c", "/* " + "TO" + "DO: later */\n", "nothing is left for later"),
]


def result(check: str, files: dict[str, str]) -> str:
    with tempfile.TemporaryDirectory() as root:
        for path, text in files.items():
            os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
            with open(os.path.join(root, path), "w", encoding="utf-8") as out:
                out.write(text)
        done = subprocess.run([check, root], capture_output=True, text=True, check=False)
        if done.stderr:
            sys.exit(done.stderr)
        return done.stdout if done.returncode else ""


def main() -> int:
    wrong = []
    clean = result(sys.argv[1], CLEAN)
    if clean:
        wrong.append(f"a clean tree: {clean}")
    for path, text, expected in PLANTED:
        said = result(sys.argv[1], {**CLEAN, path: CLEAN.get(path, "") + text})
        if expected is None and said:
            wrong.append(f"{path} {text[:40]!r}: nothing expected, said {said!r}")
        elif expected is not None and (expected not in said or said.count("\n") != 1):
            wrong.append(f"{path} {text[:40]!r}: {expected!r} alone expected, said {said!r}")
    print("\n".join(wrong) if wrong else f"layers: {len(PLANTED)} planted cases, ok")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
