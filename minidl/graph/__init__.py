"""What a network computes, as data: `trace` makes a `Graph`, and whatever must know the structure reads it."""

from minidl.graph.cost import Cost, Row, cost
from minidl.graph.fold import fold_batch_norm
from minidl.graph.fuse import fuse
from minidl.graph.graph import SOURCES, Graph, Node
from minidl.graph.run import run
from minidl.graph.show import dot, table
from minidl.graph.trace import TraceError, trace

__all__ = [
    "SOURCES", "Cost", "Graph", "Node", "Row", "TraceError", "cost", "dot", "fold_batch_norm", "fuse", "run", "table",
    "trace",
]  # fmt: skip
