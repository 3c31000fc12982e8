"""How much of everything the landscape experiments do: three scales of one design.

The numbers that decide a claim (radius, span, directions) are those of the paper's pictures or chosen once for all
scales; "fast" only shows that everything runs.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """Sizes of the experiments.

    Attributes
    ----------
    dataset, images, test_images : what to train on (the first `images`), and how many to measure test error on
    small, large : batch sizes that are compared, with weight decay 0 and `decay`, over `seeds` seeds.  The paper's
        decay of 5e-4 hardly acts in so few steps: what counts is rate * decay * steps, so here it is ten times as large
    vgg_width : factor on the filters of VGG-9
    epochs, residual_epochs : of VGG-9 and of the residual networks, which have batches of `residual_batch`
    depths, width, widths : residual networks with and without shortcuts at two depths, and without at `widths` too
    line_images, line_points, directions : lines through every network, on the first images of the training set
    radii : steps in filter norms at which sharpness is read off these lines; the claim is about the last one
    raw_steps : steps of the unnormalized directions: standard deviations of what is added to every weight
    join_points : between the solutions of two batches, on [-0.5, 1.5]
    plane_images, plane_points, span : surfaces on [-span, span]²
    ground_points : of the planes under the paths of training, on as many images
    map_images, map_points, map_products : convexity maps over the middle half of that, products per point at most
    """

    dataset: str
    images: int
    test_images: int
    small: int
    large: int
    seeds: int
    vgg_width: float
    epochs: int
    depths: tuple[int, int]
    width: float
    widths: tuple[float, ...]
    residual_epochs: int
    residual_batch: int
    line_images: int
    line_points: int
    join_points: int
    plane_images: int
    plane_points: int
    ground_points: int
    map_images: int
    map_points: int
    map_products: int
    decay: float = 5e-3
    lr: float = 0.05
    residual_decay: float = 5e-4
    residual_lr: float = 0.1
    directions: int = 10
    radii: tuple[float, ...] = (0.125, 0.25, 0.5)
    raw_steps: tuple[float, ...] = (0.01, 0.02, 0.04)
    span: float = 1.0
    resamples: int = 10_000  # of the bootstrap


CIFAR10 = Settings(
    dataset="cifar10", images=4000, test_images=10_000, small=32, large=512, seeds=3, vgg_width=0.25, epochs=20,
    depths=(14, 32), width=0.5, widths=(0.25, 1.0), residual_epochs=16, residual_batch=64,
    line_images=200, line_points=17, join_points=81, plane_images=200, plane_points=17, ground_points=25,
    map_images=50, map_points=7, map_products=10,
)  # fmt: skip

MINI = Settings(
    dataset="fashion-mnist-mini", images=2000, test_images=1000, small=32, large=512, seeds=2, vgg_width=0.125,
    epochs=15, depths=(8, 20), width=0.25, widths=(0.125, 0.5), residual_epochs=10, residual_batch=64,
    line_images=200, line_points=17, join_points=81, plane_images=200, plane_points=17, ground_points=25,
    map_images=50, map_points=5, map_products=10,
)  # fmt: skip

FAST = Settings(
    dataset="fashion-mnist-mini", images=200, test_images=100, small=25, large=100, seeds=2, vgg_width=0.0625,
    epochs=4, depths=(8, 14), width=0.25, widths=(0.125,), residual_epochs=1, residual_batch=100,
    line_images=20, line_points=5, join_points=41, plane_images=20, plane_points=3, ground_points=25,
    map_images=10, map_points=2, map_products=3, directions=2, radii=(0.25, 0.5), raw_steps=(0.02, 0.04),
    resamples=200,
)  # fmt: skip

SETTINGS = {"cifar10": CIFAR10, "mini": MINI, "fast": FAST}
