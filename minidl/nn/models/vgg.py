"""Plain networks of 3x3 convolutions for small images: VGG-16, VGG-9 and VGG-BC, as the three papers define them.

All are one loop over groups of convolutions with a max-pool after each group; they differ in widths, in the hidden
linear layers, and in two details that the papers fix: whether convolutions have a bias, and where the pooling stands.
"""

from __future__ import annotations

from collections.abc import Sequence

from minidl.nn.layers import BatchNorm1d, BatchNorm2d, Conv2d, Flatten, Linear, MaxPool2d
from minidl.nn.models.chain import Chain
from minidl.nn.module import Module
from minidl.ops.conv import Pair, pair
from minidl.rng import generator
from minidl.types import Rng

Groups = Sequence[Sequence[int]]


def vgg16(
    num_classes: int = 10,
    in_channels: int = 3,
    image_size: int | Pair = 32,
    widths: Groups = ((64, 64), (128, 128), (256,) * 3, (512,) * 3, (512,) * 3),
    hidden: Sequence[int] = (512,),
    rng: Rng = None,
) -> Chain:
    """VGG-16 for 32x32 images, without dropout (Pruning Filters for Efficient ConvNets, Table 2).

    Parameters
    ----------
    image_size : int or (height, width), in pixels, at least 32: it is halved five times
    widths : filters of each convolution, by group; a max-pool follows each group
    hidden : outputs of the hidden linear layers

    Examples
    --------
    >>> import numpy as np
    >>> net = vgg16(widths=((8, 8), (16, 16)), hidden=(32,), in_channels=1, image_size=28, rng=0)
    >>> net(np.zeros((2, 28, 28, 1), np.float32)).shape
    (2, 10)
    """
    return _vgg(widths, hidden, num_classes, in_channels, image_size, rng)


def vgg9(
    num_classes: int = 10,
    in_channels: int = 3,
    image_size: int | Pair = 32,
    widths: Groups = ((64, 64), (128, 128), (256,) * 3),
    hidden: Sequence[int] = (256,),
    rng: Rng = None,
) -> Chain:
    """VGG-9, whose convolutions have a bias although batch norm follows (Visualizing the Loss Landscape); see `vgg16`.

    Examples
    --------
    >>> vgg9(rng=0).num_parameters()
    2789706
    """
    return _vgg(widths, hidden, num_classes, in_channels, image_size, rng, conv_bias=True)


def vgg_bc(
    num_classes: int = 10,
    in_channels: int = 3,
    image_size: int | Pair = 32,
    widths: Groups = ((128, 128), (256, 256), (512, 512)),
    hidden: Sequence[int] = (1024, 1024),
    rng: Rng = None,
) -> Chain:
    """BinaryConnect's network, which pools before batch norm and ReLU (Training Quantized Nets, 5.2); see `vgg16`.

    Examples
    --------
    >>> net = vgg_bc(widths=((4, 4),), hidden=(8,), rng=0)
    >>> list(net.layers)[:5]
    ['conv1', 'bn1', 'conv2', 'pool1', 'bn2']
    """
    return _vgg(widths, hidden, num_classes, in_channels, image_size, rng, pool_first=True)


def _vgg(
    widths: Groups,
    hidden: Sequence[int],
    num_classes: int,
    in_channels: int,
    image_size: int | Pair,
    rng: Rng,
    conv_bias: bool = False,
    pool_first: bool = False,
) -> Chain:
    rng = generator(rng)
    height, width = _pooled(image_size, len(widths))
    layers: dict[str, Module] = {}
    channels, index = in_channels, 0  # index counts the layers with weights, as the papers do
    for group, filters in enumerate(widths, start=1):
        pool = {f"pool{group}": MaxPool2d(2)}
        for position, out_channels in enumerate(filters, start=1):
            index += 1
            layers[f"conv{index}"] = Conv2d(channels, out_channels, 3, padding=1, bias=conv_bias, rng=rng)
            if pool_first and position == len(filters):
                layers |= pool
            layers[f"bn{index}"] = BatchNorm2d(out_channels, relu=True)
            channels = out_channels
        layers |= pool  # a name that is there already keeps its place
    layers["flatten"] = Flatten()
    features = height * width * channels
    for position, out_features in enumerate(hidden, start=1):
        index += 1
        layers[f"linear{position}"] = Linear(features, out_features, rng=rng)
        layers[f"bn{index}"] = BatchNorm1d(out_features, relu=True)
        features = out_features
    layers[f"linear{len(hidden) + 1}"] = Linear(features, num_classes, rng=rng)
    return Chain(layers)


def _pooled(image_size: int | Pair, times: int) -> Pair:
    """How large the image is after it was halved `times` times."""
    height, width = (n // 2**times for n in pair(image_size))
    if min(height, width) < 1:
        raise ValueError(
            f"found images of size {image_size}, expected at least {2**times} for {times} poolings by two: "
            "enlarge the images, or take a network with fewer groups such as vgg9"
        )
    return height, width
