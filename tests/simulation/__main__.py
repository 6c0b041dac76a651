"""`make simulate`: predict what a large school experiences, and show how well the model predicts the measured cases."""

import json
from statistics import median

from tests.simulation import costs
from tests.simulation.costs import Costs
from tests.simulation.model import CASES, Cluster, Crowd, Outcome, Site, percentile

SEEDS = range(5)
"""The small cases are simulated with each of these seeds, and the median counts."""

THIS_MACHINE = Cluster(processes=2, cores=2)
"""The machine on which the cases were measured."""

LARGE_SCHOOL = Crowd(100_000, 5, 4000, 200, press_seconds=60, pages=4)
LARGE_CLUSTER = Cluster(
    processes=2, cores=2, dynos=20, shards=4, shard_cores=8, round_trip_seconds=0.001, majority_seconds=0.005
)


def main() -> None:
    """Print the measured cases beside their predictions, and the prediction for a large school."""
    measured = costs.read()
    print(f"{'case':55}{'':>10}{'predicted':>11}{'measured':>10}{'difference':>12}")
    for name, facts in json.loads(costs.FILE.read_text())["cases"].items():
        for what, predicted in predict(measured, CASES[name]).items():
            difference = 100 * (predicted / facts[what] - 1)
            print(f"{name:55}{what:>10}{predicted:>9.2f} s{facts[what]:>8.2f} s{difference:>+11.0f}%")
    cores = LARGE_CLUSTER.dynos * LARGE_CLUSTER.cores
    print("\n100,000 students, who press within a minute, on 20 dynos and 4 shards:")
    print(f"  before, signing in takes all cores for {LARGE_SCHOOL.students * measured.hash / cores:.0f} s", flush=True)
    print(describe(Site(measured, LARGE_CLUSTER, 0).run(LARGE_SCHOOL)))


def predict(measured: Costs, case: Crowd) -> dict[str, float]:
    """Return the figures of a small case on the machine on which it was measured."""
    figures = [Site(measured, THIS_MACHINE, seed).run(case).figures() for seed in SEEDS]
    return {what: median(one[what] for one in figures) for what in figures[0]}


def describe(outcome: Outcome) -> str:
    """Return the prediction in a few lines."""
    press, page = outcome.press_seconds, outcome.page_seconds
    busy = ", ".join(f"{name} {100 * share:.0f}%" for name, share in outcome.utilization.items())
    return (
        f"  “Enroll in all”: median {percentile(press, 50):.2f} s, p99 {percentile(press, 99):.2f} s\n"
        f"  pages: median {1000 * percentile(page, 50):.0f} ms, p99 {1000 * percentile(page, 99):.0f} ms\n"
        f"  everything settled after {max(outcome.settled_at):.0f} s; {outcome.busy} responses were 503\n"
        f"  {outcome.retries / outcome.transactions:.2f} retries per transaction; in use: {busy}"
    )


if __name__ == "__main__":
    main()
