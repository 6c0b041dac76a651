"""Describe the machine and the versions that a measurement ran on."""

import os
import platform
import shutil
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from quart_enroll.cli.local_mongod import find_mongod
from tests.support.processes import PROJECT

PACKAGES = ("quart", "hypercorn", "uvloop", "motor", "pymongo", "werkzeug", "jinja2")


def describe() -> dict[str, Any]:
    """Return the machine, the versions, the time and the commit; a "+" after it means uncommitted changes."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        "cores": os.cpu_count(),
        "model": model(),
        "system": f"{platform.system()} {platform.release()}",
        "load_before": round(os.getloadavg()[0], 2),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}, **_programs()},
    }


def model() -> str:
    """Return the processor's name."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    named = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return named or platform.processor() or platform.machine()


def summary(facts: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {number}" for name, number in facts["versions"].items())
    return f"{facts['cores']} × {facts['model']}, {facts['system']}, {versions}"


def _programs() -> dict[str, str]:
    found = {"mongod": _first_line([find_mongod(), "--version"]).removeprefix("db version v")}
    if wrk := shutil.which("wrk"):
        found["wrk"] = _first_line([wrk, "-v"]).removeprefix("wrk ").split(" ")[0]
    return found


def _commit() -> str:
    commit = _first_line(["git", "rev-parse", "--short=10", "HEAD"])
    changed = _first_line(["git", "status", "--porcelain", "--untracked-files=no"])
    return f"{commit}+" if changed else commit


def _first_line(command: list[str]) -> str:
    try:
        done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    except OSError:  # not a checkout, or no git
        return ""
    return (done.stdout.splitlines() or [""])[0]


def raise_open_file_limit() -> None:
    """Raise the limit of open files to the system's maximum: the students need thousands of connections."""
    import resource  # not on Windows

    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
