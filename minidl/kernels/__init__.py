"""Leaf loops on plain arrays: each kernel is a readable NumPy twin and a compiled version of the same signature.

Nothing here knows about tensors, gradients' bookkeeping or modules, and importing this package compiles nothing.
"""
