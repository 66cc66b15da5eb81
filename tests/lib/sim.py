"""Starts the vendors' simulators for tests, and runs a test under a Python that has what it needs."""
import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path

VENV = Path(os.environ.get("LIVECORE_CACHE", Path.home() / ".cache" / "livecore")) / "venv"
PACKAGES = ["alpaca-py", "websockets", "pydantic"]


def need_venv():
    """Goes on under the cached environment, made at first use; skips the test when it cannot be."""
    if Path(sys.prefix).resolve() == VENV.resolve():
        return
    python = VENV / "bin" / "python"
    probe = [str(python), "-c", "import alpaca, websockets, pydantic"]
    if not python.exists() or subprocess.run(probe, stderr=subprocess.DEVNULL).returncode != 0:
        made = subprocess.run([sys.executable, "-m", "venv", str(VENV)])
        if made.returncode != 0 or subprocess.run([str(python), "-m", "pip", "install", "-q", *PACKAGES]).returncode != 0:
            print("skipped: alpaca-py could not be installed into", VENV)
            sys.exit(77)
    os.execv(str(python), [str(python), *sys.argv])


class Sim:
    """One simulator process; it dies with us, because its standard input ends."""

    def __init__(self, tool, vendor, *options):
        command = [*tool, vendor, "--port", "0", "--exit-with-stdin", *options]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        assert line.startswith(f"listening vendor={vendor} url="), line
        self.url = line.split("url=")[1].strip()
        self.http = "http" + self.url[self.url.index(":"):]
        self.origin = "/".join(self.http.split("/")[:3])

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.process.stdin.close()
        code = self.process.wait(60)
        if kind is None:
            assert code == 0, f"simulator ended with {code}"

    def get(self, path, headers=None):
        request = urllib.request.Request(self.origin + path, headers=headers or {})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.read()

    def json(self, path, headers=None):
        return json.loads(self.get(path, headers))

    def stats(self):
        return self.json("/sim/stats")

    def fault(self, spec):
        request = urllib.request.Request(self.origin + "/sim/fault", data=spec.encode(), method="POST")
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert json.loads(answer.read()) == {"ok": True}
