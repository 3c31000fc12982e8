"""`onnx`: a network as an ONNX file, for ONNX Runtime and whatever else reads that format.

The input is as in minidl, (N, H, W, C) with any N; the package `onnx` is needed to write it, and to write it only.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from minidl.checkpoint import StrPath, replacing
from minidl.export.onnx_rules import RULES
from minidl.export.onnx_step import Step, Writer
from minidl.export.reading import Exported, check_operations
from minidl.graph import Graph, cost, fold_batch_norm
from minidl.types import Shape

OPSET, IR = 13, 7  # of ONNX 1.8, of 2020
PRODUCER = "minidl"


def onnx(graph: Graph, path: StrPath) -> Exported:
    """Write the network as an ONNX model with the input "x", (N, *input shape), and the output "y", of 32-bit floats.

    Batch norm is folded into the weights where it can be.

    Raises
    ------
    ValueError
        Naming what cannot be said in ONNX; nothing is written then.
    ImportError
        If the package `onnx` is missing.

    Examples
    --------
    >>> import tempfile
    >>> from minidl import export, graph, nn
    >>> g = graph.trace(nn.models.lenet5(rng=0), input_shape=(28, 28, 1))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     export.onnx(g, folder + "/lenet5.onnx").weight_bytes
    246840
    """
    try:
        from onnx import checker
    except ImportError:
        raise ImportError("export.onnx needs the package onnx: install it with `pip install 'minidl[onnx]'`") from None
    check_operations(graph, RULES, ", ".join(RULES))
    writer, counted = Writer(), cost(graph)
    y = _write(fold_batch_norm(graph), writer)
    model = _model(writer, y, graph.input.shape, graph.output.shape)
    checker.check_model(model, full_check=True)
    with replacing(path) as file:
        file.write(model.SerializeToString())
    weights = sum(array.nbytes for array in writer.arrays.values())
    return Exported((Path(path),), weights, counted.macs_with_projections)


def is_ours(path: Path) -> bool:
    """Whether `onnx` wrote a file: one of ONNX begins with its version and its producer."""
    with path.open("rb") as file:
        return f"\x12{chr(len(PRODUCER))}{PRODUCER}".encode() in file.read(20)


def _write(graph: Graph, writer: Writer) -> str:
    """Write every node, and return the name of the output."""
    names = {graph.input.index: writer.channels_first("x", graph.input.shape)}
    for node in graph:
        if node.batched and node.op != "input":
            read = tuple(names.get(i, "") for i in node.inputs)
            names[node.index] = RULES[node.op](Step(node, graph.inputs(node), read, writer))
    return writer.channels_last(names[graph.output.index], graph.output.shape)


def _model(writer: Writer, y: str, x_shape: Shape, y_shape: Shape) -> Any:
    from onnx import TensorProto, helper, numpy_helper

    nodes = [
        helper.make_node(operation, inputs, [output], name=output, **attributes)
        for operation, inputs, output, attributes in writer.nodes
    ]
    nodes.append(helper.make_node("Identity", [y], ["y"]))
    x, y_info = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", *shape])
        for name, shape in (("x", x_shape), ("y", y_shape))
    )
    arrays = [numpy_helper.from_array(array, name) for name, array in writer.arrays.items()]
    network = helper.make_graph(nodes, "network", [x], [y_info], arrays)
    opsets = [helper.make_opsetid("", OPSET)]
    return helper.make_model(network, producer_name=PRODUCER, ir_version=IR, opset_imports=opsets)
