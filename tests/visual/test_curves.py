import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.text import Text

from visual import LayerWidth, Recovery, draw_curve_panels, draw_curves, draw_filter_norms, draw_recovery, draw_tradeoff
from visual.pruning import draw_sensitivity, draw_width_bars


def words(ax):
    return [text.get_text() for text in ax.texts]


@given(st.integers(1, 6), st.integers(1, 20), st.integers(0, 5), st.integers(0, 2**32 - 1))
def test_the_mean_is_drawn_in_per_cent_at_its_epochs(seeds, epochs, first, seed):
    runs = np.random.default_rng(seed).random((seeds, epochs))
    line = draw_curves({"net": runs}, first=first).lines[0]
    np.testing.assert_allclose(line.get_ydata(), 100 * runs.mean(axis=0), rtol=1e-12)
    np.testing.assert_array_equal(line.get_xdata(), first + np.arange(epochs))


def test_losses_are_not_scaled_and_units_are_named():
    left, right = draw_curve_panels({"train loss": {"a": [2.0, 1.0]}, "test error": {"a": [0.5, 0.25]}})
    assert left.lines[0].get_ydata().tolist() == [2.0, 1.0] and right.lines[0].get_ydata().tolist() == [50.0, 25.0]
    assert (left.get_ylabel(), right.get_ylabel()) == ("train loss (nats per image)", "test error (%)")


def test_an_unknown_quantity_is_refused_by_name():
    with pytest.raises(ValueError, match=r"'speed' has no known unit.*accuracy"):
        draw_curves({"a": [1.0]}, quantity="speed")


def test_every_rate_drop_is_marked_and_every_run_named():
    ax = draw_curves({"float": [0.5, 0.6, 0.7], "SR": [0.4, np.nan, np.nan]}, drops=[1, 2])
    assert words(ax) == ["learning rate falls", "float", "SR"]
    assert [line.get_xdata()[0] for line in ax.lines if line.get_linestyle() == ":"] == [1, 2]
    assert ax.texts[-1].xy == (1, 40.0)  # the last epoch that SR reached


def test_recovery_tells_before_after_and_end():
    ax = draw_recovery({"net": Recovery(0.883, 0.61, [0.85, 0.879])})
    assert words(ax) == ["61.0", "before pruning: 88.3", "net: 87.9"]


def test_long_retraining_gets_few_ticks():
    ax = draw_recovery({"net": Recovery(0.9, 0.5, np.linspace(0.6, 0.9, 160))})
    assert 5 < len(ax.get_xticks()) < 20


@given(st.lists(st.floats(0, 1e3), min_size=1, max_size=40))
def test_norms_are_sorted_and_divided_by_the_largest(norms):
    y = draw_filter_norms({"conv": norms}).lines[0].get_ydata()
    assert np.all(np.diff(y) <= 0) and y[0] == (1 if max(norms) > 0 else 0)


def test_twenty_layers_are_named_directly():
    ax = draw_sensitivity([0.1, 0.5], {f"conv{i}": [0.9, 0.5 + i / 100] for i in range(20)}, baseline=0.9)
    assert ax.get_legend() is None and [w for w in words(ax) if w.startswith("conv")] == [f"conv{i}" for i in range(20)]


def test_a_curve_that_stops_early_is_named_where_it_stops():
    ax = draw_sensitivity([0.1, 0.5, 0.9], {"conv1": [0.9, 0.4, np.nan], "conv2": [0.9, 0.8, 0.7]})
    assert {text.get_text(): text.xy for text in ax.texts} == {"conv1": (50, 40), "conv2": (90, 70)}


def test_the_whole_net_is_named_beside_the_curves():
    ax = draw_sensitivity([0.1, 0.5], {"conv1": [0.9, 0.9], "conv2": [0.88, 0.4]}, baseline=0.9)
    ax.figure.canvas.draw()
    boxes = {text.get_text(): Text.get_window_extent(text) for text in ax.texts}  # without the leaders
    whole = boxes.pop("whole net")
    assert whole.x0 > ax.bbox.x1 and not any(whole.overlaps(box) for box in boxes.values())


def test_bars_count_filters():
    ax = draw_width_bars([LayerWidth("conv1", 6, 16)])
    assert words(ax) == ["6 of 16"]
    removed, kept = ax.containers
    assert (kept[0].get_width(), removed[0].get_x(), removed[0].get_width()) == (6, 6, 10)


def test_cost_starts_at_zero_so_that_savings_look_their_size():
    assert draw_tradeoff({"L1": ([40, 20], [0.9, 0.88])}).get_xlim()[0] == 0
