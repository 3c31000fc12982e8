import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import correlate

from visual import Node, draw_broadcast, draw_convolution, draw_graph
from visual.graph import layout


@given(st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_edges_point_right_and_boxes_stay_apart(count, seed):
    rng = np.random.default_rng(seed)
    names = [str(i) for i in range(count)]
    edges = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :] if rng.random() < 0.4]
    places = layout([names[i] for i in rng.permutation(count)], edges)
    assert all(places[a][0] < places[b][0] for a, b in edges)
    rows = {column: sorted(y for x, y in places.values() if x == column) for column, _ in places.values()}
    assert all(np.all(np.diff(ys) >= 1 - 1e-9) for ys in rows.values())


def test_a_box_tells_value_and_gradient():
    ax = draw_graph([Node("a", "2", "-3"), Node("b")], [("a", "b")])
    assert [text.get_text() for text in ax.texts if text.get_text()] == ["a", "value 2", "grad -3", "b"]


@pytest.mark.parametrize(("edges", "message"), [([("a", "z")], "'z' names a node"), ([("a", "a")], "cycle")])
def test_a_wrong_graph_is_refused(edges, message):
    with pytest.raises(ValueError, match=message):
        draw_graph([Node("a")], edges)


@given(st.tuples(st.integers(1, 3), st.integers(1, 3)), st.booleans(), st.booleans(), st.integers(0, 2**32 - 1))
def test_the_broadcast_adjoint_sums_what_was_stretched(shape, stretch_rows, stretch_columns, seed):
    a_shape = (1 if stretch_rows else shape[0], 1 if stretch_columns else shape[1])
    grad_y = np.random.default_rng(seed).integers(1, 9, shape)
    axes = tuple(axis for axis in (0, 1) if a_shape[axis] == 1)
    expected = grad_y.sum(axis=axes, keepdims=True)
    texts = [text.get_text() for text in draw_broadcast(np.zeros(a_shape), np.zeros(shape), grad_y=grad_y).texts]
    cells = 1 + texts.index("grad_a") - expected.size - 1
    assert texts[cells : cells + expected.size] == [f"{value:.3g}" for value in expected.flat]


@given(st.integers(1, 2), st.integers(0, 1), st.integers(0, 2**32 - 1))
def test_the_output_pixel_is_that_of_a_correlation(stride, padding, seed):
    rng = np.random.default_rng(seed)
    x, weight = rng.integers(-4, 5, (4, 5)), rng.integers(-4, 5, (2, 3))
    y = correlate(np.pad(x, padding), weight, "valid")[::stride, ::stride]
    at = tuple(int(rng.integers(size)) for size in y.shape)
    equation = draw_convolution(x, weight, at=at, stride=stride, padding=padding).texts[-1].get_text()
    assert equation.endswith(f"= {y[at]}".replace("-", "−"))


def test_a_pixel_outside_or_a_kernel_too_large_is_refused():
    with pytest.raises(ValueError, match=r"outside the output of shape \(2, 2\)"):
        draw_convolution(np.zeros((3, 3)), np.zeros((2, 2)), at=(2, 0))
    with pytest.raises(ValueError, match="larger than the padded input"):
        draw_convolution(np.zeros((2, 2)), np.zeros((3, 3)))
