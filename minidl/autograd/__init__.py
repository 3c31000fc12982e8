"""Reverse-mode differentiation of any order: `function` records, `engine` walks back, `grad` uses, `check` verifies."""

from minidl.autograd.check import GradcheckError, gradcheck
from minidl.autograd.function import Function, grad_mode, is_grad_enabled, no_grad, recording
from minidl.autograd.grad import backward, grad, hvp

__all__ = [
    "Function", "GradcheckError", "backward", "grad", "grad_mode", "gradcheck", "hvp", "is_grad_enabled", "no_grad",
    "recording",
]  # fmt: skip
