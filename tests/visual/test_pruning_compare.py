"""Comparisons of pruned networks: rows are sorted, flags stand where they must, and nothing runs off the page."""

import numpy as np
import pytest

from visual.pruning_compare import Saving, draw_orders, draw_ranking, draw_savings
from visual.results.pruning import FIGURES, contradictions
from visual.style import panels

pytestmark = pytest.mark.filterwarnings("error")  # a layout that collapses is only a warning


def drawn(name, ax=None):
    match name:
        case "orders":
            return draw_orders([0.1, 0.5], {"smallest": [[0.9, 0.8]], "random": [0.7, np.nan]}, ax, baseline=0.9)
        case "ranking":
            return draw_ranking({"a": {"l1": [0.2, 0.4], "l2": [0.9]}, "b": {"l1": [0.1], "l2": [0.1]}}, ax)
        case _:
            return draw_savings([Saving("conv1", 0.5, 0.5, False), Saving("conv2", 0.5, -0.1, True)], ax)


@pytest.mark.parametrize("name", ["orders", "ranking", "savings"])
def test_it_draws_where_it_is_told_and_stays_on_the_page(name):
    given = panels()[1][0, 0]
    assert drawn(name, given) is given
    figure = drawn(name).figure
    figure.canvas.draw()
    box, page = figure.axes[0].get_tightbbox(figure.canvas.get_renderer()), figure.bbox.padded(2)
    assert page.x0 <= box.x0 and box.x1 <= page.x1 and page.y0 <= box.y0 and box.y1 <= page.y1


def test_the_best_criterion_stands_on_top_and_only_parted_layers_are_flagged():
    assert [label.get_text() for label in drawn("ranking").get_yticklabels()] == ["l2", "l1"]
    assert [text.get_text() for text in drawn("savings").texts] == ["parted"]


@pytest.mark.parametrize("verdict", ["confirmed", "contradicted", "undecided"])
def test_a_caption_says_what_the_seeds_say_of_the_paper(verdict):
    difference = {"mean": -0.02, "half_width": 0.01, "values": [-0.02]}
    net = {"verdicts": [{"claim": "pruned better than scratch-B", "difference": difference, "verdict": verdict}]}
    text = contradictions(net, "scratch")
    word = {"confirmed": "is confirmed", "contradicted": "Contradicts the paper", "undecided": "Not decided"}[verdict]
    assert word in text and "-2.0 ± 1.0 points" in text and len(FIGURES) == 10
