"""Speed and memory of few bits as ratios of one run: rounding beside a bare conversion, steps of rules beside float.

A bare conversion of many numbers waits for the memory, and rounding hides some of its arithmetic behind the same wait;
of few numbers, which the caches hold, it does not wait, and the arithmetic of rounding (a random word for every two
numbers, a product, both ends, the carry) is several times that of a conversion.  So the ratio grows with the size.

Run as ``python tests/bench/few_bits.py --out FILE.json``; best and median of interleaved repeats.
"""

from __future__ import annotations

import argparse
import json
import platform
from collections.abc import Callable
from pathlib import Path

import numpy as np

import minidl
from algorithms.quantization import Binary, FixedPoint, make_rule, measure_memory
from minidl import nn, ops, optim
from minidl.kernels.jit import jit
from minidl.kernels.parallel import parallel_for
from minidl.kernels.random import philox_key, stream_key
from minidl.kernels.rounding import GRAIN, encode_stochastic, update_bits, update_codes
from minidl.runtime import interleaved

Calls = dict[str, Callable[[], object]]


@jit
def bare(start, stop, x, codes):
    """A float -> int8 conversion and nothing else, over the same ranges."""
    x, codes = x[start:stop], codes[start:stop]
    for i in range(len(x)):
        codes[i] = np.int32(x[i])


def roundings(n: int) -> Calls:
    rng = np.random.default_rng(0)
    x = (30 * rng.standard_normal(n)).astype(np.float32)
    codes, packed, key = np.zeros(n, np.int8), np.zeros(-(-n // 8), np.uint8), stream_key(0, "bench", 0)
    philox = philox_key(0, "bench", 0)

    def idiom() -> None:  # what a user of NumPy would write
        floor = np.floor(x)
        codes[:] = np.clip(floor + (rng.random(n, dtype=np.float32) < x - floor), -128, 127)

    return {
        "bare conversion": lambda: parallel_for(bare, n, GRAIN, x, codes),
        "NumPy astype": lambda: x.astype(np.int8),
        "NumPy idiom": idiom,
        "stochastic": lambda: encode_stochastic(x, codes, 1, 0, -128, 127, key),
        "stochastic, Philox": lambda: encode_stochastic(x, codes, 1, 0, -128, 127, philox),
        "update int8": lambda: update_codes(codes, x, 0.01, -128, 127, key),
        "update bits": lambda: update_bits(packed, x, 0.01, key),
    }


def steps(batch: int) -> Calls:
    x = minidl.Tensor(np.random.default_rng(0).standard_normal((batch, 32, 32, 3)).astype(np.float32))
    labels = np.arange(batch) % 10

    def step(rule: str, bits: int = 1) -> Callable[[], None]:
        model = nn.models.resnet(20, rng=0)
        sgd = optim.SGD(model.named_parameters(), lr=0.01, momentum=0.9, nesterov=True)
        moved = make_rule(rule, sgd, Binary() if bits == 1 else FixedPoint(bits, bits - 1))

        def run() -> None:
            model.zero_grad()
            ops.cross_entropy(model(x), labels).backward()
            moved.step()

        return run

    return {rule: step(rule) for rule in ("float", "r", "sr", "bc", "bop")} | {"sr, 8 bits": step("sr", 8)}


def measured(calls: Calls, reference: str, repeats: int) -> dict:
    """Times, and each one's speed as a share of the reference's."""
    times = interleaved(calls, repeats=repeats)
    best = times[reference].minimum
    return {
        name: {"best_ms": 1e3 * t.minimum, "median_ms": 1e3 * t.median, "speed": best / t.minimum}
        for name, t in times.items()
    }


def memory() -> dict:
    """Bytes of a resnet20's convolutions as floats and as codes."""
    found = {}
    for bits in (1, 8):
        model = nn.models.resnet(20, rng=0)
        format = Binary() if bits == 1 else FixedPoint(bits, bits - 1)
        rule = make_rule("sr", optim.SGD(model.named_parameters(), lr=0.01), format)
        report = measure_memory(model, rule)
        found[f"{bits} bits"] = {"bytes": report.quantized, "as_floats": report.as_floats}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", nargs="+", type=int, default=[1 << 14, 1 << 16, 1 << 20, 1 << 25])
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--repeats", type=int, default=11)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    result: dict = {"machine": platform.processor() or platform.machine(), "memory": memory(), "threads": {}}
    for threads in args.threads:
        minidl.set_num_threads(threads)
        rounded = {n: measured(roundings(n), "bare conversion", args.repeats) for n in args.sizes}
        stepped = measured(steps(args.batch_size), "float", args.repeats)
        result["threads"][threads] = {"rounding": rounded, "step": stepped}
        for n, rows in rounded.items():
            line = ", ".join(f"{name} {n / row['best_ms'] / 1e6:.2f}" for name, row in rows.items())
            print(f"{threads} threads, {n} elements, G/s: {line}")
        print(f"{threads} threads, step ms: " + ", ".join(f"{k} {row['median_ms']:.1f}" for k, row in stepped.items()))
    args.out.write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
