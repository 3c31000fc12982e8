"""The page in a real browser, headless: it draws, is read by pointing, moves its cameras together, and fits a phone."""

import json
import re
from itertools import pairwise

import browser
import numpy as np
import pytest
from matplotlib import colormaps

from visual.viewer import Sheet, Walk, write_viewer

pytestmark = pytest.mark.skipif(browser.BINARY is None, reason=f"found no browser among {', '.join(browser.NAMES)}")


def surface(tilt):
    xs, ys = np.linspace(-1, 1, 21), np.linspace(-0.8, 0.8, 17)
    loss = 0.1 + 3 * (xs**2 + ys[:, None] ** 2) + tilt * xs
    loss = np.where(xs + ys[:, None] > 1.4, 40.0, loss)
    loss[:3, :3] = np.nan
    return xs, ys, loss


def sheets(count):
    path = [[0.9, 0.5], [0.4, 0.3], [0.1, np.nan], [0, 0]]  # one epoch is not known
    walk = Walk(path, loss=[3, 1, 0.3, 0.1], off_plane=[2, 1, 0.5, 0], drops=[1])
    made = []
    for number in range(count):
        xs, ys, loss = surface(0.05 * number)
        values = {"loss": loss, "accuracy": np.exp(-loss)}
        made.append(Sheet(f"net {number}", xs, ys, values, walk=walk, about={"seed": str(number)}))
    return made


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    with browser.Browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened
        assert opened.complaints() == []  # of all the tests: no error, no message, no request


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Addresses of pages with one, two and three surfaces."""
    folder = tmp_path_factory.mktemp("pages")
    return {n: write_viewer(folder / f"{n}.html", sheets(n), cap=10).as_uri() for n in (1, 2, 3)}


@pytest.fixture(scope="module")
def found(chromium, pages):
    """What the page with two surfaces finds when it is asked to test itself."""
    chromium.open(pages[2] + "#selftest")
    return json.loads(chromium.texts("#selftest")[0])


def test_the_relief_has_every_node_and_every_known_cell(found):
    assert found["panels"] == 2 and found["webgl"]
    assert found["vertices"] == 21 * 17 and found["triangles"] == 2 * (20 * 16 - 9)


def test_what_is_clipped_or_not_finite_is_counted(found):
    losses = np.stack([sheet.values["loss"] for sheet in sheets(2)])
    assert found["counts"] == {"above": (losses > 10).sum(), "below": 0, "unknown": np.isnan(losses).sum(), "all": 714}


def test_pointing_at_any_node_finds_it(found):
    assert found["picked"] == 1


def test_a_pixel_has_the_colour_of_its_value(found):
    drawn, expected = np.array(found["pixel"]["drawn"]), np.array(found["pixel"]["expected"])
    np.testing.assert_array_equal(expected, np.round(255 * np.array(colormaps["viridis"](0)[:3])))  # the lowest node
    assert (np.abs(drawn - expected) <= 0.2 * expected + 2).all()  # the light takes a fifth at most


def test_linked_cameras_stay_equal(found):
    one, two = found["cameras"]
    assert one == two and one["yaw"] != -58 and one["zoom"] > 1


def test_every_control_has_a_name(found):
    assert found["unnamed"] == [] and found["requests"] == []


def loss_in(text):
    return float(re.search(r"loss ([\d.]+)", text)[1])


def test_the_mouse_reads_both_surfaces_at_the_same_node(chromium, pages):
    chromium.open(pages[2])
    left, top, width, height = chromium.box(".stage", 1)
    chromium.mouse("Moved", left + width / 2, top + 0.55 * height)
    chromium.settle()
    texts = chromium.texts(".readout")
    x, y = (float(re.search(rf"{axis} (−?[\d.]+)", texts[0])[1].replace("−", "-")) for axis in "xy")
    for number, text in enumerate(texts):
        xs, ys, loss = surface(0.05 * number)
        expected = loss[np.abs(ys - y).argmin(), np.abs(xs - x).argmin()]
        assert loss_in(text) == pytest.approx(expected, rel=0.005)  # three digits
    chromium.mouse("Moved", 5, 5)
    chromium.settle()
    assert not any("loss" in text for text in chromium.texts(".readout"))


def test_dragging_turns_both_until_they_are_unlinked(chromium, pages):
    chromium.open(pages[2])
    left, top, width, height = chromium.box(".stage", 0)
    start = left + width / 2, top + height / 2
    views = [chromium.picture(chromium.box(".stage", 1))]
    chromium.drag(start, (start[0] + 60, start[1] - 20))
    views.append(chromium.picture(chromium.box(".stage", 1)))
    chromium.ask("document.getElementById('linked').click()")
    chromium.drag(start, (start[0] + 60, start[1]))
    views.append(chromium.picture(chromium.box(".stage", 1)))
    assert np.abs(views[0] - views[1]).max() > 0.3
    marker = np.abs(views[1] - views[2]).max(axis=2) > 0.1  # the node that is read moves with the mouse on both
    assert marker.mean() < 0.01


def test_the_wheel_scrolls_the_page_until_the_picture_has_the_focus(chromium, pages):
    chromium.open(pages[1], height=500)
    left, top, width, height = chromium.box(".stage")
    place = left + width / 2, top + height / 2
    before = chromium.picture(chromium.box(".stage"))
    chromium.ask("document.querySelector('.stage').focus()")
    chromium.mouse("Wheel", *place, deltaX=0, deltaY=-200)
    chromium.settle()
    assert chromium.ask("scrollY") == 0
    assert np.abs(chromium.picture(chromium.box(".stage")) - before).max() > 0.3
    chromium.ask("document.activeElement.blur()")
    chromium.mouse("Wheel", *place, deltaX=0, deltaY=200)
    chromium.ask("new Promise((done) => setTimeout(done, 300))")
    assert chromium.ask("scrollY") > 0


def test_the_keyboard_reaches_and_reads_the_picture(chromium, pages):
    chromium.open(pages[1], calm=True)
    chromium.key("Tab")
    assert chromium.ask("document.activeElement.className") == "stage"
    chromium.key("ArrowUp", shift=True)
    _, _, loss = surface(0)
    assert loss_in(chromium.texts(".readout")[0]) == pytest.approx(loss[9, 10], rel=0.005)
    before = chromium.picture(chromium.box(".stage"))
    chromium.key("t")
    assert np.abs(chromium.picture(chromium.box(".stage")) - before).max() > 0.3
    chromium.key("0")
    np.testing.assert_array_equal(chromium.picture(chromium.box(".stage")), before)
    chromium.key("Escape")
    assert "loss" not in chromium.texts(".readout")[0]


def test_fingers_turn_pinch_and_tap(chromium, pages):
    chromium.open(pages[1], width=375, height=800, touch=True)
    left, top, width, height = chromium.box(".stage")
    x, y = left + width / 2, top + 0.55 * height
    views = [chromium.picture(chromium.box(".stage"))]
    chromium.touch("Start", (x - 30, y), (x + 30, y))
    chromium.touch("Move", (x - 60, y), (x + 60, y))
    chromium.touch("End")
    chromium.settle()
    views.append(chromium.picture(chromium.box(".stage")))
    chromium.touch("Start", (x, y))
    chromium.touch("Move", (x + 50, y))
    chromium.touch("End")
    chromium.settle()
    views.append(chromium.picture(chromium.box(".stage")))
    assert all(np.abs(one - other).max() > 0.3 for one, other in pairwise(views))
    chromium.touch("Start", (x, y))
    chromium.touch("End")
    chromium.settle()
    assert "loss" in chromium.texts(".readout")[0]


def test_metric_scale_and_epoch_are_chosen(chromium, pages):
    chromium.open(pages[1])
    assert chromium.texts("#unit") == ["loss (nats per image)"]
    assert "epoch 3 of 3" in chromium.texts("#epoch-name")[0]
    slide = (
        "(id, value) => { const s = document.getElementById(id); s.value = value; s.dispatchEvent(new Event('input')) }"
    )
    chromium.ask(f"({slide})('epoch', 1)")
    chromium.settle()
    assert "epoch 1 · loss 1 · distance from the plane 1 · then the learning rate falls" in chromium.texts(".step")[0]
    chromium.ask(f"({slide})('high', 400)")
    chromium.settle()
    assert re.search(r"above [\d.]+, cut flat: \d+ of 357 nodes", chromium.texts("#legend")[0])
    chromium.ask("document.querySelector('[value=accuracy]').click()")
    chromium.settle()
    assert chromium.texts("#unit") == ["accuracy (%)"]
    assert chromium.ask("document.getElementById('low').ariaValueText").endswith("%")


def test_play_steps_through_the_epochs_and_stops_at_the_last(chromium, pages):
    chromium.open(pages[1])
    chromium.ask("document.getElementById('play').click()")
    assert chromium.texts("#play") == ["Pause"] and "epoch 0 of 3" in chromium.texts("#epoch-name")[0]
    chromium.ask("new Promise((done) => setInterval(() => play.ariaPressed === 'false' && done(), 50))")
    assert chromium.texts("#play") == ["Play"] and "epoch 3 of 3" in chromium.texts("#epoch-name")[0]


def test_a_third_surface_is_chosen_by_its_name(chromium, pages):
    chromium.open(pages[3])
    chromium.ask(
        "(s => { s.value = 2; s.dispatchEvent(new Event('change')) })(document.querySelectorAll('.name select')[1])"
    )
    chromium.settle()
    labels = chromium.ask("Array.from(document.querySelectorAll('.stage'), (stage) => stage.ariaLabel)")
    assert [label.split(":")[0] for label in labels] == ["net 0", "net 2"]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_it_fits_a_phone(chromium, pages, count):
    chromium.open(pages[count], width=360, height=740, touch=True)
    assert chromium.ask("document.documentElement.scrollWidth") == 360
    assert len(chromium.texts(".stage")) == min(count, 2)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_it_shows_the_colours_on_the_readers_paper(chromium, pages, dark):
    chromium.open(pages[2], dark=dark)
    pixels = chromium.picture()
    paper = np.median(pixels.reshape(-1, 3), axis=0)
    assert (paper < 0.2).all() if dark else (paper > 0.9).all()
    left, top, width, height = (int(part) for part in chromium.box(".stage"))
    panel = pixels[top : top + height, left : left + width].reshape(-1, 3)
    for colour in colormaps["viridis"](np.linspace(0.1, 0.7, 7))[:, :3]:  # of the slopes below the cliff
        assert (np.abs(panel - colour).max(axis=1) < 0.06).mean() > 0.0005


def test_without_webgl_the_page_says_so_and_still_tells_its_values(tmp_path, pages):
    with browser.Browser(tmp_path, "--disable-3d-apis") as opened:
        opened.open(pages[1])
        assert "no WebGL 2" in opened.texts(".notice")[-1]
        left, top, width, height = opened.box(".stage")
        opened.mouse("Moved", left + width / 2, top + 0.55 * height)
        opened.settle()
        assert "loss" in opened.texts(".readout")[0]
        assert opened.complaints() == []
