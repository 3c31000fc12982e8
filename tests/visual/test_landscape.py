import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from visual import Scale, draw_contour, draw_filled, draw_heat, draw_line, draw_surface, draw_trajectory, panels
from visual.scale import contour_levels, shared_scale

AXIS = np.linspace(-1, 1, 5)
BOWL = AXIS[:, None] ** 2 + 2 * AXIS**2 + 0.1  # (5, 5)
HOLED = np.where(AXIS > 0.9, np.nan, 30 * BOWL)
losses = st.lists(st.floats(1e-3, 1e4), min_size=1, max_size=30)


@given(losses, losses, st.none() | st.floats(0.5, 50))
def test_one_scale_covers_all_surfaces_up_to_the_cap(one, two, cap):
    scale = shared_scale(one, two, cap=cap)
    assert scale == shared_scale(two, [*one, np.nan, np.inf], cap=cap)
    assert scale.low == min(one + two) and scale.low < scale.high
    if cap is None:
        assert not scale.clips(np.array(one + two))
    elif min(one + two) < cap < max(one + two):
        assert scale.high == cap and scale.clips(np.array(one + two))


@given(st.floats(1e-4, 10), st.floats(1.05, 1e6), st.booleans())
def test_levels_are_round_rising_and_inside(low, ratio, log):
    scale = Scale(low, low * ratio, log)
    levels = contour_levels(scale)
    assert np.all(np.diff(levels) > 0) and np.all((levels >= low) & (levels <= low * ratio))
    if log:
        digits = levels / 10.0 ** np.floor(np.log10(levels) + 1e-9)
        assert np.all(np.isclose(digits[:, None], [1, 1.5, 2, 3, 5, 7]).any(axis=1))


def test_log_of_a_loss_that_is_not_positive_is_refused():
    with pytest.raises(ValueError, match="positive values, the smallest is 0; draw with log=False"):
        shared_scale([0.0, 1.0], log=True)
    assert shared_scale([0.0, 100.0]).log is False


def test_the_bar_has_the_unit_and_says_what_it_clips():
    scale = shared_scale(BOWL, HOLED, cap=10)
    whole, cut = draw_filled(AXIS, AXIS, BOWL, scale=scale), draw_heat(AXIS, AXIS, HOLED, scale=scale)
    assert whole.figure.axes[1].get_ylabel() == "loss (nats per image)"
    assert cut.figure.axes[1].get_ylabel() == "loss (nats per image), clipped at 10"
    assert "clipped at 10" in draw_surface(AXIS, AXIS, HOLED, scale=scale).get_zlabel()


def pixels(ax):
    ax.figure.canvas.draw()
    return np.asarray(ax.figure.canvas.buffer_rgba())[..., :3]


@pytest.mark.parametrize("draw", [draw_contour, draw_filled, draw_heat])
def test_what_is_not_finite_has_a_colour_of_its_own(draw):
    grey = (0xB9, 0xBD, 0xC4)

    def share(loss):
        return (pixels(draw(AXIS, AXIS, loss)) == grey).all(axis=2).mean()

    assert share(BOWL) == 0 and share(HOLED) > 0.02


def test_equal_losses_have_equal_colours_in_two_pictures():
    scale = shared_scale(BOWL, 3 * BOWL)
    one, two = (draw_heat(AXIS, AXIS, loss, scale=scale).collections[0] for loss in (BOWL, 3 * BOWL))
    assert one.norm(1.5) == two.norm(1.5) and one.get_clim() == two.get_clim()


def test_transposed_data_is_refused():
    with pytest.raises(ValueError, match=r"shape \(2, 3\), expected \(3, 2\) for 3 ys and 2 xs"):
        draw_contour([0, 1], [0, 1, 2], np.zeros((2, 3)))


def test_flat_axes_are_refused_for_a_surface():
    with pytest.raises(ValueError, match="needs 3-D axes, found 'rectilinear'"):
        draw_surface(AXIS, AXIS, BOWL, panels()[1][0, 0])


def test_a_log_surface_has_losses_on_its_axis():
    ax = draw_surface(AXIS, AXIS, BOWL**4 * 100)
    ticks = [float(label.get_text()) for label in ax.get_zticklabels()]
    np.testing.assert_allclose(ax.get_zticks(), np.log10(ticks))


def test_a_line_shows_loss_and_accuracy_on_two_axes():
    ax = draw_line(
        AXIS, {"train": BOWL[:2], "test": BOWL[2]}, accuracy={"train": 1 - BOWL[:2] / 9, "test": BOWL[2] / 9}
    )
    left, right = ax.figure.axes
    assert left.get_ylabel() == "loss (nats per image), solid" and right.get_ylabel() == "accuracy (%), dashed"
    assert [line.get_color() for line in left.lines] == [line.get_color() for line in right.lines]
    np.testing.assert_allclose(left.lines[0].get_ydata(), BOWL[:2].mean(axis=0))


def test_a_path_lies_over_its_surface():
    ax = draw_contour(AXIS, AXIS, BOWL)
    path = np.array([[0.9, 0.8], [0.3, 0.1], [0, 0]])
    assert draw_trajectory(path, ax, explained=[0.7, 0.2], drops=[1, 7]) is ax
    np.testing.assert_array_equal(ax.lines[-2].get_xydata(), path)
    np.testing.assert_array_equal(ax.lines[-1].get_xydata(), path[[1]])
    assert ax.get_xlabel() == "first component (70 % of variance)"
    assert [text.get_text() for text in ax.texts][-2:] == ["start", "end"]
