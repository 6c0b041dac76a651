"""The simulation of large schools: its kernel, and whether it predicts the measurements of one machine."""

import json

import pytest

from tests.simulation import costs
from tests.simulation.__main__ import predict
from tests.simulation.kernel import Lock, Machine, Simulation, Steps, Thread
from tests.simulation.model import CASES, Cluster, Crowd, Site

TOLERANCES = {"median": 0.2, "settled": 0.3}
"""By which fraction a prediction may differ. The 99th percentile and the CPU time are shown, but vary more."""

TWO_DYNOS = Cluster(processes=1, cores=1, dynos=2, shards=2)


def test_a_machine_runs_as_many_slices_at_a_time_as_it_has_cores() -> None:
    simulation = Simulation()
    machine = Machine(simulation, "machine", 2)
    finished = []

    def work(seconds: float) -> Steps:
        yield machine.work(seconds)
        finished.append(simulation.now)

    for _ in range(4):
        simulation.start(work(1.0))
    simulation.run()
    assert finished == [1.0, 1.0, 2.0, 2.0]


def test_a_thread_does_what_it_owes_in_its_idle_time_or_before_the_next_slice() -> None:
    simulation = Simulation()
    thread = Thread(Machine(simulation, "machine", 1))
    finished = []

    def work(at: float) -> Steps:
        yield simulation.sleep(at)
        thread.owed_seconds += 0.5
        yield thread.work(1.0)
        finished.append(simulation.now)
        thread.owed_seconds += 0.5
        yield simulation.sleep(0.25)
        yield thread.work(1.0)
        finished.append(simulation.now)

    simulation.start(work(0.0))
    simulation.run()
    assert finished == [1.5, 3.0]


def test_a_lock_is_granted_in_the_order_of_the_requests() -> None:
    simulation = Simulation()
    lock = Lock(simulation)
    order = []

    def hold(name: str) -> Steps:
        yield lock.acquire()
        order.append(name)
        yield simulation.sleep(1.0)
        lock.release()

    for name in "abc":
        simulation.start(hold(name))
    simulation.run()
    assert (order, simulation.now) == (["a", "b", "c"], 3.0)


def test_the_same_seed_gives_the_same_day() -> None:
    crowd = Crowd(200, 5, 40, 10, press_seconds=1)
    one, same, other = (Site(costs.read(), TWO_DYNOS, seed).run(crowd) for seed in (1, 1, 2))
    assert one == same
    assert one.press_seconds != other.press_seconds


def test_batches_of_two_dynos_that_want_the_same_sections_conflict_and_are_settled_all_the_same() -> None:
    outcome = Site(costs.read(), TWO_DYNOS, 0).run(Crowd(200, 1, 1, 1000, press_seconds=0))
    assert outcome.retries > 0
    assert len(outcome.settled_at) == 200


@pytest.mark.parametrize("case", CASES)
def test_the_model_predicts_the_measured_cases(case: str) -> None:
    """Both the costs and the cases are from the last run of `make simulate MEASURE=1`."""
    measured = json.loads(costs.FILE.read_text())["cases"][case]
    predicted = predict(costs.read(), CASES[case])
    figures = {what: predicted[what] / measured[what] for what in TOLERANCES}
    assert {what: ratio for what, ratio in figures.items() if abs(ratio - 1) > TOLERANCES[what]} == {}
