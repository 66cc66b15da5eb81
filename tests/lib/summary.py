#!/usr/bin/env python3
"""Counts what meson's test logs say, prints what failed and `N passed, N failed`; exits 1 when anything failed.

usage: summary.py SANITIZER_REPORTS TESTLOG.json...
A test that speaks TAP counts once for each of its cases."""
import json
import re
import sys


def main() -> int:
    reports = int(sys.argv[1])
    passed = failed = 0
    for path in sys.argv[2:]:
        for line in open(path, encoding="utf-8"):
            test = json.loads(line)
            ok = test["result"] in ("OK", "EXPECTEDFAIL")
            if test["result"] == "SKIP":
                continue
            cases = re.findall(r"^(ok|not ok)\b(?!.*# SKIP)", test.get("stdout") or "", re.M)
            good, bad = cases.count("ok"), cases.count("not ok")
            if not cases:
                good, bad = int(ok), int(not ok)
            elif not ok and bad == 0:
                bad = 1
            passed += good
            failed += bad
            if bad or not ok:
                print(f"FAILED {test['name']}: {test['result']}")
                # Meson keeps what a TAP test says of its failures to itself.
                print("\n".join(re.findall(r"^not ok.*(?:\n +.*)*", test.get("stdout") or "", re.M)))
    if reports:
        print(f"FAILED: {reports} report(s) of a sanitizer")
    print(f"{passed} passed, {failed + reports} failed")
    return 1 if failed or reports or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
