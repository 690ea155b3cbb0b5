"""`minigpt tokenizer`: what goes in comes out, byte for byte, and mistakes are explained."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigpt.cli import text as text_io
from minigpt.tokenizers import BPETokenizer, Tokenizer

CORPUS = (
    """The red hat is on the bench.\r
Ana gives the red hat to Ben, and Ben gives Ana a blue cup.

\tWhere is the cup? Ana has it: "I don't know", says Ben — größer, ☃ and 日本.
"""
    * 20
)
KINDS = ["bpe", "byte", "char", "unigram", "word", "wordpiece"]
EXACT = ["bpe", "byte", "char", "unigram", "word"]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    path = tmp_path_factory.mktemp("corpus") / "corpus.txt"
    path.write_bytes(CORPUS.encode("utf-8"))
    return path


@pytest.fixture
def trained(minigpt, corpus, tmp_path):
    def train(kind, *options):
        out = tmp_path / f"{kind}.json"
        files = [] if kind == "byte" else [corpus]
        size = [] if kind in ("byte", "char", "word") else ["--vocab-size", 400]
        result = minigpt("tokenizer", "train", *files, "--kind", kind, *size, "--out", out, *options)
        assert (result.status, result.out) == (0, b"")
        assert re.fullmatch(rf"wrote .*: {kind}, \d+ tokens\n", result.err)
        return out

    return train


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_can_be_trained_and_loaded(trained, kind):
    assert Tokenizer.load(trained(kind)).kind == kind


@pytest.mark.parametrize("kind", EXACT)
@pytest.mark.parametrize("lines", [[], ["--lines"]])
def test_decode_undoes_encode_to_the_byte(minigpt, trained, corpus, kind, lines):
    tokenizer = trained(kind)
    encoded = minigpt("tokenizer", "encode", tokenizer, corpus, *lines)
    assert encoded.status == 0
    assert re.fullmatch(rb"[0-9 \n]*", encoded.out)
    assert encoded.out.count(b"\n") == (CORPUS.count("\n") if lines else 1)
    decoded = minigpt("tokenizer", "decode", tokenizer, *lines, stdin=encoded.out)
    assert decoded == (0, CORPUS.encode("utf-8"), "")


@pytest.mark.parametrize("kind", KINDS)
def test_encode_gives_the_ids_of_the_tokenizer(minigpt, trained, corpus, kind):
    path = trained(kind)
    ids = minigpt("tokenizer", "encode", path, corpus).out.split()
    assert list(map(int, ids)) == Tokenizer.load(path).encode(CORPUS)


@pytest.mark.parametrize("text", [b"", b"\n", b"no line end", b"\n\na", b"a\r\nb\r\n"])
def test_lines_keep_how_a_file_ends(minigpt, trained, text):
    tokenizer = trained("byte")
    encoded = minigpt("tokenizer", "encode", tokenizer, "--lines", stdin=text).out
    assert minigpt("tokenizer", "decode", tokenizer, "--lines", stdin=encoded).out == text


def test_decode_writes_bytes_that_are_no_text_as_they_are(minigpt, trained):
    assert minigpt("tokenizer", "decode", trained("byte"), stdin=b"226 152\n255").out == b"\xe2\x98\xff"


def test_output_goes_to_a_file_on_request(minigpt, trained, corpus, tmp_path):
    tokenizer = trained("bpe")
    ids, back = tmp_path / "ids.txt", tmp_path / "back.txt"
    assert minigpt("tokenizer", "encode", tokenizer, corpus, "--out", ids) == (0, b"", "")
    assert minigpt("tokenizer", "decode", tokenizer, ids, "--out", back) == (0, b"", "")
    assert back.read_bytes() == corpus.read_bytes()


def test_special_tokens_count_only_if_allowed(minigpt, trained):
    tokenizer = trained("byte", "--special", "<|end|>", "--special", "<|pad|>")
    text = b"a<|end|>"
    assert minigpt("tokenizer", "encode", tokenizer, stdin=text).out.split() == [b"%d" % b for b in text]
    for allowed in ("<|end|>", "all"):
        assert minigpt("tokenizer", "encode", tokenizer, "--allow-special", allowed, stdin=text).out == b"97 256\n"


def test_several_files_and_standard_input_are_one_corpus(minigpt, tmp_path):
    (tmp_path / "a.txt").write_text("abc", encoding="utf-8")
    (tmp_path / "b.txt").write_text("cde", encoding="utf-8")
    out = tmp_path / "out.json"
    args = ("tokenizer", "train", tmp_path / "a.txt", "-", tmp_path / "b.txt", "--kind", "char", "-o", out)
    assert minigpt(*args, stdin=b"xyz").status == 0
    assert Tokenizer.load(out).tokens == tuple("abcdexyz")


def test_options_reach_the_trainer(trained, corpus):
    tokenizer = Tokenizer.load(trained("bpe", "--pattern", "cl100k", "--max-pretokens", 1000))
    expected = BPETokenizer.train([CORPUS], 400, pattern="cl100k")
    assert (tokenizer.pattern, tokenizer.merges) == ("cl100k", expected.merges)
    assert Tokenizer.load(trained("wordpiece", "--no-lowercase")).lowercase is False
    assert Tokenizer.load(trained("unigram", "--no-byte-fallback", "--add-prefix-space")).add_prefix_space is True
    assert Tokenizer.load(trained("char", "--unknown", "replace")).unk_id == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--kind", "bpe"], "--kind bpe needs --vocab-size"),
        (["--kind", "bpe", "--vocab-size", "100"], "--vocab-size 100 is too small"),
        (["--kind", "unigram", "--vocab-size", "300", "--pattern", "gpt2"], "--pattern is no option of --kind unigram"),
        (["--kind", "byte"], "a byte tokenizer learns nothing"),
        (["--kind", "byte", "--vocab-size", "300"], "--vocab-size is no option of --kind byte"),
        (["--kind", "bpe", "--vocab-size", "300", "--pattern", "("], "nor a regular expression"),
        (["--kind", "char", "--special", "x", "--special", "x"], "names one of them twice"),
    ],
)
def test_mistakes_in_training_are_explained(minigpt, corpus, tmp_path, arguments, message):
    out = tmp_path / "out.json"
    result = minigpt("tokenizer", "train", corpus, "--out", out, *arguments)
    assert (result.status, result.out, out.exists()) == (2, b"", False)
    assert result.err.startswith("minigpt: error: ")
    assert result.err.count("\n") == 1
    assert message in result.err


def test_a_target_that_cannot_be_written_is_noticed_before_the_training(minigpt, tmp_path):
    for out, message in ((tmp_path, "is a folder"), (tmp_path / "no" / "out.json", "does not exist")):
        result = minigpt("tokenizer", "train", tmp_path / "missing.txt", "--kind", "char", "--out", out)
        assert result.status == 2
        assert message in result.err


def test_an_empty_corpus_is_refused(minigpt, tmp_path):
    result = minigpt("tokenizer", "train", "--kind", "char", "--out", tmp_path / "out.json", stdin=b"")
    assert (result.status, "the corpus is empty" in result.err) == (2, True)


@pytest.mark.parametrize("command", ["encode", "decode", "inspect", "train"])
def test_bytes_that_are_not_utf8_are_named_with_their_position(minigpt, trained, tmp_path, command):
    bad = tmp_path / "latin.txt"
    bad.write_bytes("é".encode() * 200_000 + b"caf\xe9 au lait")
    tokenizer = trained("byte")
    if command == "train":
        result = minigpt("tokenizer", "train", bad, "--kind", "char", "--out", tmp_path / "out.json")
    else:
        result = minigpt("tokenizer", command, tokenizer, bad)
    assert result.status == 2
    assert f"{str(bad)!r} is not UTF-8: byte 0xe9 at position 400003; convert it" in result.err


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (b"1 2 x3", "'x3' at position 2 is not a token id"),
        (b"-1", "'-1' at position 0 is not a token id"),
        (b"1 256", "token id 256 is out of range; this vocabulary has 0 to 255"),
    ],
)
def test_ids_that_are_none_are_refused(minigpt, trained, ids, message):
    tokenizer = trained("byte")
    result = minigpt("tokenizer", "decode", tokenizer, stdin=ids)
    assert (result.status, message in result.err) == (2, True)
    result = minigpt("tokenizer", "decode", "--lines", tokenizer, stdin=b"1\n" + ids)
    assert result.err.startswith("minigpt: error: line 2: ")


def test_a_file_that_is_no_tokenizer_is_refused(minigpt, corpus):
    result = minigpt("tokenizer", "encode", corpus, corpus)
    assert (result.status, "is not readable as JSON" in result.err) == (2, True)


def test_inspect_shows_tokens_table_and_statistics(minigpt, trained):
    result = minigpt("tokenizer", "inspect", trained("byte"), "--text", "a é\n\x1b[")
    assert result.status == 0
    assert result.out.decode("utf-8").splitlines() == [
        r"a|·|\xc3|\xa9|⏎",
        r"\x1b|[",
        "",
        "place   id  bytes  text",
        "    0   97  61     a",
        "    1   32  20     ·",
        r"    2  195  c3     \xc3",
        r"    3  169  a9     \xa9",
        "    4   10  0a     ⏎",
        r"    5   27  1b     \x1b",
        "    6   91  5b     [",
        "",
        "6 characters, 7 bytes, 7 tokens, 1.00 bytes per token, 7 distinct tokens",
    ]


def test_inspect_can_be_short_and_counts_what_is_not_known(minigpt, trained):
    result = minigpt("tokenizer", "inspect", trained("word"), "--text", "the zebra", "--limit", 1, "--no-table")
    assert result.out.decode().splitlines() == [
        "the",
        "... and 1 more tokens (--limit 0 shows all)",
        "",
        "9 characters, 9 bytes, 2 tokens, 4.50 bytes per token, 2 distinct tokens, 1 unknown",
    ]


@pytest.mark.parametrize(
    ("is_terminal", "no_color", "option", "colored"),
    [
        (False, "", "auto", False),
        (True, "", "auto", True),
        (True, "1", "auto", False),
        (False, "1", "always", True),
        (True, "", "never", False),
    ],
)
def test_colours_are_for_terminals(minigpt, trained, monkeypatch, is_terminal, no_color, option, colored):
    tokenizer = trained("byte")
    monkeypatch.setenv("NO_COLOR", no_color)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setattr("sys.stdout.isatty", lambda: is_terminal)
    result = minigpt("tokenizer", "inspect", tokenizer, "--text", "ab", "--no-table", "--color", option)
    assert (b"\x1b[" in result.out) is colored
    assert re.sub(rb"\x1b\[[0-9;]*m", b"", result.out).startswith(b"ab\n" if colored else b"a|b\n")


def test_inspect_takes_a_file_or_a_text_but_not_both(minigpt, trained, corpus):
    result = minigpt("tokenizer", "inspect", trained("byte"), corpus, "--text", "x")
    assert (result.status, "give either a file" in result.err) == (2, True)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])), st.integers(1, 5))
def test_text_in_chunks_is_the_text(text, size):
    data = text.encode("utf-8")
    chunks = [data[i : i + size] for i in range(0, len(data), size)]
    assert "".join(text_io.decode(chunks, "it")) == text


@given(st.binary(max_size=30), st.integers(1, 5))
def test_the_position_of_a_bad_byte_does_not_depend_on_the_chunks(data, size):
    try:
        expected = data.decode("utf-8"), None
    except UnicodeDecodeError as error:
        expected = None, error.start
    chunks = [data[i : i + size] for i in range(0, len(data), size)]
    try:
        found = "".join(text_io.decode(chunks, "it")), None
    except ValueError as error:
        found = None, int(re.search(r"at position (\d+)", str(error))[1])
    assert found == expected


@given(st.lists(st.text(alphabet="ab\n\r", max_size=8), max_size=6))
def test_lines_are_those_that_end_with_a_line_feed(chunks):
    found = list(text_io.lines(chunks))
    assert "".join(found) == "".join(chunks)
    assert all(line.find("\n") in (-1, len(line) - 1) for line in found)
    assert all(line.endswith("\n") for line in found[:-1])


@pytest.mark.parametrize("pattern", ["gpt2", "cl100k"])
def test_passages_of_a_corpus_are_cut_where_no_token_reaches_across(pattern):
    tokenizer = BPETokenizer.train([CORPUS], 300, pattern=pattern)
    passages = list(text_io.passages([CORPUS], 100))
    assert all(100 <= len(passage) < 300 for passage in passages[:-1])
    assert [piece for passage in passages for piece in tokenizer.pieces(passage)] == tokenizer.pieces(CORPUS)


@given(st.lists(st.text(alphabet="ab \n", max_size=30), max_size=6), st.integers(1, 9))
def test_passages_hold_the_whole_corpus(chunks, length):
    passages = list(text_io.passages(chunks, length))
    assert "".join(passages) == "".join(chunks)
    assert all(len(passage) >= length for passage in passages[:-1])
