from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from visual.report import Commands, Figure, Row, Section, Table, Tile, _prose, write_report
from visual.style import panels, save

VOID = {"meta", "img", "link", "br", "hr"}


class Page(HTMLParser):
    """Collects tags and text, and insists that every tag is closed in order."""

    def __init__(self, html):
        super().__init__()
        self.open, self.tags, self.text = [], [], ""
        self.feed(html)
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture
def folder(tmp_path):
    for name in ("a.png", "b & c.png"):
        save(panels()[0], tmp_path / name)
    return tmp_path


def sections(text="words"):
    figure = Figure("a.png", "A curve that rises.", text)
    blocks = [
        text,
        figure,
        Row([figure, Figure("b & c.png", 'A "flat" <line>.')]),
        Table(["net", "accuracy"], [[text, "88 %"], ["pruned", "–"]], text, highlight=1),
        Commands([("minidl tour --fast", text)]),
    ]
    return [Section(f"Chapter {text}", blocks, text), Section("Empty")]


def write(folder, text="words"):
    path = write_report(
        folder,
        f"Title {text}",
        sections(text),
        intro=text,
        tiles=[Tile(text, text, text)],
        appendix=Section("Facts", [text]),
        footer=text,
    )
    return path.read_text(encoding="utf-8")


def test_the_page_is_whole_and_asks_nobody(folder):
    html = write(folder)
    page = Page(html)
    assert "http" not in html and "//" not in html and "@import" not in html and "url(" not in html
    assert not page.all("script") and not page.all("link") and not page.all("iframe")
    assert html.startswith("<!doctype html>") and page.all("html") == [{"lang": "en"}]
    assert "prefers-color-scheme: dark" in html and "width=device-width" in html


def test_every_image_exists_has_a_text_and_keeps_its_place(folder):
    images = Page(write(folder)).all("img")
    assert len(images) == 3
    for image in images:
        assert (folder / image["src"]).is_file() and image["alt"].strip()
        assert (image["width"], image["height"]) == ("1152", "640")


def test_headings_and_links_agree(folder):
    page = Page(write(folder))
    ids = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    targets = [link["href"][1:] for link in page.all("a") if link["href"].startswith("#")]
    assert targets == ["main", "s1", "s2", "s3"] and set(targets) <= ids
    assert all(part["aria-labelledby"] in ids for part in page.all("section"))
    assert len(page.all("h1")) == 1 and len(page.all("h2")) == 3


@given(st.text(max_size=30) | st.text("`*<>&\"' 5%a", max_size=30))
def test_any_text_is_escaped_and_every_mark_is_closed(text):
    page = Page(_prose(text))
    assert {tag for tag, _ in page.tags} <= {"code", "strong"}
    assert page.text.replace("\xa0", " ").replace("*", "").replace("`", "") == text.replace("\xa0", " ").replace(
        "*", ""
    ).replace("`", "")


def test_marks_do_not_cross_and_code_is_left_alone():
    assert _prose("**a `b** c`") == "**a <code>b** c</code>"
    assert _prose("**34 % less**, `5 % 3`") == "<strong>34\xa0% less</strong>, <code>5 % 3</code>"


def test_mark_up_in_the_results_stays_text(folder):
    evil = '<script>alert("1")</script><img src=x onerror=y> & **bold** `a<b`'
    page = Page(write(folder, evil))
    assert not page.all("script") and all("onerror" not in image for image in page.all("img"))
    assert '<script>alert("1")</script>' in page.text and "a<b" in page.text
    assert page.all("strong") and page.all("code")


def test_numbers_are_flush_right_and_texts_are_not(folder):
    page = Page(write(folder))
    assert [cell.get("class") for cell in page.all("td")] == [None, "number"] * 2
    assert [row.get("class") for row in page.all("tr")] == [None, None, "highlight"]


@pytest.mark.parametrize("path", ["missing.png", "../a.png", "/etc/hostname"])
def test_a_figure_outside_the_folder_is_refused_and_nothing_is_written(folder, path):
    with pytest.raises(FileNotFoundError, match="is not a file inside"):
        write_report(folder, "T", [Section("S", [Figure(path, "alt")])])
    assert not (folder / "index.html").exists()


def test_a_figure_without_words_is_refused(folder):
    with pytest.raises(ValueError, match=r"'a.png' has no alt text"):
        write_report(folder, "T", [Section("S", [Figure("a.png", " ")])])


def test_a_ragged_table_and_a_foreign_block_are_refused(folder):
    with pytest.raises(ValueError, match="1 cells, expected 2"):
        write_report(folder, "T", [Section("S", [Table(["a", "b"], [["1"]])])])
    with pytest.raises(TypeError, match="block is int, expected str"):
        write_report(folder, "T", [Section("S", [3])])


def test_writing_twice_gives_the_same_bytes(folder):
    assert write(folder) == write(folder)
