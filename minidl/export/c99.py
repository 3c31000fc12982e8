"""`c99`: a network as a C program that needs nothing but a compiler: no library, no allocation, no state of its own.

Weights are constants, which a microcontroller keeps in flash; values share one block of memory that the caller owns.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from minidl.checkpoint import StrPath, replacing
from minidl.export.c_program import FLOAT, Program, program
from minidl.export.c_text import array_lines
from minidl.export.reading import Exported, checked
from minidl.graph import Cost, Graph, cost, fold_batch_norm, fuse, run
from minidl.graph.show import shape_text
from minidl.types import Array

MARK = "/* A network, written by minidl"  # how network.h begins, and nobody else's file
COMPILE = "cc -std=c99 -O3"
READY_MADE = Path(__file__).parent / "c"


def c99(graph: Graph, folder: StrPath, seed: int = 0) -> Exported:
    """Write the network as C99 source files into a folder.

    They are ``network.h`` (how to call it, how much memory it needs), ``network.c`` (a line for each layer),
    ``weights.h``, ``layers.h``, and to try it ``example.h`` (a random input and the network's output) and ``main.c``,
    which is yours: where there is one already it stays as it is.

    Parameters
    ----------
    graph : of 32-bit floats, whose values have at most 3 axes a sample
    seed : of the example's input

    Raises
    ------
    ValueError
        Naming what cannot be said in C; nothing is written then.

    Examples
    --------
    >>> import tempfile
    >>> from minidl import export, graph, nn
    >>> g = graph.trace(nn.models.lenet5(rng=0), input_shape=(28, 28, 1))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     done = export.c99(g, folder)
    ...     done.files[0].name, done.weight_bytes, done.memory_bytes
    ('network.h', 250960, 23552)
    """
    code, counted = program(fuse(fold_batch_norm(graph))), cost(graph)
    x = np.random.default_rng(seed).standard_normal((1, *graph.input.shape), np.float32)
    example = {"example_input": x, "example_output": checked("the output for a random input", run(graph, x))}
    texts: dict[str, Iterable[str]] = {
        "network.h": [_header(graph, code, counted)],
        "network.c": _source(code),
        "weights.h": _arrays("weights", code.statics.arrays),
        "example.h": _arrays("example", example),
        "layers.h": [(READY_MADE / "layers.h").read_text(encoding="utf-8")],
        "main.c": [(READY_MADE / "main.c").read_text(encoding="utf-8")],
    }
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name, lines in texts.items():
        if name != "main.c" or not (folder / name).exists():
            with replacing(folder / name) as file:
                file.writelines(line.encode() for line in lines)
    files = tuple(folder / name for name in texts)
    return Exported(files, code.statics.nbytes, counted.macs_with_projections, FLOAT * code.memory)


def is_ours(folder: Path) -> bool:
    """Whether `c99` wrote what is in a folder."""
    header = folder / "network.h"
    return header.is_file() and header.read_bytes().startswith(MARK.encode())


def _header(graph: Graph, code: Program, counted: Cost) -> str:
    x, y = graph.input.shape, graph.output.shape
    return f"""{MARK}: {shape_text(x)} to {shape_text(y) or 1}, 32-bit floats, channels last.
 *
 *     static float y[NETWORK_OUTPUTS], memory[NETWORK_MEMORY];
 *     network(x, y, memory);
 *
 * Compile network.c together with your program, or with main.c to try it:
 *
 *     {COMPILE} network.c main.c -lm -o network && ./network
 *
 * It does {counted.macs_with_projections:,} multiply-accumulates, and reads {code.statics.nbytes:,} bytes of constants;
 * its memory is {FLOAT * code.memory:,} bytes, beside x and y.
 */
#ifndef NETWORK_H
#define NETWORK_H

#define NETWORK_INPUTS {math.prod(x)} /* floats */
#define NETWORK_OUTPUTS {math.prod(y)} /* floats */
#define NETWORK_MEMORY {code.memory} /* floats */

/* y = what the network makes of x; the memory is for values in between, and nothing in it needs to be kept. */
void network(const float *x, float *y, float *memory);

#endif
"""


def _source(code: Program) -> Iterator[str]:
    yield '#include "network.h"\n\n#include "layers.h"\n#include "weights.h"\n\n'
    for name, (kind, initializer) in code.statics.records.items():
        yield f"static const {kind} {name} = {initializer};\n\n"
    yield "void network(const float *x, float *y, float *memory) {\n"
    if not code.memory:
        yield "    (void)memory;\n"
    yield from (f"    {line}\n" for line in code.lines)
    yield "}\n"


def _arrays(name: str, arrays: dict[str, Array]) -> Iterator[str]:
    guard = f"{name.upper()}_H"
    yield f"#ifndef {guard}\n#define {guard}\n"
    for key, array in arrays.items():
        yield "\n"
        yield from array_lines(key, array)
    yield "\n#endif\n"
