"""Run wrk, which sends requests as fast as they are answered, and parse its results."""

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

CONNECTIONS = 64

MISSING = """`make bench` needs wrk, which is not on the PATH:
  - Debian, Ubuntu: apt install wrk
  - macOS: brew install wrk
  - elsewhere: https://github.com/wg/wrk, then `make` in its folder."""

# `init` builds all requests before the measurement, so that `request` only has to return the next. `done` runs once.
SCRIPT = """
local requests = {}
local number = 0

function init()
  for path, head in io.open(FILE):read("*a"):gmatch("([^\\n]+)\\n([^\\n]*)\\n") do
    local headers = {}
    for name, value in head:gmatch("([^\\t]+)\\t([^\\t]+)") do headers[name] = value end
    requests[#requests + 1] = wrk.format("GET", path, headers)
  end
end

function request()
  number = number % #requests + 1
  return requests[number]
end

function done(summary, latency)
  local e = summary.errors
  io.write(string.format(
    '\\nJSON{"requests":%d,"microseconds":%d,"bytes":%d,"refused":%d,"broken":%d,"timeouts":%d,"p99":%d}\\n',
    summary.requests, summary.duration, summary.bytes, e.status, e.connect + e.read + e.write, e.timeout,
    latency:percentile(99)))
end
"""


@dataclass(frozen=True, slots=True)
class Request:
    """A GET request."""

    path: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class WrkResult:
    """The result; `refused` counts responses with a status of 400 or more, `p99` is in seconds."""

    per_second: float
    bytes_each: float
    refused: int
    broken: int
    timeouts: int
    p99: float
    requests: int


def find() -> str:
    """Return the path of wrk; if it is not installed, exit with a hint how to install it."""
    return shutil.which("wrk") or sys.exit(MISSING)


def write_script(folder: Path, name: str, requests: Sequence[Request]) -> Path:
    """Write two files with the requests that wrk sends in turn; return the script to pass to wrk."""
    listed, script = folder / f"{name}.txt", folder / f"{name}.lua"
    lines = (
        f"{one.path}\n" + "\t".join(part for header in one.headers.items() for part in header) + "\n"
        for one in requests
    )
    listed.write_text("".join(lines))
    script.write_text(f"local FILE = {json.dumps(str(listed))}\n{SCRIPT}")
    return script


def run(port: int, script: Path, seconds: float, connections: int = CONNECTIONS) -> WrkResult:
    """Send requests for that many seconds over that many connections."""
    command = [find(), "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout", "10s"]
    completed = subprocess.run(
        [*command, "-s", str(script), f"http://127.0.0.1:{port}"], capture_output=True, text=True, check=False
    )
    return read(completed.stdout, completed.stderr)


def read(output: str, errors: str = "") -> WrkResult:
    """Parse what `SCRIPT` printed at the end. Raises SystemExit with wrk's own message if there is nothing."""
    result = output.partition("JSON")[2]
    if not result:
        sys.exit(f"wrk did not work: {errors or output}")
    values = json.loads(result.splitlines()[0])
    seconds, requests = values["microseconds"] / 1e6, values["requests"]
    return WrkResult(
        per_second=requests / seconds,
        bytes_each=values["bytes"] / requests if requests else 0.0,
        refused=values["refused"],
        broken=values["broken"],
        timeouts=values["timeouts"],
        p99=values["p99"] / 1e6,
        requests=requests,
    )
