"""Every differentiable operation, one family per file, read top to bottom: equation, forward, backward, function."""

from minidl.ops.activation import hardtanh, leaky_relu, log_softmax, relu, sigmoid, softmax, tanh
from minidl.ops.conv import conv2d
from minidl.ops.dropout import dropout
from minidl.ops.elementwise import abs, add, astype, div, exp, log, mul, neg, power, sub, where
from minidl.ops.loss import cross_entropy, mse, squared_hinge
from minidl.ops.matmul import linear, matmul
from minidl.ops.norm import batch_norm
from minidl.ops.pool import avg_pool2d, global_avg_pool2d, max_pool2d
from minidl.ops.reduce import max, mean, sum
from minidl.ops.shape import broadcast_to, concatenate, flatten, getitem, pad, reshape, sum_to, transpose

__all__ = [
    "abs", "add", "astype", "avg_pool2d", "batch_norm", "broadcast_to", "concatenate", "conv2d", "cross_entropy", "div",
    "dropout", "exp", "flatten", "getitem", "global_avg_pool2d", "hardtanh", "leaky_relu", "linear", "log",
    "log_softmax", "matmul", "max", "max_pool2d", "mean", "mse", "mul", "neg", "pad", "power", "relu", "reshape",
    "sigmoid", "softmax", "squared_hinge", "sub", "sum", "sum_to", "tanh", "transpose", "where",
]  # fmt: skip
