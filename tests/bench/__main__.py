"""`make bench`: measure what a crowd meets, compared with bare Quart and the Flask site, and check every goal.

Everything runs on this machine and shares its cores, so an otherwise idle machine gives the best figures.
QUICK=1 takes about two minutes and only shows that it works. ONLY="crowd posts" runs these parts, without a report.
SOAK sets for how many seconds memory is observed; PAGES and CHANGES set how many pages are open, and how many sections
change in a second meanwhile.
"""

import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from quart_enroll.cli.local_mongod import local_mongod
from tests.bench import (
    crowd_pages,
    enroll_posts,
    export_memory,
    import_memory,
    machine,
    memory,
    open_pages,
    own_pages,
    pages,
    plan_presses,
    report,
    searches,
    servers,
    signin,
    staff_lists,
    stampedes,
    start_up,
    wrk,
)
from tests.bench.bench_run import FULL_RUN, QUICK_RUN, BenchRun, RunPlan
from tests.bench.figures import FAILED_RESPONSES, WRONG_RESPONSES, Row, find_regressions
from tests.support.processes import PROJECT

Part = Callable[[BenchRun], list[Row]]

PARTS: dict[str, Part] = {
    "crowd": crowd_pages.measure,
    "own": own_pages.measure,
    "pages": pages.measure,
    "plans": plan_presses.measure,
    "posts": enroll_posts.measure,
    "stampede": stampedes.measure,
    "open": open_pages.measure,
    "start": start_up.measure,
    "lists": staff_lists.measure,
    "searches": searches.measure,
    "signin": signin.measure_rows,
    "memory": memory.measure,
    "imports": import_memory.measure,
    "exports": export_memory.measure,
}
"""What is measured, by the names for ONLY."""


def main() -> None:
    plan = QUICK_RUN if os.environ.get("QUICK") else FULL_RUN
    names = os.environ.get("ONLY", "").replace(",", " ").split()
    if unknown := set(names) - PARTS.keys():
        sys.exit(f"There is no part {' or '.join(sorted(unknown))}; there are {', '.join(PARTS)}.")
    wrk.find()
    machine.raise_open_file_limit()
    facts = machine.describe() | {"rounds": plan.rounds, "seconds": plan.seconds}
    print(f"{machine.summary(facts)}; load before: {facts['load_before']}")
    rows, errors = _measure([PARTS[name] for name in names or PARTS], plan)
    faults = errors
    if not names:
        faults = find_regressions(rows, report.previous_figures(plan.folder, facts)) + errors
        report.write(plan.folder, facts, rows, faults)
    print("\n".join(["", *report.missed(rows), *faults]))
    if not names:
        print(f"Written to {plan.folder.relative_to(PROJECT)}/latest.md")
    sys.exit(bool(errors) or _has_failed(rows))


def _measure(parts: Sequence[Part], plan: RunPlan) -> tuple[list[Row], list[str]]:
    """Return the rows of these parts, and the errors that the sites have logged."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        with local_mongod(folder / "mongodb") as uri, servers.serve_bare_quart(folder) as bare:
            run = BenchRun(plan, folder, uri, bare.wait())
            run.bare_pages().warm_up(plan.warm_up)
            for measure_part in parts:
                started = time.monotonic()
                found = measure_part(run)
                rows += found
                print(f"{report.plain(found)}\n  [{time.monotonic() - started:.0f} s]", flush=True)
    return rows, run.logged_errors


def _has_failed(rows: Sequence[Row]) -> bool:
    """Tell whether a response was wrong or missing; inconsistent seats end the run at once."""
    critical_goals = (FAILED_RESPONSES, WRONG_RESPONSES, crowd_pages.STALE_PAGES)
    return any(goal.what in critical_goals and not goal.met for row in rows for goal in row.goals)


if __name__ == "__main__":
    main()
