"""Lighthouse scores of four pages of the demo school: `make lighthouse` writes them to docs/lighthouse.md."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, Request, build_opener

from quart_enroll.cli.develop import DEMO_PASSWORD
from tests.browser.chromium import require_chromium
from tests.browser.demo import PROJECT, demo_site

LIGHTHOUSE = "lighthouse@12.8.2"
"""The last version that runs on Node 20; npx downloads it."""

NODE_NOT_FOUND = (
    "There is no npx on the PATH (Debian and Ubuntu: apt install nodejs npm; elsewhere: https://nodejs.org)"
)
PAGES = {"catalog": "/courses/", "course": "/course/MAT115", "schedule": "/enrollment", "sign-in": "/login"}
SIGNED_IN = ("catalog", "course", "schedule")
DEVICES: dict[str, tuple[str, ...]] = {"phone": (), "desktop": ("--preset=desktop",)}
CHROME_FLAGS = "--headless=new --no-sandbox"

MIN_SCORES = {"performance": 95, "accessibility": 100, "best-practices": 100}
MAX_RUNS = 5
"""Maximum number of runs for each page."""

METRICS = ("first-contentful-paint", "largest-contentful-paint", "total-blocking-time", "cumulative-layout-shift")


def main() -> None:
    chromium = require_chromium()
    npx = shutil.which("npx") or sys.exit(NODE_NOT_FOUND)
    with demo_site() as base_url:
        cookie = _sign_in(base_url)
        reports = {
            (name, device): _best_report(npx, chromium, base_url + path, cookie if name in SIGNED_IN else "", options)
            for name, path in PAGES.items()
            for device, options in DEVICES.items()
        }
    (PROJECT / "docs" / "lighthouse.md").write_text(_document(reports), "utf-8")
    for (name, device), report in reports.items():
        print(f"{name} on a {device}: {', '.join(f'{category} {_score(report, category)}' for category in MIN_SCORES)}")
    if not all(map(_meets_goals, reports.values())):
        sys.exit("A score is too low: see docs/lighthouse.md.")


def _sign_in(base_url: str) -> str:
    """Return the cookies of ada's sign-in."""
    jar = CookieJar()
    form = urlencode({"email": "ada@school.example", "password": DEMO_PASSWORD}).encode()
    request = Request(f"{base_url}/login", form, {"Sec-Fetch-Site": "same-origin"})  # noqa: S310  # our own site
    build_opener(HTTPCookieProcessor(jar)).open(request).close()
    return "; ".join(f"{cookie.name}={cookie.value}" for cookie in jar)


def _best_report(*arguments: Any) -> Mapping[str, Any]:
    """Return the best of several reports: other load on the machine lowers the scores."""
    reports: list[Mapping[str, Any]] = []
    for _ in range(MAX_RUNS):
        reports.extend(_run_lighthouse(*arguments))
        if any(map(_meets_goals, reports)):
            break
    if not reports:
        sys.exit(f"Lighthouse failed {MAX_RUNS} times for {arguments[2]}.")
    return max(reports, key=lambda report: _score(report, "performance"))


def _run_lighthouse(
    npx: str, chromium: str, url: str, cookie: str, options: tuple[str, ...]
) -> list[Mapping[str, Any]]:
    """Return Lighthouse's report in a list, which is empty if the run failed, as sometimes on a busy machine."""
    with tempfile.TemporaryDirectory() as folder:
        report, headers = Path(folder, "report.json"), Path(folder, "headers.json")
        headers.write_text(json.dumps({"Cookie": cookie}))
        output = (
            f"--output-path={report}",
            f"--chrome-flags={CHROME_FLAGS}",
            *([f"--extra-headers={headers}"] * bool(cookie)),
        )
        categories = f"--only-categories={','.join(MIN_SCORES)}"
        command = [npx, "--yes", LIGHTHOUSE, url, "--quiet", "--output=json", categories, *output, *options]
        done = subprocess.run(command, env={**os.environ, "CHROME_PATH": chromium})
        return [json.loads(report.read_text("utf-8"))] if done.returncode == 0 else []


def _score(report: Mapping[str, Any], category: str) -> int:
    return round(100 * report["categories"][category]["score"])


def _meets_goals(report: Mapping[str, Any]) -> bool:
    return all(_score(report, category) >= min_score for category, min_score in MIN_SCORES.items())


def _document(reports: Mapping[tuple[str, str], Mapping[str, Any]]) -> str:
    any_report = next(iter(reports.values()))
    browser = any_report["environment"]["hostUserAgent"].split("Chrome/")[-1].split()[0]
    rows = "\n".join(_row(name, device, report) for (name, device), report in reports.items())
    failed_audits = "\n".join(dict.fromkeys(line for report in reports.values() for line in _failed_audits(report)))
    metrics = " | ".join(metric.replace("-", " ") for metric in METRICS)
    return (
        "# Lighthouse\n\n"
        f"Measured on {datetime.now(UTC):%Y-%m-%d} with `make lighthouse`: "
        f"Lighthouse {any_report['lighthouseVersion']},\n"
        f"Chromium {browser}, one server process, and the demo school on the same machine, with ada signed in except\n"
        "on the sign-in page. The phone is Lighthouse's own: a slow network and a quarter of the processor's speed.\n"
        f"Each page is the best of at most {MAX_RUNS} runs, because other work on the machine lowers the scores.\n\n"
        f"| page | device | {' | '.join(MIN_SCORES)} | {metrics} |\n"
        f"| --- | --- | {' | '.join('---:' for _ in (*MIN_SCORES, *METRICS))} |\n"
        f"{rows}\n\n"
        "## Suggestions\n\n"
        f"{failed_audits or 'None.'}\n"
    )


def _row(name: str, device: str, report: Mapping[str, Any]) -> str:
    scores = " | ".join(str(_score(report, category)) for category in MIN_SCORES)
    metrics = " | ".join(report["audits"][metric]["displayValue"].replace("\xa0", " ") for metric in METRICS)
    return f"| {name} | {device} | {scores} | {metrics} |"


def _failed_audits(report: Mapping[str, Any]) -> list[str]:
    """Return the weighted audits that did not pass."""
    references = [one for category in MIN_SCORES for one in report["categories"][category]["auditRefs"]]
    audits = [report["audits"][reference["id"]] for reference in references if reference["weight"]]
    return [f"- {audit['title']}" for audit in audits if audit["score"] is not None and audit["score"] < 0.9]


if __name__ == "__main__":
    main()
