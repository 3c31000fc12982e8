"""What the benchmark measures: rows, each a few tasks that are timed in turn, one or more frameworks at each.

Nothing runs here. `must` and `aim` are what we set out to reach, written down before the measurement.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache

from algorithms.pruning import PRESETS
from minidl.graph import Cost, cost, trace
from minidl.nn import models

EAGER = ("PyTorch contiguous", "PyTorch channels-last")
TORCH = (*EAGER, "torch.compile")
NETWORKS = {  # name -> its presets: pruned to odd widths and timed beside the whole network
    "vgg16": ("vgg16-A",),
    "resnet20": (),
    "resnet56": ("resnet56-A", "resnet56-B"),
    "resnet8": ("resnet8-A",),
}
COMPILED = ("vgg16", "resnet20", "resnet8")  # torch.compile takes minutes for resnet56, whose blocks are resnet20's,
# and up to one for each of these: so it takes part with the most threads only

LAYERS = {  # name -> inputs, filters, size, kernel, stride, groups
    "16→16 @ 32×32": (16, 16, 32, 3, 1, 1),
    "32→32 @ 16×16": (32, 32, 16, 3, 1, 1),
    "64→64 @ 8×8": (64, 64, 8, 3, 1, 1),
    "64→64 @ 32×32": (64, 64, 32, 3, 1, 1),
    "128→128 @ 16×16": (128, 128, 16, 3, 1, 1),
    "256→256 @ 8×8": (256, 256, 8, 3, 1, 1),
    "512→512 @ 4×4": (512, 512, 4, 3, 1, 1),
    "512→512 @ 2×2": (512, 512, 2, 3, 1, 1),
    "27→27 @ 28×28": (27, 27, 28, 3, 1, 1),
    "3→64 @ 32×32": (3, 64, 32, 3, 1, 1),
    "16→32 @ 32×32, stride 2": (16, 32, 32, 3, 2, 1),
    "64→128 @ 16×16, 1×1": (64, 128, 16, 1, 1, 1),
    "64 @ 32×32, depthwise": (64, 64, 32, 3, 1, 64),
}
PARTS = ("forward", "input gradient", "weight gradient")
NORMS = {"16 @ 32×32": (16, 32), "64 @ 8×8": (64, 8), "64 @ 32×32": (64, 32)}  # channels, size
AVX2_LAYERS = ("16→16 @ 32×32", "64→64 @ 32×32", "256→256 @ 8×8", "27→27 @ 28×28")
AVX2 = {  # everybody held to AVX2; ONNX Runtime offers no such switch
    "NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": "", "OPENBLAS_CORETYPE": "Haswell",
    "ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2", "MKL_ENABLE_INSTRUCTIONS": "AVX2",
}  # fmt: skip
KEEP = {  # glibc told to keep freed memory for the next array, as minidl tells it: more than PyTorch does by itself
    "MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(1 << 40),
}  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One line of the results, or a few that are timed in turn: task -> its description."""

    group: str
    work: str
    threads: int
    tasks: dict[str, dict]
    who: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)
    busy: bool = False  # beside another process that never rests

    @property
    def key(self) -> str:
        batch = next(iter(self.tasks.values())).get("batch", 1)
        return f"{self.group}: {self.work} ({', '.join(self.tasks)}), batch {batch}, {self.threads} threads"


def rows(threads: list[int], compiled: bool, quick: bool) -> Iterator[Row]:
    """All of them, what matters most first."""
    for n in threads:
        yield from limits(n, {})
    for n in threads:
        for name in NETWORKS:
            for work, batch in (("training step", 128), ("inference", 128), ("inference", 1)):
                yield network(name, work, batch, n, compiled and n == max(threads))
    for n in threads:
        yield from (layer(name, n) for name in LAYERS if not quick or name in AVX2_LAYERS)
        yield from (norm(name, n) for name in NORMS if not quick)
    most = max(threads)
    yield network("resnet20", "training step", 128, most, False, group="busy", busy=True)
    for name in () if quick else ("vgg16", "resnet20"):
        yield network(name, "training step", 128, most, False, group="kept memory", environment=KEEP)
    for batch in () if quick else (16, 32, 64, 128, 256):
        for work in ("training step", "inference"):
            yield network("resnet20", work, batch, most, False, group="batch")
    for n in () if quick else threads:
        yield from limits(n, AVX2)
        for work in ("training step", "inference"):
            yield network("resnet20", work, 128, n, False, group="avx2", who=EAGER, environment=AVX2)
    yield from () if quick else (layer(name, min(threads), "avx2 layers", AVX2) for name in AVX2_LAYERS)


def network(name: str, work: str, batch: int, threads: int, compiled: bool, group: str = "networks", **more) -> Row:
    """A network's training step or inference, whole and, in the main rows, as each of its presets prunes it."""
    presets = (None, *NETWORKS[name]) if group == "networks" else (None,)
    tasks = {preset or name: describe(name, preset, work, batch, threads) for preset in presets}
    peers = TORCH if compiled and name in COMPILED else EAGER
    who = more.pop("who", peers if work == "training step" else (*peers, "ONNX Runtime"))
    return Row(group, work, threads, tasks, ("minidl", *who), **more)


def describe(name: str, preset: str | None, work: str, batch: int, threads: int) -> dict:
    """With the widths of the network's convolutions, so that the peers build the same, and its multiply-adds."""
    counted = costs(name, preset)
    widths = [row.map[-1] for row in counted.rows if row.kind.startswith("conv")]
    return {
        "work": work, "network": name, "preset": preset, "shape": shape_of(name), "batch": batch, "threads": threads,
        "widths": widths, "macs": counted.macs * batch,
    }  # fmt: skip


def shape_of(name: str) -> tuple[int, int, int]:
    """The tour's network sees the tour's images."""
    return (28, 28, 1) if name == "resnet8" else (32, 32, 3)


@cache
def costs(name: str, preset: str | None) -> Cost:
    model, shape = models.build(name, input_shape=shape_of(name), rng=0), shape_of(name)
    return PRESETS[preset].plan(model, shape).after if preset else cost(trace(model, shape))


def layer(name: str, threads: int, group: str = "layers", environment: dict[str, str] | None = None) -> Row:
    """One convolution of 128 images, its three parts in turn."""
    inputs, filters, size, kernel, stride, groups = LAYERS[name]
    spec = {
        "work": "convolution", "batch": 128, "threads": threads, "inputs": inputs, "filters": filters, "size": size,
        "kernel": kernel, "stride": stride, "groups": groups,
    }  # fmt: skip
    out, weights = size // stride, filters * kernel**2 * inputs // groups
    spec["macs"] = 128 * out**2 * weights
    spec["bytes"] = 4 * (128 * (size**2 * inputs + out**2 * filters) + weights)  # each read or written once
    return Row(
        group, name, threads, {part: spec | {"part": part} for part in PARTS}, ("minidl", *EAGER), environment or {}
    )


def norm(name: str, threads: int) -> Row:
    """Training-mode batch norm of 128 images, alone and with the ReLU after it, both ways."""
    inputs, size = NORMS[name]
    spec = {"work": "batch norm", "batch": 128, "threads": threads, "inputs": inputs, "size": size}
    tasks = {
        part + with_relu: spec | {"part": part, "relu": bool(with_relu)}
        for with_relu in ("", ", with ReLU")
        for part in ("forward", "backward")
    }
    return Row("batch norm", name, threads, tasks, ("minidl", *EAGER))


def limits(threads: int, environment: dict[str, str]) -> Iterator[Row]:
    """What the machine can do: a large matrix product, a copy far beyond the caches; the faster library counts."""
    sizes = {"sgemm": 2048, "copy": 1 << 25}
    group = "avx2 limits" if environment else "limits"
    for work, size in sizes.items():
        spec = {"work": work, "size": size, "threads": threads}
        yield Row(group, work, threads, {work: spec}, ("minidl", "PyTorch contiguous"), environment)
