"""LeNet-5 (LeCun et al. 1998) as it is used today: ReLU and max-pooling; the smallest network here worth training."""

from __future__ import annotations

from collections.abc import Sequence

from minidl.nn.layers import Conv2d, Flatten, Linear, MaxPool2d, ReLU
from minidl.nn.models.chain import Chain
from minidl.nn.module import Module
from minidl.ops.conv import Pair, pair
from minidl.rng import generator
from minidl.types import Rng


def lenet5(
    num_classes: int = 10,
    in_channels: int = 1,
    image_size: int | Pair = 28,
    widths: Sequence[int] = (6, 16, 120, 84),
    rng: Rng = None,
) -> Chain:
    """Two 5x5 convolutions and three linear layers, for (N, 28, 28, 1) images by default.

    Parameters
    ----------
    image_size : int or (height, width), in pixels, at least 12
    widths : filters of the two convolutions, then outputs of the two hidden linear layers

    Examples
    --------
    >>> lenet5(rng=0).num_parameters()
    61706
    """
    rng = generator(rng)
    conv1, conv2, linear1, linear2 = widths
    height, width = ((n // 2 - 4) // 2 for n in pair(image_size))  # after conv1, pool1, conv2, pool2
    if min(height, width) < 1:
        raise ValueError(f"lenet5 got image_size {image_size}, expected at least 12: enlarge the images")
    layers: dict[str, Module] = {
        "conv1": Conv2d(in_channels, conv1, 5, padding=2, rng=rng),
        "relu1": ReLU(),
        "pool1": MaxPool2d(2),
        "conv2": Conv2d(conv1, conv2, 5, rng=rng),
        "relu2": ReLU(),
        "pool2": MaxPool2d(2),
        "flatten": Flatten(),
        "linear1": Linear(height * width * conv2, linear1, rng=rng),
        "relu3": ReLU(),
        "linear2": Linear(linear1, linear2, rng=rng),
        "relu4": ReLU(),
        "linear3": Linear(linear2, num_classes, rng=rng),
    }
    return Chain(layers)
