"""Running networks fast, and measuring how fast."""

from minidl.runtime.timing import Timing, interleaved

__all__ = ["Timing", "interleaved"]
