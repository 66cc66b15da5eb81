#!/usr/bin/env python3
"""Looks for committed secrets, in what git tracks, or in the whole tree where there is no git.

usage: secrets.py ROOT        secrets.py --self-test
Keys that tests make up are allowed by name, below, and by nothing else."""
import os
import re
import subprocess
import sys

RULES = [
    ("a private key", re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----\s+[A-Za-z0-9+/=]{16}")),
    ("an AWS key", re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b")),
    ("an Alpaca key", re.compile(r"\b(?:PK|AK|CK)[0-9A-Z]{18}(?:[0-9A-Z]{6})?\b")),
    ("a GitHub token", re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{40,})")),
    ("a Slack or Google token", re.compile(r"\bxox[abprs]-[A-Za-z0-9-]{10,}|\bAIza[0-9A-Za-z_-]{35}")),
    ("a JSON web token", re.compile(r"\beyJ[A-Za-z0-9_-]{20,}\.eyJ[A-Za-z0-9_-]{20,}\.")),
    ("a password in an address", re.compile(r"\b[a-z][a-z0-9+]*://[^\s/:@\"'<>]+:(?P<value>[^\s/@\"'<>]{4,})@")),
    # Named as one and written out: `password: x` in YAML, `api_secret = "x"` elsewhere.
    ("a password", re.compile(r"(?i)(?:password|passwd|secret(?:_?key)?|api_?key|access_?token|auth_?token)"
                              r"[\"']?\s*(?:=|:)\s*[\"'](?P<value>[^\"'\s\\]{6,})[\"']")),
    ("a password", re.compile(r"(?im)^[ \t-]*[\w.]*(?:password|passwd|secret(?:_key)?|api_?key|token)[ \t]*[:=][ \t]*"
                              r"(?P<value>[A-Za-z0-9/+_.-]{8,})[ \t]*(?:#.*)?$")),
]
FILES = re.compile(r"(^|/)(secrets\.ya?ml|[^/]*\.secrets\.ya?ml|\.env(\.[^/]*)?|id_(rsa|ed25519|ecdsa)|[^/]*\.(pem|key|p12|pfx|jks))$")
# Made up, for tests and examples.
ALLOWED = re.compile(r"not-a-secret|demo-secret|demo-secret|\$\{.*|\{.*\}|<.*>")
SKIP = re.compile(r"(^|/)(\.git|build[^/]*|\.cache|__pycache__)(/|$)|^tests/checks/secrets\.py$")


def listed(root: str) -> list[str]:
    done = subprocess.run(["git", "-C", root, "ls-files", "-z"], capture_output=True, text=True, check=False) \
        if os.path.exists(os.path.join(root, ".git")) else None
    if done and done.returncode == 0:
        return [path for path in done.stdout.split("\0") if path]
    return [os.path.relpath(os.path.join(folder, name), root) for folder, _, names in os.walk(root) for name in names]


def secrets_in(path: str, text: str) -> list[str]:
    found = [f"{path}: a file of this name holds secrets"] if FILES.search(path) else []
    for what, rule in RULES:
        for match in rule.finditer(text):
            value = match.groupdict().get("value") or match.group()
            if not ALLOWED.fullmatch(value):
                found.append(f"{path}:{text.count(chr(10), 0, match.start()) + 1}: {what}: {match.group()[:60]!r}")
    return found


def self_test() -> int:
    planted = ["-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA7", "AKIA" + "IOSFODNN7EXAMPLE", "PK" + "Q7X2M4N6B8V0C1Z3A5",
               "ghp_" + "a1B2" * 9, "password: " + "hunter2hunter2", 'api_secret = "' + "Zx81kqPw" + '"', '"secret":"' + "Zx81kqPw" + '"',
               "https://me:" + "hunter2@host/", "AK" + "0123456789" * 2 + "ABCD"]
    clean = ["password: ${KAFKA_PASSWORD}", "password: not-a-secret", "password = NULL;", "secret: ''", "PKZIP", "int password;",
             "the password: see below", 'kafka.password: "not-a-secret"', "http://127.0.0.1:8080/x@y"]
    wrong = [text for text in planted if not secrets_in("x", text)] + [text for text in clean if secrets_in("x", text)]
    wrong += [path for path in ("config/secrets.yaml", "a/.env", "tls/server.pem") if not secrets_in(path, "")]
    print("\n".join(wrong) if wrong else f"secrets: {len(planted)} planted, {len(clean)} clean, ok")
    return 1 if wrong else 0


def main() -> int:
    if sys.argv[1] == "--self-test":
        return self_test()
    root = sys.argv[1]
    paths = [path for path in listed(root) if not SKIP.search(path) and os.path.isfile(os.path.join(root, path))]
    found = []
    for path in paths:
        with open(os.path.join(root, path), "rb") as source:
            found += secrets_in(path, source.read().decode("utf-8", "replace"))
    print("\n".join(found) if found else f"secrets: {len(paths)} files, ok")
    return 1 if found or not paths else 0


if __name__ == "__main__":
    sys.exit(main())
