"""Moving pictures: a frame for every epoch, nothing but the subject moves, and equal input gives equal bytes."""

import numpy as np
import pytest
from PIL import Image, ImageSequence

from visual.animation import HOLD, animate_path, animate_surfaces
from visual.scale import Scale
from visual.viewer import Sheet, Walk

PATH = [[0.9, 0.5], [0.4, 0.3], [0.1, -0.1], [0, 0]]
WALK = Walk(PATH, loss=[3, np.nan, 0.3, 0.1], in_plane=[3, 1, 0.2, 0.1], drops=[1])


def sheet(height, name="net", holes=False, **fields):
    xs, ys = np.linspace(-1, 1, 7), np.linspace(-1, 1, 5)
    loss = 0.1 + height * (xs**2 + ys[:, None] ** 2)
    if holes:
        loss[0, :2] = np.nan
    return Sheet(name, xs, ys, {"loss": loss}, **fields)


def frames(path):
    with Image.open(path) as picture:
        shown = [(np.asarray(f.convert("RGB")).copy(), f.info["duration"]) for f in ImageSequence.Iterator(picture)]
        assert picture.info.get("loop") == 0  # for ever
    return shown


def test_a_path_has_a_frame_for_every_epoch_and_holds_the_last(tmp_path):
    shown = frames(animate_path(tmp_path / "path.gif", sheet(3, walk=WALK, holes=True), fps=5))
    assert [duration for _, duration in shown[:-1]] == [200] * 3
    assert len(shown) == 4 and shown[-1][1] >= 1000 * HOLD
    assert moves(shown[0][0], shown[-1][0]) and not moves(shown[0][0][:15], shown[-1][0][:15])  # the map's title stays


def moves(one, other):
    """Whether pictures differ by more than the 256 colours that each frame chooses for itself."""
    return np.abs(one.astype(int) - other).max() > 48


@pytest.mark.parametrize("solid", [False, True])
def test_surfaces_share_one_scale_and_one_place(tmp_path, solid):
    sheets = [sheet(height, f"epoch {i}", holes=i == 1) for i, height in enumerate((8, 4, 1))]
    shown = frames(animate_surfaces(tmp_path / "epochs.gif", sheets, scale=Scale(0.1, 10), solid=solid))
    assert len(shown) == 3
    if solid:
        return
    height, width, _ = shown[0][0].shape
    bars = [picture[height // 6 :, int(0.86 * width) :] for picture, _ in shown]
    assert not any(moves(bars[0], bar) for bar in bars) and np.ptp(bars[0]) > 0


def test_equal_input_gives_equal_bytes(tmp_path):
    sheets = [sheet(2, "a"), sheet(1, "b")]
    first, second = (animate_surfaces(tmp_path / f"{name}.gif", sheets).read_bytes() for name in "ab")
    assert first == second


def test_mistakes_are_one_clear_line(tmp_path):
    with pytest.raises(ValueError, match="has no path, expected one"):
        animate_path(tmp_path / "a.gif", sheet(1))
    with pytest.raises(ValueError, match="got 1 surfaces, expected at least 2"):
        animate_surfaces(tmp_path / "a.gif", [sheet(1)])
    assert not list(tmp_path.iterdir())


def test_a_path_without_losses_is_walked_too(tmp_path):
    assert len(frames(animate_path(tmp_path / "path.gif", sheet(1, walk=Walk([[1, 0.5], [0, 0]]))))) == 2
