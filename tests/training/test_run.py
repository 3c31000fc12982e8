"""A run that was stopped, interrupted or killed ends with the same bits as one that never was."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_runs import EPOCHS, STEPS, files, images, net, same, start

import minidl
from minidl.checkpoint import CheckpointError, read, write
from minidl.optim import Adam, Cosine
from minidl.rng import generator
from minidl.training import Epoch, TrainingError, history


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The files of a run that nothing interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    list(start(folder))
    return files(folder)


class Interrupted(Exception):
    pass


def interrupting(at):
    def on_step(step, _):
        if step == at:
            raise Interrupted

    return on_step


@pytest.mark.parametrize(
    ("at", "save_every"), [*((k, 0.0) for k in range(1, EPOCHS * STEPS + 1)), *((k, 60.0) for k in (1, 4, 5, 11, 12))]
)
def test_interrupted_after_any_step(tmp_path, whole, at, save_every):
    with pytest.raises(Interrupted):
        list(start(tmp_path, on_step=interrupting(at), save_every=save_every))
    generator().random(7)  # whatever else happened in between
    yielded = list(start(tmp_path, net(seed=9)))  # other weights: the run's count
    assert files(tmp_path) == whole
    assert [r.epoch for r in yielded] == list(range((at - 1) // STEPS + 1, EPOCHS + 1))


def test_an_interruption_within_an_epoch_goes_on_from_there(tmp_path):
    with pytest.raises(Interrupted):
        list(start(tmp_path, on_step=interrupting(STEPS + 3), save_every=0.0))
    steps = []
    list(start(tmp_path, on_step=lambda step, _: steps.append(step)))
    assert steps == list(range(STEPS + 3, EPOCHS * STEPS + 1))  # the step that was interrupted, and those after it


@pytest.mark.parametrize("stop", range(1, EPOCHS))
def test_stopped_at_any_yield(tmp_path, whole, stop):
    for record in start(tmp_path):
        if record.epoch == stop:
            break
    list(start(tmp_path))
    assert files(tmp_path) == whole


@given(st.lists(st.integers(1, 5), min_size=1, max_size=4))
@settings(max_examples=3)
def test_interrupted_again_and_again_with_adam(tmp_path_factory, gaps):
    def adam_run(folder, on_step=None):
        model = net()
        adam = Adam(model.named_parameters(), lr=0.01)
        list(start(folder, model, optimizer=adam, on_step=on_step, save_every=0.0))

    straight, broken = tmp_path_factory.mktemp("straight"), tmp_path_factory.mktemp("broken")
    adam_run(straight)
    at = 0
    for gap in gaps:
        at += gap
        try:
            adam_run(broken, interrupting(at))
        except Interrupted:
            continue
        break  # past the end
    adam_run(broken)
    assert files(straight) == files(broken)


def test_more_epochs_go_on(tmp_path):
    short, long = tmp_path / "short", tmp_path / "long"
    list(start(short, epochs=2))
    list(start(short, epochs=4))
    list(start(long, epochs=4))
    assert files(short) == files(long)


KILLED = """
import sys
sys.path.insert(0, {here!r})
from tiny_runs import start
list(start({folder!r}, save_every=0.0, epochs={epochs}, on_step=lambda step, model: print(step, flush=True)))
"""


def test_killed_at_random_moments(tmp_path):
    """kill -9, whatever the process is doing: computing, writing, renaming."""
    epochs, rng = 16, np.random.default_rng()
    broken, straight = tmp_path / "broken", tmp_path / "straight"
    code = KILLED.format(here=str(Path(__file__).parent), folder=str(broken), epochs=epochs)
    environment = os.environ | {"MINIDL_BACKEND": "numpy", "OPENBLAS_NUM_THREADS": "1"}
    for _ in range(6):
        with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, env=environment) as child:
            for _ in range(rng.integers(1, 6)):
                child.stdout.readline()  # a step is done
            time.sleep(rng.uniform(0, 0.01))  # and the next, or a checkpoint, begun
            child.kill()
        assert child.returncode == -signal.SIGKILL  # of 64 steps it cannot have done all
        read(broken / "checkpoint.npz")
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL, env=environment)
    with minidl.use(backend="numpy"):
        list(start(straight, epochs=epochs))
    left_over = [path for path in broken.rglob(".*.part")]  # of a write that was cut off, replaced by the next
    assert not left_over and files(straight) == files(broken)


# -- what is in the folder -------------------------------------------------------------------------------------


def test_the_record(tmp_path):
    records = list(start(tmp_path))
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [1, 2, 3]
    assert "seconds" not in lines[0] and lines[1]["loss"] == records[1].loss
    seconds = [round(r.seconds, 3) for r in records]
    assert history(tmp_path) == [Epoch(**line, seconds=s) for line, s in zip(lines, seconds, strict=True)]


def test_a_finished_run_yields_nothing_and_brings_its_network_back(tmp_path):
    model = net()
    list(start(tmp_path, model))
    other = net(seed=5)
    assert list(start(tmp_path, other)) == []
    assert same(model.state_dict(), other.state_dict())


def test_the_checkpoint_is_a_network_too(tmp_path):
    model = net()
    list(start(tmp_path, model))
    assert same(minidl.load(tmp_path / "checkpoint.npz").state_dict(), model.state_dict())


def test_the_trajectory_begins_before_the_first_epoch(tmp_path):
    model = net()
    states = [model.state_dict()]
    states.extend(model.state_dict() for _ in start(tmp_path, model))
    paths = sorted((tmp_path / "trajectory").iterdir())
    assert [path.name for path in paths] == [f"epoch_000{k}.npz" for k in range(EPOCHS + 1)]
    assert all(same(minidl.load(path).state_dict(), state) for path, state in zip(paths, states, strict=True))


def test_no_trajectory_unless_asked(tmp_path):
    list(start(tmp_path, record_trajectory=False))
    assert not (tmp_path / "trajectory").exists()


def test_nothing_but_the_clock_differs_between_two_folders(tmp_path):
    list(start(tmp_path / "a"))
    list(start(tmp_path / "b"))
    assert files(tmp_path / "a") == files(tmp_path / "b")


def test_a_diverged_run_keeps_its_last_good_state(tmp_path):
    model = net()

    def poison(step, network):
        if step == 2 * STEPS:
            network[5].weight.data[0, 0] = np.nan

    with pytest.raises(TrainingError, match=r"checkpoint\.npz is the last good state"):
        list(start(tmp_path, model, on_step=poison))
    assert len(history(tmp_path)) == 1
    kept = minidl.load(tmp_path / "checkpoint.npz").state_dict()
    assert all(np.isfinite(array).all() for array in kept.values())
    assert same(kept, minidl.load(tmp_path / "trajectory/epoch_0001.npz").state_dict())


def test_a_validation_loss_that_is_not_finite_is_null(tmp_path):
    model = net()

    def spoil(step, network):
        network[1].running_var[...] = 1e-38  # evaluation overflows, training does not look at it
        network[1].running_mean[...] = -3e38
        network[1].eps = 0.0

    with np.errstate(all="ignore"):
        list(start(tmp_path, model, epochs=1, on_step=spoil))
    assert history(tmp_path)[0].validation_loss is None


# -- what is refused -------------------------------------------------------------------------------------------


def refused(error, words, make):
    with pytest.raises(error, match=words) as caught:
        list(make())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"batch_size": 20}, "batch_size 16, expected 20"),
        ({"seed": 1}, "seed 0, expected 1"),
        ({"augment": False}, "augment CropFlip"),
        ({"schedule": Cosine(0.2, 3)}, r"schedule Cosine\(lr=0\.1, .*, expected Cosine\(lr=0\.2"),
        ({"validation": None}, "validation .*, expected None"),
        ({"validation": images(21)}, "validation"),
        ({"record_trajectory": False}, "record_trajectory True, expected False"),
        ({"label_smoothing": 0.1}, "label_smoothing"),
        ({"epochs": 1}, "has 3 epochs, expected at most 1"),
    ],
)
def test_other_settings(tmp_path, setting, words):
    list(start(tmp_path))
    before = files(tmp_path)
    refused(TrainingError, words, lambda: start(tmp_path, **setting))
    assert files(tmp_path) == before


def test_another_network_or_optimizer(tmp_path):
    list(start(tmp_path))
    before = files(tmp_path)
    model = net()
    refused(
        TrainingError, "has optimizer SGD", lambda: start(tmp_path, model, optimizer=Adam(model.named_parameters()))
    )
    small = minidl.nn.Sequential(minidl.nn.Flatten(), minidl.nn.Linear(49, 10))
    refused(TrainingError, "has model", lambda: start(tmp_path, small))
    assert files(tmp_path) == before


def test_a_network_of_another_shape_but_the_same_size(tmp_path):
    def two(k):
        flat = minidl.nn.Flatten()
        return minidl.nn.Sequential(
            flat, *([minidl.nn.Linear(49, 10, rng=0)] if k else [flat, minidl.nn.Linear(49, 10)])
        )

    list(start(tmp_path, two(0)))
    refused(CheckpointError, "is of another network than the one to be trained", lambda: start(tmp_path, two(1)))


def test_a_network_of_the_same_arrays_that_computes_something_else(tmp_path):
    def with_slope(slope):
        layers = minidl.nn.Flatten(), minidl.nn.Linear(49, 10, rng=0), minidl.nn.LeakyReLU(slope)
        return minidl.nn.Sequential(*layers)

    list(start(tmp_path, with_slope(0.1)))
    before = files(tmp_path)
    refused(CheckpointError, r"layers\.2\.negative_slope is 0\.1 and 0\.2", lambda: start(tmp_path, with_slope(0.2)))
    assert files(tmp_path) == before


def test_a_refused_resume_leaves_the_network_as_it_was(tmp_path):
    list(start(tmp_path))
    model = net()
    optimizer = Adam(model.named_parameters())
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "optimizer": repr(optimizer)}))
    model[1].weight.data[:] = 7
    refused(CheckpointError, "is of another training", lambda: start(tmp_path, model, optimizer=optimizer))
    assert (model[1].weight.data == 7).all()


def test_times_that_cannot_be_read_stop_nothing(tmp_path):
    list(start(tmp_path))
    (tmp_path / "timing.jsonl").write_text('{"a": 1}\n')
    assert all(np.isnan(record.seconds) for record in history(tmp_path))


@pytest.mark.parametrize("damage", [lambda b: b[: len(b) // 2], lambda b: b[:500] + b"!" + b[501:], lambda b: b""])
def test_a_damaged_checkpoint_is_named_and_never_overwritten(tmp_path, damage):
    list(start(tmp_path))
    path = tmp_path / "checkpoint.npz"
    path.write_bytes(damage(path.read_bytes()))
    before = files(tmp_path)
    refused(CheckpointError, "checkpoint.npz", lambda: start(tmp_path))
    assert files(tmp_path) == before


def test_a_checkpoint_that_is_no_trainings(tmp_path):
    list(start(tmp_path))
    write(tmp_path / "checkpoint.npz", {}, {})
    refused(CheckpointError, "no checkpoint of a training", lambda: start(tmp_path))


def test_a_damaged_config(tmp_path):
    list(start(tmp_path))
    (tmp_path / "config.json").write_text('{"epochs": ')
    refused(TrainingError, "config.json is damaged", lambda: start(tmp_path))


def test_two_trainings_in_one_folder(tmp_path):
    pytest.importorskip("fcntl")
    loop = start(tmp_path)
    next(loop)
    refused(TrainingError, "in use by another training", lambda: start(tmp_path))
    loop.close()
    list(start(tmp_path))


def test_a_folder_without_a_run(tmp_path):
    with pytest.raises(TrainingError, match="found no run"):
        history(tmp_path)
