import matplotlib
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from visual.files import write_atomic
from visual.style import PALETTE, colours_for, depth_colours, finite, panels, save, style


def test_style_is_given_back_even_after_an_error():
    before = dict(matplotlib.rcParams)
    with pytest.raises(KeyError), style():
        assert matplotlib.rcParams["axes.spines.top"] is False
        raise KeyError
    assert dict(matplotlib.rcParams) == before


def test_equal_figures_give_equal_bytes_without_a_date_or_a_version(tmp_path):
    def draw(name):
        figure, axes = panels()
        axes[0, 0].plot([1, 3, 2])
        return save(figure, tmp_path / name).read_bytes()

    one, two = draw("one.png"), draw("two.png")
    assert one == two and one.startswith(b"\x89PNG")
    assert b"Software" not in one and b"tEXt" not in one


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path, monkeypatch):
    target = write_atomic(tmp_path / "page.html", b"old")

    def full(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="no space"):
        write_atomic(target, b"new")
    assert target.read_bytes() == b"old" and [file.name for file in tmp_path.iterdir()] == ["page.html"]


def test_written_files_can_be_read_by_others(tmp_path):
    assert write_atomic(tmp_path / "deep" / "page.html", b"x").stat().st_mode & 0o444 == 0o444


def luminance(colour):
    """Relative luminance as WCAG 2 defines it."""
    channels = np.array(to_rgb(colour))
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def test_the_first_colours_stand_out_from_white_and_layers_get_steadily_lighter():
    contrast = [1.05 / (luminance(colour) + 0.05) for colour in PALETTE[:3]]
    assert min(contrast) >= 3  # WCAG 2.1, success criterion 1.4.11: graphical objects
    assert np.all(np.diff([luminance(colour) for colour in depth_colours(20)]) > 0)
    assert depth_colours(0) == [] and len(set(PALETTE)) == len(PALETTE)


def test_a_chosen_colour_stays_with_its_name():
    chosen = {"SR": "#123456"}
    assert colours_for(["SR", "BC"], chosen)["SR"] == colours_for(["float", "R", "SR"], chosen)["SR"] == "#123456"


def test_finite_copies_and_keeps_the_callers_array():
    given = np.array([1.0, np.inf])
    assert np.isnan(finite(given)[1]) and np.isinf(given[1])
