import importlib
import os
from concurrent.futures import Executor, Future, ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from landscape_nets import convnet, images, in_float64, linear, mlp
from strategies import seeds

import minidl
from algorithms.landscape import moved, plane, random_direction, refined_plane, scan, workers
from algorithms.landscape.scan import TILE
from algorithms.landscape.slice import MODES, Slice
from minidl.checkpoint import CheckpointError
from minidl.data import batches
from minidl.training import evaluate, sample_losses

FIELDS = ("loss", "accuracy", "std_error", "difference_error", "count")


def points(count=7, dimensions=2, seed=0):
    drawn = np.random.default_rng(seed).uniform(-1, 1, (count, dimensions))
    drawn[0] = 0
    return drawn


def last(scans):
    return list(scans)[-1]


def assert_same_bits(a, b):
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), name)


def problem(seed=0, net=convnet, **how):
    model = net(seed)
    return model, images(seed, **how), [random_direction(model, seed + i) for i in (0, 1)]


# -- what is measured ------------------------------------------------------------------------------------------


@given(seeds, st.sampled_from([convnet, mlp]))
def test_the_centre_equals_the_evaluation_bit_for_bit(seed, net):
    model, data, directions = problem(seed, net)
    known = last(scan(model, data, points(), directions, chunk=len(data)))
    expected = evaluate(model, data, batch_size=len(data))
    assert (known.loss[0], known.accuracy[0]) == (expected.loss, expected.accuracy)
    in_chunks = last(scan(model, data, points(), directions, chunk=7))  # sums in another order
    assert in_chunks.loss[0] == pytest.approx(evaluate(model, data, batch_size=7).loss, rel=1e-14)
    assert in_chunks.accuracy[0] == expected.accuracy


@given(seeds, st.integers(1, 30))
def test_errors_are_those_of_the_samples_and_of_their_differences(seed, chunk):
    model, data, directions = problem(seed)
    known = last(scan(model, data, points(seed=seed), directions, chunk=chunk))
    x, labels = next(batches(data, len(data), seed=0, epoch=0, shuffle=False))
    with minidl.no_grad():
        losses = np.stack(
            [sample_losses(moved(model, directions, p)(minidl.Tensor(x)).numpy(), labels) for p in points(seed=seed)]
        )  # (K, N)
    n = len(data)
    np.testing.assert_allclose(known.loss, losses.mean(axis=1), rtol=1e-5)  # float32 matmuls of other batch sizes
    np.testing.assert_allclose(known.std_error, losses.std(axis=1) / np.sqrt(n), rtol=1e-4, atol=1e-6)
    away = (losses - losses[0]).std(axis=1) / np.sqrt(n)
    np.testing.assert_allclose(known.difference_error, away, rtol=1e-4, atol=1e-6)
    assert known.difference_error[0] == 0 and (known.count == n).all() and known.done == 1


def test_there_is_a_whole_picture_after_the_first_chunk_and_it_sharpens():
    model, data, directions = problem(count=40)
    pictures = list(scan(model, data, points(), directions, chunk=10))
    assert [int(p.count.min()) for p in pictures] == [10, 20, 30, 40, 40]
    np.testing.assert_allclose([p.done for p in pictures], [0.25, 0.5, 0.75, 1, 1])
    partial = last(scan(model, data.subset(20), points(), directions, chunk=10))
    np.testing.assert_array_equal(pictures[1].loss, partial.loss)


def test_what_no_image_has_reached_yet_is_not_a_number():
    model, data, directions = problem()
    first = next(scan(model, data, points(TILE + 3), directions, chunk=10))
    assert np.isfinite(first.loss[:TILE]).all() and np.isnan(first.loss[TILE:]).all()


def test_losses_that_are_not_numbers_stay_so_and_leave_others_alone():
    model, data, directions = problem(net=mlp)
    where = points()
    good = last(scan(model, data, where, directions))
    where[3] = 1e38, 1e38  # overflows to infinity, and infinity minus infinity
    known = last(scan(model, data, where, directions, chunk=5))
    assert np.isnan(known.loss[3]) and np.isnan(known.std_error[3])
    others = np.arange(len(where)) != 3
    np.testing.assert_allclose(known.loss[others], good.loss[others], rtol=1e-5)


def test_points_that_come_twice_are_measured_once():
    model, data, directions = problem()
    twice = np.concatenate([points(), points()])
    known = last(scan(model, data, twice, directions, chunk=10))
    np.testing.assert_array_equal(known.loss[:7], known.loss[7:])
    assert (known.count == len(data)).all()


# -- the cap ---------------------------------------------------------------------------------------------------


def test_a_point_surely_above_the_cap_is_left_with_what_is_known():
    model, data, directions = problem(count=60)
    far = points() * 30
    full = last(scan(model, data, far, directions, chunk=10))
    cap = 5.0  # the centre is at 2, the other points in the thousands
    capped = last(scan(model, data, far, directions, chunk=10, cap=cap))
    below = full.loss <= cap
    assert below.any() and not below.all()
    np.testing.assert_array_equal(capped.loss[below], full.loss[below])
    assert (capped.count[below] == 60).all() and (capped.count < 60).any()
    stopped = capped.count < 60
    assert (capped.loss[stopped] - 3 * capped.std_error[stopped] > cap).all()
    assert last(scan(model, data, far, directions, chunk=10, cap=1e9)).count.min() == 60


# -- interruption ----------------------------------------------------------------------------------------------


@given(seeds, st.integers(1, 12), st.sampled_from([None, 1.2]))
def test_a_scan_stopped_anywhere_goes_on_to_the_same_bits(tmp_path_factory, seed, stop, cap):
    model, data, directions = problem(seed, mlp)
    file = tmp_path_factory.mktemp("scan") / "scan.npz"
    where = points(2 * TILE + 5, seed=seed)
    how = {"chunk": 8, "cap": cap}
    whole = last(scan(model, data, where, directions, **how))
    interrupted = scan(model, data, where, directions, file=file, **how)
    for _ in range(stop):
        next(interrupted, None)
    interrupted.close()  # as an exception, Ctrl-C or `break` would
    assert_same_bits(last(scan(model, data, where, directions, file=file, **how)), whole)


def test_a_killed_scan_loses_what_was_not_saved_and_nothing_else(tmp_path, monkeypatch):
    module = importlib.import_module("algorithms.landscape.scan")  # the package's `scan` is the function
    monkeypatch.setattr(module, "SAVE_EVERY", 0.0)
    model, data, directions = problem()
    where = points(TILE + 5)
    running = scan(model, data, where, directions, chunk=8, file=tmp_path / "a.npz")
    for _ in range(3):
        next(running)
    (tmp_path / "killed.npz").write_bytes((tmp_path / "a.npz").read_bytes())  # what a kill -9 would leave
    resumed = scan(model, data, where, directions, chunk=8, file=tmp_path / "killed.npz")
    assert next(resumed).count.sum() > 8 * TILE
    assert_same_bits(last(resumed), last(scan(model, data, where, directions, chunk=8)))


def test_nothing_is_measured_again(tmp_path, monkeypatch):
    model, data, directions = problem()
    file = tmp_path / "scan.npz"
    whole = last(scan(model, data, points(), directions, chunk=8, file=file))
    monkeypatch.setattr("algorithms.landscape.slice.Slice.measure", None)
    assert_same_bits(last(scan(model, data, points(), directions, chunk=8, file=file)), whole)


@pytest.fixture
def evaluated(monkeypatch):
    """Collect the points that are evaluated on a chunk, with the number of images."""
    seen, measure = [], Slice.measure

    def measuring(self, points, x, labels):
        seen.extend((*point, len(labels)) for point in points)
        return measure(self, points, x, labels)

    monkeypatch.setattr(Slice, "measure", measuring)
    return seen


@pytest.mark.parametrize("fast", [False, True])
def test_grid_range_and_images_can_be_extended_and_nothing_is_measured_again(tmp_path, evaluated, fast):
    model, data, directions = problem(count=32)
    how = {"chunk": 8, "fast": fast}
    steps = [(5, 1.0, 16), (9, 1.0, 16), (9, 2.0, 16), (9, 2.0, 32)]  # then a finer grid, a wider range, more images
    known = set()
    for count, end, images_seen in steps:
        axis = np.linspace(-end, end, count)
        evaluated.clear()
        found = plane(model, data.subset(images_seen), *directions, axis, axis, file=tmp_path / "scan.npz", **how)
        nodes = {(x, y, chunk) for x in axis for y in axis for chunk in range(images_seen // 8)}
        assert len(evaluated) == len(nodes - known)
        known |= nodes
        assert_same_bits(found, plane(model, data.subset(images_seen), *directions, axis, axis, **how))


def test_refinement_too_can_be_extended(tmp_path, evaluated):
    model, data, directions = problem(net=mlp)
    file, axis = tmp_path / "scan.npz", np.linspace(-1, 1, 25)
    refined_plane(model, data, *directions, axis, axis, tolerance=0.1, file=file)
    coarse = len(evaluated)
    finer = refined_plane(model, data, *directions, axis, axis, tolerance=0.01, file=file)
    assert len(evaluated) == finer.measured.sum() > coarse
    plane(model, data, *directions, axis, axis, file=file)
    assert len(evaluated) == 625


def test_a_file_of_something_else_is_refused_and_kept(tmp_path):
    model, data, directions = problem()
    file = tmp_path / "scan.npz"
    last(scan(model, data, points(), directions, chunk=8, file=file))
    kept = file.read_bytes()
    other = convnet(1)
    for change in (
        lambda: scan(other, data, points(), directions, chunk=8, file=file),
        lambda: scan(model, data, points(), directions[::-1], chunk=8, file=file),
        lambda: scan(model, images(1), points(), directions, chunk=8, file=file),
        lambda: scan(model, data, points(), directions, chunk=9, file=file),
        lambda: scan(model, data, points(), directions, chunk=8, file=file, bn="batch"),
        lambda: scan(model, data, points(), directions, chunk=8, file=file, calibration=images(2)),
    ):
        with pytest.raises(ValueError, match="is of a scan with another"):
            change()
        assert file.read_bytes() == kept
    file.write_bytes(kept[:-100])
    with pytest.raises(CheckpointError, match="truncated or damaged"):
        scan(model, data, points(), directions, chunk=8, file=file)
    minidl.save(file, model)
    with pytest.raises(ValueError, match="holds no scan"):
        scan(model, data, points(), directions, chunk=8, file=file)


# -- workers ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bn", MODES)
@pytest.mark.parametrize("fast", [False, True])
def test_threads_as_workers_give_the_same_bits(bn, fast):
    model, data, directions = problem()
    where, how = points(2 * TILE + 5), {"chunk": 10, "bn": bn, "fast": fast}
    with ThreadPoolExecutor(3) as pool:
        shared = last(scan(model, data, where, directions, executor=pool, **how))
    assert_same_bits(shared, last(scan(model, data, where, directions, **how)))


def test_two_processes_give_the_same_bits_and_a_killed_one_loses_nothing(tmp_path):
    model, data, directions = problem()
    where = points(TILE + 5)
    whole = last(scan(model, data, where, directions, chunk=10))
    file = tmp_path / "scan.npz"
    with workers(2) as pool:
        assert_same_bits(last(scan(model, data, where, directions, chunk=10, executor=pool)), whole)
        running = scan(model, data, where, directions, chunk=10, executor=pool, file=file)
        next(running)
        for process in list(pool._processes.values()):
            process.kill()
        with pytest.raises(RuntimeError, match=r"a worker was killed .* run it again to go on from .*scan\.npz"):
            last(running)
    assert_same_bits(last(scan(model, data, where, directions, chunk=10, file=file)), whole)


class Somebody(Executor):
    """The least that an executor may be."""

    def submit(self, fn, /, *args, **kwargs):
        future = Future()
        future.set_result(fn(*args, **kwargs))
        return future


def test_any_executor_does():
    model, data, directions = problem()
    shared = last(scan(model, data, points(), directions, executor=Somebody()))
    assert_same_bits(shared, last(scan(model, data, points(), directions)))
    with pytest.raises(ValueError, match="workers got 0"):
        workers(0)


def test_a_real_dask_cluster_gives_the_same_bits(tmp_path):
    """Two worker processes behind a scheduler on loopback, each task through its sockets; needs `distributed`."""
    distributed = pytest.importorskip("distributed", reason="Dask is not installed: pip install minidl[distributed]")
    model, data, directions = problem()
    where, file = points(2 * TILE + 5), tmp_path / "scan.npz"
    quiet = {"host": "127.0.0.1", "dashboard_address": None, "local_directory": str(tmp_path)}
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=True, **quiet) as cluster,
        distributed.Client(cluster) as client,
    ):
        pool = client.get_executor()
        assert client.submit(os.getpid).result() != os.getpid()
        running = scan(model, data, where, directions, chunk=10, executor=pool, file=file)
        next(running)
        running.close()
        shared = last(scan(model, data, where, directions, chunk=10, executor=pool, file=file))
        pool.shutdown()
    assert_same_bits(shared, last(scan(model, data, where, directions, chunk=10)))


def test_any_number_of_threads_in_the_kernels_gives_the_same_bits():
    model, data, directions = problem()
    former = minidl.get_num_threads()
    results = []
    try:
        for threads in (1, 2):
            minidl.set_num_threads(threads)
            results.append(last(scan(model, data, points(), directions)))
    finally:
        minidl.set_num_threads(former)
    assert_same_bits(*results)


def test_mistakes_are_named():
    model, data, directions = problem()
    for wrong in (np.zeros((3, 1)), np.zeros(3), np.zeros((0, 2))):
        with pytest.raises(ValueError, match=r"expected \(K, 2\): one column a direction"):
            scan(model, data, wrong, directions)


@given(seeds)
def test_float64_networks_are_evaluated_in_float64(seed):
    model = in_float64(linear(seed))
    direction = random_direction(model, seed)
    known = last(scan(model, images(seed), np.array([[0.0], [1e-12]]), [direction]))
    assert known.loss[0] != known.loss[1]  # float32 could not tell them apart
