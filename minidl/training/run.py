"""A run is a folder from which training goes on to the same bits after it was stopped, or killed, at any moment.

`config.json` says what is trained and how, `checkpoint.npz` is the one truth of how far it is; `metrics.jsonl` (one
line per epoch, reproducible numbers only) and `timing.jsonl` are written again from it.  `trajectory/epoch_0000.npz`
and so on, if asked for, are the network after each epoch.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol

from minidl.checkpoint import CheckpointError, StrPath, prefixed, read, replacing, save, without_prefix, write
from minidl.nn.module import Module
from minidl.nn.saving import describe, difference
from minidl.rng import generator
from minidl.training.records import Epoch, State, TrainingError
from minidl.types import Array


class HasState(Protocol):
    """What a run saves beside the network: an optimizer, or a rule around one."""

    def state_dict(self) -> dict[str, Array]: ...
    def load_state_dict(self, state: dict[str, Array]) -> None: ...


class Run:
    """Saves a network, its optimizer, the random state and the record into a folder, and brings them back."""

    def __init__(self, folder: StrPath, config: dict[str, Any]) -> None:
        self.folder = Path(folder)
        self.config: dict[str, Any] = json.loads(json.dumps(config))  # as it will be read back
        self.checkpoint = self.folder / "checkpoint.npz"

    def resume(self, model: Module, optimizer: HasState) -> State:
        """Bring everything to where the folder's run is; a new folder's is at its start.

        Raises
        ------
        TrainingError
            If the folder's run was made with other settings.
        CheckpointError
            If its checkpoint is damaged or of another network or optimizer.
        """
        self._check_config()
        if self.checkpoint.exists():
            state = self._restore(model, optimizer)
        else:
            state = State()
            self.save(state, model, optimizer)
        _write_lines(self.folder / "metrics.jsonl", map(_metrics, state.records))
        return state

    def save(self, state: State, model: Module, optimizer: HasState) -> None:
        """Write the checkpoint, and after a whole epoch all that goes with it; a kill in between loses nothing."""
        epoch_done = state.batches == 0
        if epoch_done:
            self._save_trajectory(len(state.records), model)
            _write_lines(self.folder / "timing.jsonl", map(_timing, state.records))
        tree, arrays = describe(model)
        meta = {
            "model": tree,
            "records": [_metrics(record) for record in state.records],
            "epoch": {key: getattr(state, key) for key in ("batches", "loss", "right", "images")},
            "rng": generator().bit_generator.state,
        }
        write(self.checkpoint, prefixed("model", arrays) | prefixed("optimizer", optimizer.state_dict()), meta)
        if epoch_done:
            _write_lines(self.folder / "metrics.jsonl", map(_metrics, state.records))

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes out of the folder for a block, where the system can (a killed one lets go)."""
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            import fcntl
        except ImportError:  # Windows
            yield
            return
        descriptor = os.open(self.folder, os.O_RDONLY)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise TrainingError(f"{self.folder} is in use by another training: wait, or choose another") from None
            yield
        finally:
            os.close(descriptor)

    def _check_config(self) -> None:
        path = self.folder / "config.json"
        if not path.exists():
            with replacing(path) as file:
                file.write(json.dumps(self.config, indent=2).encode() + b"\n")
            return
        found = _parse(path, path.read_text(errors="replace"))  # what is no text differs from what is asked for
        for key in self.config | found:
            if found.get(key) != self.config.get(key):
                raise TrainingError(
                    f"the run in {self.folder} has {key} {found.get(key)}, expected {self.config.get(key)} as asked "
                    "for now: repeat its settings, or choose another folder"
                )

    def _restore(self, model: Module, optimizer: HasState) -> State:
        arrays, meta = read(self.checkpoint)
        if "records" not in meta:
            raise CheckpointError(f"{self.checkpoint} is no checkpoint of a training, expected one that a run wrote")
        if differ := difference(meta["model"], describe(model)[0]):
            raise CheckpointError(f"{self.checkpoint} is of another network than the one to be trained: {differ}")
        before = model.state_dict()
        try:
            model.load_state_dict(without_prefix("model", arrays))
            optimizer.load_state_dict(without_prefix("optimizer", arrays))
        except ValueError as error:
            model.load_state_dict(before)
            raise CheckpointError(f"{self.checkpoint} is of another training: {error}") from None
        generator().bit_generator.state = meta["rng"]
        seconds = _read_seconds(self.folder)
        records = [Epoch(**line, seconds=seconds.get(line["epoch"], math.nan)) for line in meta["records"]]
        return State(records, **meta["epoch"])

    def _save_trajectory(self, epoch: int, model: Module) -> None:
        if self.config.get("record_trajectory"):
            folder = self.folder / "trajectory"
            folder.mkdir(exist_ok=True)
            save(folder / f"epoch_{epoch:04d}.npz", model)


def history(folder: StrPath) -> list[Epoch]:
    """Read the records of the epochs that a run has done.

    Raises
    ------
    TrainingError
        If there is no run in the folder.

    Examples
    --------
    >>> import tempfile, minidl
    >>> images = minidl.data.load("fashion-mnist-mini").subset(256)
    >>> net = minidl.nn.Sequential(minidl.nn.Flatten(), minidl.nn.Linear(784, 10, rng=0))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     losses = [record.loss for record in minidl.training.train(net, images, epochs=2, lr=0.01, run=folder)]
    ...     [record.loss for record in history(folder)] == losses
    True
    """
    path = Path(folder) / "metrics.jsonl"
    if not path.exists():
        raise TrainingError(f"found no run in {folder}, expected {path}: train with run={str(folder)!r} first")
    seconds = _read_seconds(Path(folder))
    return [Epoch(**line, seconds=seconds.get(line["epoch"], math.nan)) for line in _read_json_lines(path)]


def _metrics(record: Epoch) -> dict[str, Any]:
    """All but the time; a validation loss that is not finite becomes null, which JSON has a word for."""
    line = dataclasses.asdict(record)
    del line["seconds"]
    if record.validation_loss is not None and not math.isfinite(record.validation_loss):
        line["validation_loss"] = None
    return line


def _timing(record: Epoch) -> dict[str, Any]:
    return {"epoch": record.epoch, "seconds": None if math.isnan(record.seconds) else round(record.seconds, 3)}


def _read_seconds(folder: Path) -> dict[int, float]:
    path = folder / "timing.jsonl"
    lines = _read_json_lines(path) if path.exists() else []
    return {line["epoch"]: line["seconds"] for line in lines if line.get("epoch") and line.get("seconds") is not None}


def _read_json_lines(path: Path) -> list[dict[str, Any]]:
    return [_parse(path, line) for line in path.read_text(errors="replace").splitlines()]


def _parse(path: Path, text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise TrainingError(
            f"{path} is damaged ({error}), expected JSON as a run wrote it: restore or remove it"
        ) from None
    if not isinstance(value, dict):
        raise TrainingError(
            f"{path} holds a {type(value).__name__}, expected JSON objects as a run wrote them: remove it"
        )
    return value


def _write_lines(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    with replacing(path) as file:
        file.writelines(json.dumps(row).encode() + b"\n" for row in rows)
