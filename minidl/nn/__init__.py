"""Networks: `Module` and its parts, layers, initial weights, and the models of the three papers."""

from minidl import ops
from minidl.nn import init, models
from minidl.nn.layers import (
    AvgPool2d,
    BatchNorm1d,
    BatchNorm2d,
    Conv2d,
    DepthwiseConv2d,
    Dropout,
    Flatten,
    GlobalAvgPool2d,
    HardTanh,
    LeakyReLU,
    Linear,
    MaxPool2d,
    ReLU,
    Sequential,
    Sigmoid,
    Tanh,
)
from minidl.nn.module import Module, Parameter, check_state

__all__ = [
    "AvgPool2d", "BatchNorm1d", "BatchNorm2d", "Conv2d", "DepthwiseConv2d", "Dropout", "Flatten", "GlobalAvgPool2d",
    "HardTanh", "LeakyReLU", "Linear", "MaxPool2d", "Module", "Parameter", "ReLU", "Sequential", "Sigmoid", "Tanh",
    "check_state", "init", "models", "ops",
]  # fmt: skip
