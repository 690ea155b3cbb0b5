"""Downloads from a server on this machine that does everything wrong that a server can do."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from minigpt.data import DOWNLOADS, Download, cache_folder, corpus, fetch

CONTENT = bytes(range(256)) * 4000
SIZE, SHA256 = len(CONTENT), hashlib.sha256(CONTENT).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves `content` at every path; `faults` are done one a request, and then none."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.content, self.etag, self.faults, self.requests = CONTENT, '"one"', [], []
        self.ranges = self.lengths = True
        self.pause = 0.0

    def handle_error(self, request, client_address):
        """Clients that go away are part of the game."""

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/file.txt"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_GET(self):
        server = self.server
        server.requests.append(dict(self.headers))
        fault = server.faults.pop(0) if server.faults else None
        if isinstance(fault, int):
            return self.send_error(fault)
        if fault == "refuse":
            return self.connection.close()
        if fault == "redirect":
            return self.answer(302, b"", Location=f"http://localhost:{server.server_port}/elsewhere.txt")
        content, begin = server.content, 0
        wanted = self.headers.get("Range")
        if wanted and server.ranges and self.headers.get("If-Range", server.etag) == server.etag:
            begin = int(wanted.removeprefix("bytes=").removesuffix("-"))
            if begin >= len(content):
                return self.answer(416, b"", **{"Content-Range": f"bytes */{len(content)}"})
        if fault == "other part":
            begin = max(0, begin - 1)
        body = content[begin:]
        headers = {"ETag": server.etag} if server.etag else {}
        if begin:
            headers["Content-Range"] = f"bytes {begin}-{len(content) - 1}/{len(content)}"
        if fault == "wrong bytes":
            body = body[:-1] + b"?"
        self.answer(206 if begin else 200, body, cut=fault if isinstance(fault, float) else 1.0, **headers)

    def answer(self, status, body, cut=1.0, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if self.server.lengths:
            self.send_header("Content-Length", str(len(body)))
        else:
            self.close_connection = True
        self.end_headers()
        end = int(cut * len(body))
        for start in range(0, end, 50_000):
            self.wfile.write(body[start : min(start + 50_000, end)])
            time.sleep(self.server.pause)
        if cut < 1:
            self.wfile.flush()
            self.connection.close()
            self.close_connection = True


@pytest.fixture
def server():
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def get(server, folder, *, sha256=SHA256, size=SIZE, **options):
    download = Download("example", server.url, "a test", size, sha256)
    return fetch(download, folder, **{"progress": False, "pause": 0.001, "timeout": 5.0} | options)


def test_a_file_is_downloaded_once(server, tmp_path):
    path = get(server, tmp_path / "cache" / "minigpt")
    assert path == tmp_path / "cache" / "minigpt" / "example-file.txt"
    assert path.read_bytes() == CONTENT
    assert get(server, tmp_path / "cache" / "minigpt") == path
    assert len(server.requests) == 1
    assert not [name for name in path.parent.iterdir() if "part" in name.name]


def test_a_connection_that_breaks_off_is_taken_up_where_it_ended(server, tmp_path):
    server.faults = [0.3, 0.5, "refuse", 0.0, 503, 0.5]
    assert get(server, tmp_path).read_bytes() == CONTENT
    begins = [request.get("Range") for request in server.requests]
    assert begins[:2] == [None, f"bytes={int(0.3 * len(CONTENT))}-"]
    assert len(set(begins)) == 4
    assert all(request.get("If-Range") == '"one"' for request in server.requests[1:])


def test_a_connection_that_always_breaks_off_is_given_up_and_taken_up_by_the_next_call(server, tmp_path):
    server.faults = [0.5, *[0.0] * 3]
    with pytest.raises(
        ConnectionError, match=r"after 512,000 bytes of http.*, 3 times in a row; the same command goes on"
    ):
        get(server, tmp_path, attempts=3)
    assert get(server, tmp_path).read_bytes() == CONTENT
    assert server.requests[-1]["Range"] == "bytes=512000-"


def test_a_server_that_ignores_ranges_sends_all_of_it_again(server, tmp_path):
    server.faults, server.ranges = [0.5], False
    assert get(server, tmp_path).read_bytes() == CONTENT
    assert "Range" in server.requests[1]


def test_a_file_that_changed_meanwhile_is_not_mixed_with_the_old_one(server, tmp_path):
    server.faults = [0.5, *[0.0] * 2]
    with pytest.raises(ConnectionError):
        get(server, tmp_path, attempts=2, sha256=None, size=None)
    server.content, server.etag = CONTENT[::-1] + b"longer", '"two"'
    assert get(server, tmp_path, sha256=None, size=None).read_bytes() == server.content


def test_without_a_name_of_the_version_only_a_checksum_allows_to_go_on(server, tmp_path):
    for etag in ("", 'W/"weak"'):
        for sha256, expected in ((SHA256, "bytes=512000-"), (None, None)):
            server.etag, server.faults = etag, [0.5]
            folder = tmp_path / f"{len(etag)}-{expected}"
            assert get(server, folder, sha256=sha256).read_bytes() == CONTENT
            assert server.requests[-1].get("Range") == expected
            assert "If-Range" not in server.requests[-1]


def test_another_part_than_was_asked_for_is_thrown_away(server, tmp_path):
    server.faults = [0.5, "other part"]
    assert get(server, tmp_path).read_bytes() == CONTENT
    assert server.requests[-1].get("Range") is None


def test_redirects_are_followed(server, tmp_path):
    server.faults = ["redirect", 0.5, "redirect"]
    path = get(server, tmp_path)
    assert path.read_bytes() == CONTENT
    assert path.name == "example-file.txt"
    assert [request.get("Range") for request in server.requests] == [None, None, *["bytes=512000-"] * 2]


def test_wrong_bytes_are_never_kept(server, tmp_path):
    for faults in (["wrong bytes"], [0.5, "wrong bytes"]):
        server.faults = faults
        with pytest.raises(ValueError, match=rf"has the SHA-256 \w+, but {SHA256} is known; it was thrown away"):
            get(server, tmp_path)
        assert not (tmp_path / "example-file.txt").exists()
    assert get(server, tmp_path).read_bytes() == CONTENT


def test_a_file_of_another_length_is_not_even_downloaded(server, tmp_path):
    server.content = CONTENT + b"more"
    with pytest.raises(
        ValueError, match=r"has 1,024,004 bytes where 1,024,000 are expected: it is not the file it was"
    ):
        get(server, tmp_path)
    assert not list(tmp_path.glob("*.txt"))


@pytest.mark.parametrize("status", [404, 403, 410])
def test_what_is_not_there_is_said_at_once(server, tmp_path, status):
    server.faults = [status]
    with pytest.raises(ValueError, match=rf"the server answers {status} .* get 'example' by hand and give the path"):
        get(server, tmp_path)
    assert len(server.requests) == 1


def test_a_server_that_is_ill_is_asked_again_and_then_given_up(server, tmp_path):
    server.faults = [500, 502, 429]
    assert get(server, tmp_path / "a").read_bytes() == CONTENT
    server.faults = [500] * 4
    with pytest.raises(ConnectionError, match=r"the server answers 500 .* after 0 bytes of .*, 4 times in a row"):
        get(server, tmp_path / "b", attempts=4)


def test_the_first_checksum_is_recorded_and_holds_from_then_on(server, tmp_path):
    path = get(server, tmp_path, sha256=None, size=None)
    record = json.loads((tmp_path / "example-file.txt.json").read_text())
    assert (record["sha256"], record["size"]) == (SHA256, len(CONTENT))
    path.unlink()
    server.content = CONTENT[::-1]
    with pytest.raises(ValueError, match=rf"but {SHA256} was recorded with the first download"):
        get(server, tmp_path, sha256=None, size=None)
    server.content = CONTENT
    assert get(server, tmp_path, sha256=None, size=None).read_bytes() == CONTENT


@pytest.mark.parametrize("sha256", [SHA256, None])
def test_a_file_that_was_changed_in_the_cache_is_noticed(server, tmp_path, sha256):
    path = get(server, tmp_path, sha256=sha256)
    os.utime(path, (1, 1))
    assert get(server, tmp_path, sha256=sha256) == path
    path.write_bytes(CONTENT[:-1])
    with pytest.raises(
        ValueError, match=r"is not as it was downloaded: its SHA-256 is \w+, not \w+; delete it, and it"
    ):
        get(server, tmp_path, sha256=sha256)
    assert len(server.requests) == 1


def test_a_file_without_a_length_needs_a_checksum(server, tmp_path):
    server.lengths = False
    assert get(server, tmp_path / "a").read_bytes() == CONTENT
    assert get(server, tmp_path / "b", size=None).read_bytes() == CONTENT
    with pytest.raises(
        ValueError, match="does not say how long it is, so that nobody can tell whether it arrived whole"
    ):
        get(server, tmp_path / "c", size=None, sha256=None)


def test_a_server_that_falls_silent_is_not_waited_for_without_end(server, tmp_path):
    server.pause = 60.0
    with pytest.raises(ConnectionError, match="2 times in a row"):
        get(server, tmp_path, attempts=2, timeout=0.2)


FETCH = """
import sys
from minigpt.data import Download, fetch
fetch(Download("example", sys.argv[1], "a test", int(sys.argv[2]), sys.argv[3]), sys.argv[4], progress=False)
"""


def test_a_process_that_is_killed_leaves_a_part_that_the_next_one_completes(server, tmp_path):
    server.pause = 0.1
    command = [sys.executable, "-c", FETCH, server.url, str(len(CONTENT)), SHA256, str(tmp_path)]
    with subprocess.Popen(command) as process:
        part = tmp_path / ".example-file.txt.part"
        while not part.exists() or not part.stat().st_size:
            assert process.poll() is None
            time.sleep(0.01)
        with pytest.raises(ValueError, match=r"another process is downloading 'example' into .*; wait for it"):
            get(server, tmp_path)
        process.send_signal(signal.SIGKILL)
        process.wait()
    arrived = part.stat().st_size
    assert 0 < arrived < len(CONTENT)
    assert not (tmp_path / "example-file.txt").exists()
    server.pause = 0.0
    assert get(server, tmp_path).read_bytes() == CONTENT
    assert server.requests[-1]["Range"] == f"bytes={arrived}-"


def test_a_part_that_is_complete_already_is_used(server, tmp_path):
    (tmp_path / ".example-file.txt.part").write_bytes(CONTENT)
    assert get(server, tmp_path).read_bytes() == CONTENT
    assert server.requests[-1]["Range"] == f"bytes={len(CONTENT)}-"


def test_a_part_that_is_too_long_is_thrown_away(server, tmp_path):
    (tmp_path / ".example-file.txt.part").write_bytes(CONTENT + b"?")
    assert get(server, tmp_path).read_bytes() == CONTENT


def test_offline_a_line_says_what_to_do(tmp_path, monkeypatch, capsys):
    # A port where nobody listens.
    gone = Server()
    url = gone.url
    gone.server_close()
    monkeypatch.setitem(DOWNLOADS, "tinystories", Download("tinystories", url, "a test", 2_227_753_162, SHA256))
    monkeypatch.setenv("MINIGPT_CACHE", str(tmp_path))
    with pytest.raises(ConnectionError) as caught:
        corpus("tinystories")
    message = str(caught.value)
    assert message.count("\n") == 0
    assert "'tinystories' has to be downloaded once (2,228 MB): connect to the network and try again" in message
    assert "give the path of a text file; hamlet, village, town and python-docs need no network" in message


def test_a_bar_shows_how_far_it_is(server, tmp_path, capsys):
    server.faults = [0.5]
    get(server, tmp_path, progress=True)
    assert "example: 100%" in capsys.readouterr().err


def test_a_named_corpus_is_downloaded_into_the_cache_and_read(server, tmp_path, monkeypatch):
    server.content = b"One.<|endoftext|>Two.\n"
    sha256 = hashlib.sha256(server.content).hexdigest()
    monkeypatch.setitem(DOWNLOADS, "tinystories", Download("tinystories", server.url, "a test", 22, sha256))
    monkeypatch.setenv("MINIGPT_CACHE", str(tmp_path / "cache"))
    assert list(corpus("tinystories")) == ["One.", "Two."]
    assert (tmp_path / "cache" / "tinystories-file.txt").exists()


def test_the_cache_is_where_the_platform_keeps_such_files(monkeypatch):
    monkeypatch.delenv("MINIGPT_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    expected = Path("/somewhere/minigpt") if sys.platform == "linux" else Path.home() / "Library" / "Caches" / "minigpt"
    assert cache_folder() == expected
    monkeypatch.setenv("MINIGPT_CACHE", "/elsewhere")
    assert cache_folder() == Path("/elsewhere")


def test_what_can_be_downloaded_is_described():
    assert {"tinyshakespeare", "tinystories", "fineweb-edu", "openwebtext"} <= set(DOWNLOADS)
    for name, download in DOWNLOADS.items():
        assert download.name == name
        assert download.url.startswith("https://")
        assert download.about
        assert download.sha256 is None or len(bytes.fromhex(download.sha256)) == 32
