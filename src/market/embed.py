#!/usr/bin/env python3
"""Writes files as C strings: embed.py OUT IN…  File cn.csv becomes lc_calendar_text_cn."""

import pathlib
import sys

out, *inputs = sys.argv[1:]
lines = ['#include "market_priv.h"', ""]
for path in map(pathlib.Path, inputs):
    lines.append(f"const char lc_calendar_text_{path.stem}[] =")
    for line in path.read_text(encoding="ascii").splitlines():
        escaped = line.replace("\\", "\\\\").replace('"', '\\"')
        lines.append(f'\t"{escaped}\\n"')
    lines[-1] += ";"
pathlib.Path(out).write_text("\n".join(lines) + "\n", encoding="ascii")
