"""Ids equal those of tiktoken and of Hugging Face tokenizers, on all characters that both class alike."""

import base64

import pytest
import regex
from hypothesis import example, given, settings
from hypothesis import strategies as st

from minigpt.tokenizers import BPETokenizer, TokenizerError, bpe_convert
from minigpt.tokenizers.bpe_convert import class_differences

tiktoken = pytest.importorskip("tiktoken")
tokenizers = pytest.importorskip("tokenizers")

DIFFERENCES = class_differences()
DIFFERENT = regex.compile(
    "[" + "".join(f"\\U{a:08x}-\\U{b:08x}" for ranges in DIFFERENCES.values() for a, b in ranges) + "\\p{Cs}]"
)
KINDS = "aeélowst1²'’sſdmtlverſKLV.,。 \t\n\r\u0085\u00a0\u2028\x00\x1c\x1f\u0301\u200d😀👍🏽"
kinds = st.text(alphabet=KINDS, max_size=40)
texts = kinds | st.text(max_size=40).map(lambda text: DIFFERENT.sub("", text))
SAMPLES = [
    "I'LL it'ſ WE'VE 'tis they'd've",
    "12345678 ½²³ ٣٤٥ 一二三 Ⅷ",
    "a\n\n  \n b \n",
    "x\r\n\r\n\ty  ",
    "!!!\n\n\n  ...\r\r z",
    "👩‍👩‍👧‍👦🏳️‍🌈 e\u0301e\u0301 \u0301 ـــ",
    "\x00\x1c \x1f\x85\x0b\x0c",
    "a" * 3000 + " " * 3000 + "\n" * 300 + "é" * 300 + "." * 3000,
]


def samples(test):
    for text in SAMPLES:
        test = example(text=text)(test)
    return test


@pytest.fixture(scope="module")
def pairs(gpt2_like, cl100k_like):
    return [(tokenizer, tokenizer.to_tiktoken()) for tokenizer in (gpt2_like, cl100k_like)]


@samples
@given(text=texts)
def test_ids_are_those_of_tiktoken_with_our_ranks(pairs, text):
    for tokenizer, encoding in pairs:
        assert tokenizer.encode(text) == encoding.encode_ordinary(text)


@pytest.fixture(scope="module")
def published_pairs(published):
    encodings = map(published, ("r50k_base", "cl100k_base"))
    return [(BPETokenizer.from_tiktoken(encoding), encoding) for encoding in encodings]


@samples
@settings(max_examples=500)
@given(text=texts)
def test_ids_are_those_of_the_published_vocabularies(published_pairs, text):
    for tokenizer, encoding in published_pairs:
        assert tokenizer.encode(text) == encoding.encode_ordinary(text)
        assert tokenizer.encode(text + "<|endoftext|>", allowed_special="all") == encoding.encode(
            text + "<|endoftext|>", allowed_special="all"
        )


def test_a_megabyte_of_one_letter_has_the_ids_of_a_published_vocabulary(published_pairs):
    tokenizer, encoding = published_pairs[0]
    text = "a" * 1_000_000
    assert tokenizer.encode(text) == encoding.encode_ordinary(text)


def test_every_published_token_is_the_merge_of_two_others_and_encodes_to_itself(published_pairs, tmp_path):
    for tokenizer, encoding in published_pairs:
        assert len(tokenizer.merges) == len(encoding._mergeable_ranks) - 256
        for rank, (left, right) in zip(range(256, encoding.max_token_value), tokenizer.merges, strict=False):
            assert max(left, right) < rank
            assert tokenizer.token_bytes(rank) == tokenizer.token_bytes(left) + tokenizer.token_bytes(right)
        tokenizer.save(tmp_path / "bpe.json")
        assert BPETokenizer.load(tmp_path / "bpe.json").ranks == encoding._mergeable_ranks


@pytest.fixture(scope="module")
def hugging_face_pairs(gpt2_like, cl100k_like, tmp_path_factory):
    folder = tmp_path_factory.mktemp("hugging_face")
    result = []
    for i, tokenizer in enumerate((gpt2_like, cl100k_like)):
        tokenizer.to_hugging_face(folder / f"{i}.json")
        result.append((tokenizer, tokenizers.Tokenizer.from_file(str(folder / f"{i}.json"))))
    return result


@samples
@given(text=texts)
def test_ids_are_those_of_tokenizers_with_our_file(hugging_face_pairs, text):
    for tokenizer, theirs in hugging_face_pairs:
        ids = tokenizer.encode(text)
        assert theirs.encode(text).ids == ids
        assert theirs.decode(ids, skip_special_tokens=False) == text


def test_special_tokens_of_the_file_have_their_ids(hugging_face_pairs):
    for tokenizer, theirs in hugging_face_pairs:
        text = "low<|end|> lowest<|endoftext|>"
        assert theirs.encode(text).ids == tokenizer.encode(text, allowed_special="all")
        assert theirs.get_vocab_size() == tokenizer.vocab_size


def test_published_vocabularies_go_to_tokenizers(published_pairs, tmp_path):
    for tokenizer, _ in published_pairs:
        tokenizer.to_hugging_face(tmp_path / "tokenizer.json")
        theirs = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
        for text in SAMPLES:
            assert theirs.encode(text + "<|endoftext|>").ids == tokenizer.encode(
                text + "<|endoftext|>", allowed_special="all"
            )


def test_characters_are_classed_differently_exactly_where_it_is_said():
    for name, ranges in DIFFERENCES.items():
        single_bytes = {bytes([i]): i for i in range(256)}
        theirs = tiktoken.Encoding("class", pat_str=name, mergeable_ranks=single_bytes, special_tokens={})

        def differs(point, name=name, theirs=theirs):
            return bool(regex.match(name, chr(point))) != bool(theirs.encode_ordinary(chr(point)))

        for first, last in ranges:
            assert all(map(differs, range(first, last + 1)))
            assert not differs(first - 1)
            assert not differs(last + 1)
        assert not any(map(differs, [*range(0x300), *range(0x4E00, 0x4E10), 0x1F600]))
    assert DIFFERENCES[r"\s"] == []


def test_a_character_that_is_classed_differently_can_be_cut_differently(pairs):
    for ranges in DIFFERENCES.values():
        for first, _ in ranges[:1]:
            text = "a" + chr(first)
            for tokenizer, encoding in pairs:
                assert tokenizer.decode(encoding.encode_ordinary(text)) == text
                assert encoding.decode(tokenizer.encode(text)) == text


def test_from_tiktoken_undoes_to_tiktoken(small):
    back = BPETokenizer.from_tiktoken(small.to_tiktoken())
    assert (back.ranks, back.pattern, back.special_tokens) == (small.ranks, small.pattern, small.special_tokens)


def test_a_tiktoken_file_is_read_with_the_pattern_given(small, tmp_path):
    path = tmp_path / "small.tiktoken"
    lines = [base64.b64encode(token) + f" {rank}".encode() for token, rank in small.ranks.items()]
    path.write_bytes(b"\n".join(lines) + b"\n")
    loaded = BPETokenizer.from_tiktoken(path, pattern=small.pattern, special_tokens=small.special_tokens)
    assert (loaded.ranks, loaded.special_tokens) == (small.ranks, small.special_tokens)
    assert BPETokenizer.from_tiktoken(str(path), pattern=small.pattern).special_tokens == {}
    with pytest.raises(TokenizerError, match="no pattern"):
        BPETokenizer.from_tiktoken(path)


@pytest.mark.parametrize("line", [b"YQ==", b"YQ== x", b"?? 3", b"YQ== 1 2"])
def test_a_damaged_tiktoken_file_is_refused_with_the_line(tmp_path, line):
    path = tmp_path / "bad.tiktoken"
    path.write_bytes(b"YQ== 0\n\n" + line + b"\n")
    with pytest.raises(TokenizerError, match=r"line 3 of .*bad\.tiktoken"):
        BPETokenizer.from_tiktoken(path, pattern="gpt2")


def test_a_source_that_is_none_gets_an_error():
    with pytest.raises(TokenizerError, match="no file and no encoding"):
        BPETokenizer.from_tiktoken("no_such_base")
    with pytest.raises(TokenizerError, match="int is no tiktoken encoding"):
        BPETokenizer.from_tiktoken(3)


def test_without_tiktoken_the_error_says_what_to_install(small, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "tiktoken", None)
    with pytest.raises(ImportError, match="pip install tiktoken"):
        small.to_tiktoken()
    with pytest.raises(ImportError, match="pip install tiktoken"):
        bpe_convert.class_differences()


def test_a_special_token_that_the_file_cannot_tell_apart_is_refused(tmp_path):
    tokenizer = BPETokenizer({bytes([i]): i for i in range(256)} | {b"ab": 256}, special_tokens={"ab": 257})
    with pytest.raises(TokenizerError, match=r"spelled like an ordinary one: \['ab'\]"):
        tokenizer.to_hugging_face(tmp_path / "tokenizer.json")
    assert not (tmp_path / "tokenizer.json").exists()
