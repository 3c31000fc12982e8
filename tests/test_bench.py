"""The benchmark's own machinery, without the peers: turns, ratios, going on after a stop, the page."""

import json
import random
import re
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

BENCH = Path(__file__).parent / "bench"
sys.path.insert(0, str(BENCH))
contest, page, readme, results, rows, worker = map(
    __import__, ("contest", "page", "readme", "results", "rows", "worker")
)
sys.path.remove(str(BENCH))

seconds = st.floats(1e-6, 1e3)
PEERS = [who for who in contest.WHO if who != contest.OURS]


@given(
    st.dictionaries(st.sampled_from(PEERS), st.lists(seconds, min_size=1), min_size=1), st.lists(seconds, min_size=1)
)
def test_a_ratio_is_the_best_peer_over_us(theirs, ours):
    times = {who: contest.summary(values) for who, values in (theirs | {contest.OURS: ours}).items()}
    found = contest.table(times, [], {}, {})
    best = min(min(values) for values in theirs.values())
    assert found["ratio"] == best / min(ours)
    assert min(theirs[found["peer"]]) == best


@given(st.dictionaries(st.sampled_from(PEERS), seconds, min_size=1), seconds)
def test_neither_we_nor_the_best_peer_is_left_behind(theirs, ours):
    best = {contest.Contestant("task", who): s for who, s in (theirs | {contest.OURS: ours}).items()}
    staying = {c.who for c in contest.qualified(best)}
    assert {contest.OURS, min(theirs, key=theirs.__getitem__)} <= staying
    assert all(theirs[who] > contest.SLOWER * min(theirs.values()) for who in theirs.keys() - staying)


def test_the_first_of_several_calls_is_not_counted():
    calls = []
    times = worker.turn(lambda: calls.append(0), seconds=0.01)
    assert len(times) == len(calls) - 1
    calls.clear()
    assert len(worker.turn(lambda: calls.append(0), seconds=0)) == 2 == len(calls) - 1


def test_a_call_that_takes_long_is_made_once(monkeypatch):
    monkeypatch.setattr(worker, "PATIENCE", 0.01)
    assert len(worker.turn(lambda: time.sleep(0.02), seconds=0)) == 1


def test_two_tasks_are_timed_in_turn_in_a_process_of_their_own():
    pytest.importorskip("threadpoolctl")
    arena = contest.Arena()
    tasks = {name: {"work": "copy", "size": size, "threads": 1} for name, size in (("small", 10**3), ("large", 10**7))}
    try:
        found = arena.race(tasks, [contest.OURS], rounds=2, budget=1)
    finally:
        arena.close()
    assert found["small"]["times"][contest.OURS]["min"] < found["large"]["times"][contest.OURS]["min"]
    assert "ratio" not in found["small"]  # there was no peer


def test_a_worker_that_fails_says_why():
    one = contest.Worker("minidl")
    with pytest.raises(RuntimeError, match="KeyError"):
        one.ask("prepare", name="x", spec={"work": "nonsense", "threads": 1})
    one.close()


def test_a_run_goes_on_where_it_was_stopped(tmp_path):
    path = tmp_path / "bench.json"
    results.Results(path, {"machine": "a"}).add("first", {"group": "layers"})
    assert not path.exists()
    again = results.Results(path, {"machine": "a"})
    assert "first" in again
    assert "first" not in results.Results(path, {"machine": "b"})  # other conditions begin anew
    again.finish()
    assert json.loads(path.read_text())["rows"].keys() == {"first"}
    assert [file.name for file in tmp_path.iterdir()] == ["bench.json"]


def test_the_page_shows_any_results_and_leaves_no_mark(tmp_path):
    (tmp_path / "results.json").write_text(json.dumps(invented()))
    (tmp_path / "results-zen3.json").write_text(json.dumps(invented()))
    (tmp_path / "images").mkdir()
    read_me = tmp_path / "README.md"
    read_me.write_text(f"before\n{readme.BEGIN}old\n{readme.END}\nafter\n")
    for module, *args in ((page, "--docs", str(tmp_path)), (readme, "--readme", str(read_me))):
        argv, sys.argv = sys.argv, ["x", str(tmp_path / "results.json"), *args]
        try:
            module.main()
        finally:
            sys.argv = argv
    text = (tmp_path / "performance.md").read_text()
    assert "<!--" not in text and "Not measured" not in text
    assert len(re.findall(r"\| vgg16-A training step \| 128 \| 2 \|.*\*\*2\.00\*\*", text)) == 2  # here, and elsewhere
    assert "### zen3" in text
    assert {file.stem for file in (tmp_path / "images").iterdir()} == {
        "performance-ratios", "performance-roofline", "performance-batches"
    }  # fmt: skip
    assert "old" not in read_me.read_text() and "| vgg16 training step | 128 |" in read_me.read_text()


def invented():
    """Results of every row, the fastest peer twice as slow as we are."""
    dice, found = random.Random(0), {}
    for row in rows.rows([2, 1], compiled=True, quick=False):
        tasks = {}
        for task, spec in row.tasks.items():
            ours = dice.uniform(0.01, 0.02)
            times = {who: ours * (1 if who == contest.OURS else dice.uniform(2.01, 3)) for who in row.who}
            times[row.who[-1]] = 2 * ours
            summaries = {who: contest.summary([t, 1.1 * t]) for who, t in times.items()}
            tasks[task] = spec | contest.table(summaries, [], {}, {})
        found[row.key] = {
            "group": row.group,
            "work": row.work,
            "threads": row.threads,
            "tasks": tasks,
            "rest": {PEERS[-1]: 0.03},
        }
    found["memory"] = {
        "group": "memory", "work": "vgg16", "threads": 2, "peer": PEERS[0], "share": 0.5,
        "megabytes": {contest.OURS: 400.0, PEERS[0]: 800.0},
    }  # fmt: skip
    warm = contest.table({contest.OURS: contest.summary([1.0])}, [], {}, {})
    found["start"] = {"group": "start", "work": "warm", "threads": 2, "tasks": {"warm": warm}}
    found["errors"] = {"group": "errors", "found": [
        {"kernel": "direct", "layer": "l", "part": "forward", "minidl": 1e-6, "PyTorch": 1e-6}]}  # fmt: skip
    names = ("PyTorch logits", "ONNX Runtime logits", "loss", "gradient")
    found["agreement"] = {"group": "agreement", "found": [{"network": "resnet20", **dict.fromkeys(names, 1e-6)}]}
    conditions = {
        "machine": "a machine", "system": "Linux", "cores": 2, "python": "3.11", "versions": {"torch": "2"},
        "settings": {"threads": [2, 1], "rounds": 7, "quick": False},
    }  # fmt: skip
    return {"conditions": conditions, "rows": found}
