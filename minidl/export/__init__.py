"""Networks for other machines: `c99` writes a program that needs a C compiler alone, `onnx` a file for runtimes."""

from minidl.export.c99 import c99
from minidl.export.onnx import onnx
from minidl.export.reading import Exported

__all__ = ["Exported", "c99", "onnx"]
