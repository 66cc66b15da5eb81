#!/usr/bin/env python3
"""Compiles each header alone, twice over, as C: what it needs it includes, and including it again does no harm.

usage: headers.py ROOT COMPILER…"""
import concurrent.futures
import glob
import os
import subprocess
import sys


def compiles(root: str, compiler: list[str], path: str) -> str:
    """What the compiler says of the header; "" when it is content."""
    flags = ["-x", "c", "-std=gnu2x", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Wno-unused-function", "-Werror",
             "-fsyntax-only", f"-I{root}/include", f"-I{root}/src", f"-I{root}/feeders"]
    done = subprocess.run(compiler + flags + ["-"], input=f'#include "{path}"\n' * 2, capture_output=True,
                          text=True, check=False)
    return f"{os.path.relpath(path, root)} does not stand alone:\n{done.stderr}" if done.returncode else ""


def main() -> int:
    root, compiler = os.path.abspath(sys.argv[1]), sys.argv[2:]
    paths = sorted(path for top in ("include", "src", "feeders")
                   for path in glob.glob(f"{root}/{top}/**/*.h", recursive=True))
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        said = [text for text in pool.map(lambda path: compiles(root, compiler, path), paths) if text]
    print("\n".join(said) if said else f"headers: {len(paths)} stand alone, ok")
    return 1 if said or not paths else 0


if __name__ == "__main__":
    sys.exit(main())
