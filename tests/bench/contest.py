"""Contestants take turns: each framework is a process of its own, and only one of them works at a time.

A peer's variants that are far from the best one after the warm-up are not timed further; what they took there counts.
"""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

WORKER = Path(__file__).with_name("worker.py")
OURS = "minidl"
WHO: dict[str, tuple[str, dict]] = {  # name -> framework, what is added to the description of the work
    OURS: ("minidl", {}),
    "PyTorch contiguous": ("torch", {"format": "contiguous", "compiled": False}),
    "PyTorch channels-last": ("torch", {"format": "channels-last", "compiled": False}),
    "torch.compile": ("torch", {"format": "channels-last", "compiled": True}),
    "ONNX Runtime": ("onnx", {}),
}
SLOWER = 1.3  # a peer's variant this many times slower than the best after the warm-up is out
TURN = 0.06  # seconds of a turn: short calls repeat in it


class Worker:
    """A process that runs one framework."""

    def __init__(self, framework: str, environment: Mapping[str, str] | None = None) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(WORKER), framework], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, **(environment or {})},
        )  # fmt: skip

    def ask(self, do: str, **what: object) -> dict:
        """Tell it to do something; RuntimeError if it could not."""
        self.process.stdin.write(json.dumps({"do": do, **what}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        answer = json.loads(line) if line else {"failed": f"ended with status {self.process.wait()}"}
        if "failed" in answer:
            raise RuntimeError(answer["failed"])
        return answer

    def close(self) -> None:
        with contextlib.suppress(OSError):  # it may have ended already
            self.process.stdin.close()
        self.process.wait()


class Contestant(NamedTuple):
    """Who does which of a row's tasks."""

    task: str
    who: str


class Arena:
    """The workers, started when first needed, in one environment."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self.environment, self.workers = environment, {}
        self.rest: dict[str, float] = {}  # who -> for how long its threads spun on after a turn, at most

    def ask(self, framework: str, do: str, **what: object) -> dict:
        if framework not in self.workers:
            self.workers[framework] = Worker(framework, self.environment)
        return self.workers[framework].ask(do, **what)

    def facts(self) -> dict[str, str]:
        return {k: v for framework in ("minidl", "torch", "onnx") for k, v in self.ask(framework, "facts").items()}

    def close(self) -> None:
        for worker in self.workers.values():
            worker.close()
        self.workers.clear()

    def race(self, tasks: Mapping[str, dict], who: list[str], rounds: int, budget: float) -> dict:
        """Time every contestant in turn, A B C A B C ..., for so many rounds or seconds; return task -> its table."""
        specs = {Contestant(task, name): spec | WHO[name][1] for task, spec in tasks.items() for name in who}
        failed: dict[Contestant, str] = {}
        with tempfile.TemporaryDirectory() as folder:
            prepared = {c: self._prepare(c, spec, Path(folder), failed) for c, spec in specs.items()}
            running = [c for c in specs if c not in failed]
            warm: dict[Contestant, list[float]] = {c: [] for c in running}
            for _ in range(2):
                for c in running:
                    warm[c] += self._turn(c, specs[c], TURN)
            running = qualified({c: min(times) for c, times in warm.items()})
            found: dict[Contestant, list[float]] = {c: [] for c in running}
            end = time.perf_counter() + budget
            for done in range(rounds):
                if done >= 3 and time.perf_counter() > end:
                    break
                for c in running:
                    found[c] += self._turn(c, specs[c], TURN)
        for framework in {WHO[name][0] for name in who} & self.workers.keys():
            self.ask(framework, "drop")
        return {
            task: table(
                {c.who: summary(found.get(c, times)) for c, times in warm.items() if c.task == task},
                [c.who for c in warm if c.task == task and c not in running],
                {c.who: prepared[c] for c in warm if c.task == task},
                {c.who: reason for c, reason in failed.items() if c.task == task},
            )
            for task in tasks
        }

    def _prepare(self, c: Contestant, spec: dict, folder: Path, failed: dict[Contestant, str]) -> float:
        framework, seconds = WHO[c.who][0], 0.0
        try:
            if framework == "onnx":
                spec["path"] = str(folder / f"{c.task}.onnx")
                export = spec | WHO["PyTorch contiguous"][1] | {"work": "export"}
                self.ask("torch", "prepare", name="export", spec=export)
            seconds = self.ask(framework, "prepare", name=f"{c.task} {c.who}", spec=spec)["seconds"]
        except RuntimeError as error:
            if c.who == OURS:
                raise
            failed[c] = str(error)
        return seconds

    def _turn(self, c: Contestant, spec: dict, seconds: float) -> list[float]:
        answer = self.ask(WHO[c.who][0], "turn", name=f"{c.task} {c.who}", spec=spec, seconds=seconds)
        self.rest[c.who] = max(self.rest.get(c.who, 0.0), answer["rest"])
        return answer["times"]


def qualified(best: Mapping[Contestant, float]) -> list[Contestant]:
    """Ours, and of the peers' variants those not far from the fastest for the same task."""
    limit: dict[str, float] = {}
    for c, seconds in best.items():
        if c.who != OURS:
            limit[c.task] = min(limit.get(c.task, seconds), seconds)
    return [c for c, seconds in best.items() if c.who == OURS or seconds <= SLOWER * limit[c.task]]


def summary(times: list[float]) -> dict[str, float]:
    return {"min": min(times), "median": statistics.median(times), "calls": len(times)}


def table(times: dict[str, dict], slower: list[str], prepared: dict[str, float], failed: dict[str, str]) -> dict:
    """Ours beside the fastest of the peers': the ratio is above 1 where ours is faster."""
    found: dict = {"times": times, "slower": slower, "prepared": prepared, "failed": failed}
    theirs = {who: t for who, t in times.items() if who != OURS}
    if OURS in times and theirs:
        peer = min(theirs, key=lambda who: theirs[who]["min"])
        found["peer"] = peer
        found["ratio"] = theirs[peer]["min"] / times[OURS]["min"]
        found["ratio_median"] = min(t["median"] for t in theirs.values()) / times[OURS]["median"]
    return found
