"""`fetch` against a server on the loopback address: whole files, broken connections, wrong bytes, hostile archives."""

import dataclasses
import errno
import hashlib
import http.server
import io
import re
import tarfile
import threading

import pytest

from minidl.data import DataError, download, fetch
from minidl.data.catalog import CATALOG, Remote
from minidl.data.download import ATTEMPTS, extract

CONTENT = bytes(range(256)) * 1000


class Server(http.server.ThreadingHTTPServer):
    """Serves ``files``; cuts each of the first ``breaks`` answers after ``cut`` bytes."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files, self.requests, self.breaks, self.cut, self.ranges = {}, [], 0, 100_000, True

    def remote(self, name, content, **changes):
        """Put a file on the server and describe it truthfully, but for the changes."""
        self.files[name] = content
        url = f"http://127.0.0.1:{self.server_address[1]}/{name}"
        truth = Remote(url, len(content), hashlib.sha256(content).hexdigest())
        return dataclasses.replace(truth, **changes)


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        server, name = self.server, self.path[1:]
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        server.requests.append((name, int(asked[1]) if asked else None))
        if name not in server.files:
            self.send_error(404)
            return
        start = int(asked[1]) if asked and server.ranges else 0
        body = server.files[name][start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        broken = server.breaks > 0
        server.breaks -= broken
        self.wfile.write(body[: server.cut] if broken else body)

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def get(remote, target):
    download.download(remote, target, progress=False)


def test_a_file_arrives_whole_and_leaves_nothing_else(server, tmp_path):
    get(server.remote("a.gz", CONTENT), tmp_path / "a.gz")
    assert (tmp_path / "a.gz").read_bytes() == CONTENT
    assert [path.name for path in tmp_path.iterdir()] == ["a.gz"]


def test_a_connection_that_breaks_is_taken_up_again_where_it_broke(server, tmp_path):
    server.breaks = 2
    get(server.remote("a", CONTENT), tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == CONTENT
    assert server.requests == [("a", None), ("a", 100_000), ("a", 200_000)]


def test_what_an_earlier_run_left_is_not_fetched_again(server, tmp_path):
    (tmp_path / "a.part").write_bytes(CONTENT[:1234])
    get(server.remote("a", CONTENT), tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == CONTENT
    assert server.requests == [("a", 1234)]


def test_a_whole_part_is_only_checked_and_renamed(server, tmp_path):
    (tmp_path / "a.part").write_bytes(CONTENT)
    get(server.remote("a", CONTENT), tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == CONTENT and server.requests == []


def test_a_server_without_ranges_starts_over(server, tmp_path):
    server.ranges, server.breaks = False, 1
    get(server.remote("a", CONTENT), tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == CONTENT
    assert server.requests == [("a", None), ("a", 100_000)]


def test_giving_up_keeps_what_arrived_for_the_next_run(server, tmp_path):
    server.breaks, server.cut = ATTEMPTS, 1000
    remote = server.remote("a", CONTENT)
    with pytest.raises(DataError, match=f"gave {ATTEMPTS * 1000} of 256000 bytes .* it goes on from there"):
        get(remote, tmp_path / "a")
    assert not (tmp_path / "a").exists()
    get(remote, tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == CONTENT
    assert server.requests[-1] == ("a", ATTEMPTS * 1000)


def test_a_wrong_checksum_leaves_no_file_and_no_part(server, tmp_path):
    remote = server.remote("a", CONTENT, sha256="0" * 64)
    with pytest.raises(DataError, match=r"SHA-256 is not the expected 0+: it was deleted"):
        get(remote, tmp_path / "a")
    assert not list(tmp_path.iterdir())


def test_a_damaged_part_heals_on_the_next_run(server, tmp_path):
    (tmp_path / "a.part").write_bytes(b"x" * 500)
    remote = server.remote("a", CONTENT)
    with pytest.raises(DataError, match="SHA-256"):
        get(remote, tmp_path / "a")
    get(remote, tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == CONTENT


def test_a_part_longer_than_the_file_is_dropped(server, tmp_path):
    (tmp_path / "a.part").write_bytes(CONTENT + b"more")
    get(server.remote("a", CONTENT), tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == CONTENT


def test_a_server_that_sends_too_much_is_stopped(server, tmp_path):
    remote = server.remote("a", CONTENT, size=70_000)
    with pytest.raises(DataError, match="sends more than the expected 70000 bytes"):
        get(remote, tmp_path / "a")
    assert (tmp_path / "a.part").stat().st_size <= 70_000


def test_errors_of_the_network_are_one_sentence(server, tmp_path):
    remote = server.remote("a", CONTENT)
    with pytest.raises(DataError, match=r"gave 0 of 256000 bytes \(HTTP Error 404.*check the network"):
        get(dataclasses.replace(remote, url=remote.url + "x"), tmp_path / "a")
    with pytest.raises(DataError, match="refused"):
        get(dataclasses.replace(remote, url="http://127.0.0.1:1/a"), tmp_path / "a")


def test_a_full_disk_is_not_mistaken_for_the_network(server, tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(download.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        get(server.remote("a", CONTENT), tmp_path / "a")
    assert server.requests == [("a", None)] and not (tmp_path / "a").exists()


# --- Whole datasets --------------------------------------------------------------------------------------------------


def archive_of(members):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for member, content in members:
            info = tarfile.TarInfo(member) if isinstance(member, str) else member
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def test_fetch_brings_the_files_and_a_second_run_asks_for_nothing(server, tmp_path, monkeypatch):
    remotes = tuple(server.remote(name, name.encode() * 99) for name in ("one.gz", "two.gz"))
    monkeypatch.setitem(CATALOG, "mnist", dataclasses.replace(CATALOG["mnist"], remotes=remotes))
    folder = fetch("mnist", tmp_path, progress=False)
    assert folder == tmp_path / "mnist"
    assert (folder / "two.gz").read_bytes() == b"two.gz" * 99
    asked = len(server.requests)
    assert fetch("mnist", tmp_path, progress=False) == folder and len(server.requests) == asked
    (folder / "one.gz").write_bytes(b"one.gX" * 99)  # damaged at rest: the same size, other bytes
    fetch("mnist", tmp_path, progress=False)
    assert (folder / "one.gz").read_bytes() == b"one.gz" * 99


def test_fetch_takes_members_out_of_an_archive_and_deletes_it(server, tmp_path, monkeypatch):
    archive = archive_of([("set/readme", b"r"), ("set/a.bin", b"A" * 500), ("set/b.bin", b"B" * 300)])
    remote = server.remote("set.tar.gz", archive, members=(("set/a.bin", 500), ("set/b.bin", 300)))
    monkeypatch.setitem(CATALOG, "cifar10", dataclasses.replace(CATALOG["cifar10"], remotes=(remote,)))
    folder = fetch("cifar10", tmp_path, progress=False)
    assert sorted(path.name for path in folder.iterdir()) == ["a.bin", "b.bin"]
    assert (folder / "a.bin").read_bytes() == b"A" * 500
    fetch("cifar10", tmp_path, progress=False)
    assert len(server.requests) == 1


def test_the_progress_bar_counts_every_byte_once(server, tmp_path, capsys):
    server.breaks, server.ranges = 1, False
    download.download(server.remote("a", CONTENT), tmp_path / "a", progress=True)
    assert "256k/256k" in capsys.readouterr().err


def test_fetching_what_ships_with_the_package_needs_no_network(tmp_path):
    assert (fetch("fashion-mnist-mini", tmp_path) / "LICENSE").is_file()
    with pytest.raises(DataError, match="no dataset 'imagenet'"):
        fetch("imagenet", tmp_path)


def link(name, target):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = tarfile.SYMTYPE, target
    return info


@pytest.mark.parametrize(
    "members",
    [
        [("../set/a.bin", b"A" * 5)],
        [("/set/a.bin", b"A" * 5)],
        [("set/a.bin", b"A" * 6)],
        [(link("set/a.bin", "/etc/passwd"), b"")],
        [("other/a.bin", b"A" * 5)],
    ],
    ids=["parent", "absolute", "size", "link", "folder"],
)
def test_only_the_expected_members_are_taken(tmp_path, members):
    archive, folder = tmp_path / "x.tar.gz", tmp_path / "out"
    folder.mkdir()
    archive.write_bytes(archive_of(members))
    with pytest.raises(DataError, match=r"does not hold set/a\.bin as expected"):
        extract(archive, {"set/a.bin": 5}, folder)
    assert not list(folder.iterdir())


def test_a_damaged_archive_is_one_sentence(tmp_path):
    archive = tmp_path / "x.tar.gz"
    archive.write_bytes(archive_of([("set/a.bin", bytes(100_000))])[:60])
    with pytest.raises(DataError, match="is a damaged archive"):
        extract(archive, {"set/a.bin": 100_000}, tmp_path)


def test_the_catalog_is_complete():
    for item in CATALOG.values():
        assert bool(item.embedded) != bool(item.remotes)
        for remote in item.remotes:
            assert re.fullmatch(r"https?://\S+/[\w.-]+", remote.url)
            assert re.fullmatch("[0-9a-f]{64}", remote.sha256) and remote.size > 4000
        assert len(item.mean) == len(item.std) == item.shape[2]
        assert len(item.classes) == len(set(item.classes)) in (10, 100)
