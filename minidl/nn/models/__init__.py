"""The networks of the three papers, and two small ones; one family per file, by name in `registry`."""

from minidl.nn.models.densenet import densenet121
from minidl.nn.models.lenet import lenet5
from minidl.nn.models.mobile import tiny_mobile
from minidl.nn.models.registry import build, default_input_shape, names
from minidl.nn.models.resnet import ResNet, Shortcut, resnet, resnet18, resnet34, wide_resnet
from minidl.nn.models.vgg import vgg9, vgg16, vgg_bc

__all__ = [
    "ResNet", "Shortcut", "build", "default_input_shape", "densenet121", "lenet5", "names", "resnet", "resnet18",
    "resnet34", "tiny_mobile", "vgg16", "vgg9", "vgg_bc", "wide_resnet",
]  # fmt: skip
