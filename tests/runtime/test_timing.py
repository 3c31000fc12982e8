"""Candidates take turns; a short one is called until it has settled, and the call after that counts."""

import pytest

from minidl.runtime import interleaved, timing


@pytest.fixture
def clock(monkeypatch):
    """A clock that only the candidates move."""
    now = [0.0]
    monkeypatch.setattr(timing.time, "perf_counter", lambda: now[0])
    return now


def candidate(clock, log, name, seconds):
    times = iter(seconds)

    def call():
        log.append(name)
        clock[0] += next(times)

    return call


def test_long_calls_alternate_and_each_counts(clock):
    log = []
    calls = {name: candidate(clock, log, name, seconds) for name, seconds in (("a", [9, 3, 1]), ("b", [9, 4, 8]))}
    found = interleaved(calls, repeats=2, warmup=1)
    assert log == ["a", "b"] * 3
    assert (found["a"].minimum, found["a"].median, found["a"].repeats) == (1, 2, 2)
    assert (found["b"].minimum, found["b"].median) == (4, 6)


def test_of_short_calls_the_one_after_they_settled_counts(clock):
    log, short = [], [0.004, 0.004, 0.009, 0.003, 0.004, 0.005, 0.009, 0.002]
    calls = {"short": candidate(clock, log, "short", short), "long": candidate(clock, log, "long", [1, 2])}
    found = interleaved(calls, repeats=2, warmup=0)
    assert log == ["short"] * 4 + ["long"] + ["short"] * 4 + ["long"]
    assert found["short"].minimum == pytest.approx(0.002) and found["short"].median == pytest.approx(0.0025)


def test_no_round_begins_after_the_budget(clock):
    log = []
    found = interleaved({"a": candidate(clock, log, "a", [3] * 9)}, repeats=9, warmup=0, budget=5)
    assert found["a"].repeats == len(log) == 2
