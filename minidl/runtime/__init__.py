"""Running networks fast, and measuring how fast."""

from minidl.runtime.plan import Plan, compile
from minidl.runtime.timing import Timing, interleaved

__all__ = ["Plan", "Timing", "compile", "interleaved"]
