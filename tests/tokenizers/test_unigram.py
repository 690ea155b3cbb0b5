"""Unigram finds the best cut, gives the ids that Hugging Face gives, and learns by an EM that climbs."""

import itertools
import math
import random
from collections import Counter

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from minigpt.tokenizers import Tokenizer, TokenizerError, UnigramTokenizer
from minigpt.tokenizers.unigram_training import (
    Lattices,
    count_chunks,
    frequent_substrings,
    learn_pieces,
)

BYTES = [(f"<0x{value:02X}>", 0.0) for value in range(256)]
TOY = [("<unk>", 0.0), ("a", -2.0), ("b", -2.5), ("▁", -3.0), ("ab", -3.1), ("▁a", -3.3), ("ba", -4.25), ("▁bab", -5.5)]
TEXTS = [
    "The red hat is on the bench. Ana gives the red hat to Ben, and Ben gives Ana a blue cup.\n",
    'Where is the cup? Ana has it: "I don\'t know", says Ben - größer, 2345 and 日本.\n\n\tEnd.\n',
]
texts = st.text() | st.text(alphabet="ab ▁\nc<0x41>é")


@pytest.fixture(scope="module")
def tokenizers():
    return pytest.importorskip("tokenizers")


def twin(tokenizers, ours):
    """Hugging Face's tokenizer with the pieces and the options of ours."""
    vocabulary = list(zip(ours.tokens, ours.scores, strict=True))
    scheme = "always" if ours.add_prefix_space else "never"
    decoders = tokenizers.decoders
    theirs = tokenizers.Tokenizer(
        tokenizers.models.Unigram(vocabulary, unk_id=ours.unk_id, byte_fallback=ours.byte_fallback)
    )
    theirs.pre_tokenizer = tokenizers.pre_tokenizers.Metaspace(prepend_scheme=scheme)
    theirs.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace(prepend_scheme=scheme)])
    return theirs


def all_cuts(ours, text):
    """Every way to cut a text into pieces of the toy vocabulary, with its score."""
    lookup = {name.replace("▁", " "): (i, ours.scores[i]) for i, name in enumerate(ours.tokens) if i != ours.unk_id}
    cuts = []
    for marks in itertools.product([False, True], repeat=max(len(text) - 1, 0)):
        borders = [0, *[i + 1 for i, mark in enumerate(marks) if mark], len(text)]
        pieces = [text[i:j] for i, j in itertools.pairwise(borders)] if text else []
        if all(piece in lookup for piece in pieces):
            cuts.append(([lookup[piece][0] for piece in pieces], sum(lookup[piece][1] for piece in pieces)))
    return cuts


@pytest.fixture(
    scope="module", params=["toy", "toy with bytes", "trained", "trained with bytes", "trained with prefix"]
)
def ours(request):
    return {
        "toy": lambda: UnigramTokenizer(TOY),
        "toy with bytes": lambda: UnigramTokenizer(TOY + BYTES, byte_fallback=True),
        "trained": lambda: UnigramTokenizer.train(TEXTS, 120, byte_fallback=False),
        "trained with bytes": lambda: UnigramTokenizer.train(TEXTS, 370),
        "trained with prefix": lambda: UnigramTokenizer.train(TEXTS, 370, add_prefix_space=True),
    }[request.param]()


@given(text=texts)
@example(text="The hat's größer\n\n  日本 語 \t Ana")
@example(text="ccc abcc\u0301 ☃☃")
def test_ids_are_those_of_hugging_face(tokenizers, ours, text):
    # What sets them apart is tested below: names in the text, a ▁ in the text, a space that is there already.
    assume("▁" not in text)
    assume("<" not in text)
    assume(not (ours.add_prefix_space and text.startswith(" ")))
    theirs = twin(tokenizers, ours)
    ids = ours.encode(text)
    assert ids == theirs.encode(text).ids
    assert ours.decode(ids) == theirs.decode(ids, skip_special_tokens=False)


def test_a_text_cannot_forge_a_byte_or_a_space_here(tokenizers):
    ours = UnigramTokenizer(TOY + BYTES, byte_fallback=True)
    theirs = twin(tokenizers, ours)
    name = ours.token_to_id("<0x41>")
    assert (name in ours.encode("<0x41>"), name in theirs.encode("<0x41>").ids) == (False, True)
    assert ours.decode(ours.encode("a▁a")) == "a▁a"
    assert theirs.decode(theirs.encode("a▁a").ids) == "a a"


@given(text=texts)
def test_with_bytes_every_text_comes_back(text):
    for ours in (BYTE_TOY, PREFIX_TOY):
        assert ours.decode(ours.encode(text), errors="strict") == text


BYTE_TOY = UnigramTokenizer(TOY + BYTES, byte_fallback=True)
PREFIX_TOY = UnigramTokenizer(TOY + BYTES, byte_fallback=True, add_prefix_space=True)


@given(text=st.text(alphabet="ab ▁cé", max_size=12))
def test_without_bytes_a_run_of_unknown_characters_is_one_unk(text):
    ours = UnigramTokenizer(TOY)
    expected = ""
    for unit in text.replace(" ", "\0 ").split("\0"):
        for known, run in itertools.groupby(unit, "ab ".__contains__):
            expected += "".join(run) if known else "<unk>"
    assert ours.decode(ours.encode(text)) == expected


def test_a_prefix_is_put_before_every_text_and_taken_away():
    pieces = [*TOY, *BYTES, ("<|end|>", 0.0)]
    ours = UnigramTokenizer(pieces, {"<|end|>": 264}, byte_fallback=True, add_prefix_space=True)
    ids = ours.encode("a<|end|>ab b", allowed_special="all")
    assert [ours.tokens[i] for i in ids] == ["▁a", "<|end|>", "▁a", "b", "▁", "b"]
    assert ours.decode(ids) == "a<|end|>ab b"
    assert ours.encode("") == []


@given(st.text(alphabet="ab ", max_size=9))
def test_encode_takes_the_best_of_all_cuts(text):
    ours = UnigramTokenizer(TOY)
    ids = ours.encode(text)
    assert ours.score(ids) == pytest.approx(max(score for _, score in all_cuts(ours, text)), abs=1e-12)


@given(st.text(alphabet="ab ", max_size=9), st.integers(1, 40))
def test_nbest_gives_the_best_cuts_in_order(text, n):
    ours = UnigramTokenizer(TOY)
    found = ours.nbest(text, n)
    expected = sorted((score for _, score in all_cuts(ours, text)), reverse=True)[:n]
    assert [score for _, score in found] == pytest.approx(expected, abs=1e-12)
    assert len({tuple(ids) for ids, _ in found}) == len(found)
    for ids, score in found:
        assert ours.decode(ids) == text
        assert ours.score(ids) == pytest.approx(score, abs=1e-12)


def test_unknown_characters_have_a_score_ten_below_the_worst():
    ours = UnigramTokenizer(TOY)
    assert ours.score(ours.encode("ac")) == -2.0 + (-5.5 - 10.0)
    assert ours.nbest("ac", 5) == [([1, 0], -17.5)]
    # All bytes of one character are one stand-in.
    for ids, score in BYTE_TOY.nbest("aé☃", 5):
        assert BYTE_TOY.score(ids) == score == -2.0 - 15.5 - 15.5


@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_samples_follow_the_probabilities(alpha):
    ours = UnigramTokenizer(TOY)
    text = "abab bab"
    weights = {tuple(ids): math.exp(alpha * score) for ids, score in all_cuts(ours, text)}
    rng = random.Random(7)
    n = 4000
    drawn = Counter(tuple(ours.sample(text, rng, alpha=alpha)) for _ in range(n))
    assert set(drawn) <= set(weights)
    total = sum(weights.values())
    for cut, weight in weights.items():
        p = weight / total
        # Five standard deviations: one test in a million would fail by chance, and the seed is fixed.
        assert abs(drawn[cut] / n - p) < 5 * math.sqrt(p * (1 - p) / n)


def test_a_seed_gives_the_same_sample_and_a_large_alpha_the_best_cut():
    ours = UnigramTokenizer.train(TEXTS, 120, byte_fallback=False)
    assert ours.sample(TEXTS[0], 1, alpha=0.1) == ours.sample(TEXTS[0], 1, alpha=0.1)
    assert ours.sample(TEXTS[0], 1, alpha=0.1) != ours.sample(TEXTS[0], 2, alpha=0.1)
    assert ours.sample(TEXTS[0], 3, alpha=1000.0) == ours.encode(TEXTS[0])


@given(text=texts, seed=st.integers(0, 99))
def test_a_sample_is_a_cut_of_the_text(text, seed):
    for ours in (BYTE_TOY, PREFIX_TOY):
        assert ours.decode(ours.sample(text, seed, alpha=0.2), errors="strict") == text


@given(st.text(alphabet="ab c▁\n", max_size=40))
def test_bytes_of_tokens_joined_are_the_text(text):
    ids = BYTE_TOY.encode(text)
    assert b"".join(map(BYTE_TOY.token_bytes, ids)) == text.encode("utf-8")


def test_invalid_bytes_are_replaced_or_refused():
    ids = [BYTE_TOY.token_to_id("<0xE2>"), BYTE_TOY.token_to_id("a")]
    assert BYTE_TOY.decode(ids) == "\ufffda"
    with pytest.raises(UnicodeDecodeError):
        BYTE_TOY.decode(ids, errors="strict")


def test_a_long_text_without_spaces_takes_time_in_proportion():
    ours = UnigramTokenizer.train(["a" * 50], 270)
    assert ours.decode(ours.encode("a" * 100_000)) == "a" * 100_000


class TestTraining:
    def test_the_vocabulary_has_its_size_and_order(self):
        ours = UnigramTokenizer.train(TEXTS, 330, special_tokens=["<|end|>"])
        assert ours.vocab_size == 330
        assert ours.tokens[0] == "<unk>"
        assert ours.tokens[1:257] == tuple(name for name, _ in BYTES)
        assert ours.tokens[-1] == "<|end|>"
        scores = ours.scores[257:-1]
        assert list(scores) == sorted(scores, reverse=True)
        assert sum(map(math.exp, scores)) == pytest.approx(1, abs=1e-6)

    def test_training_twice_gives_the_same_file(self, tmp_path):
        for name in ("a.json", "b.json"):
            UnigramTokenizer.train(TEXTS, 370).save(tmp_path / name)
        assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()

    def test_pieces_do_not_mix_letters_digits_and_signs(self):
        ours = UnigramTokenizer.train(["one2three, (four)\nfive's 12.5%\n"] * 9, 340)
        for piece in ours.tokens[257:]:
            inner = piece.removeprefix("▁")
            assert len({(c.isalpha(), c.isdigit()) for c in inner}) <= 1
            assert "▁" not in inner
            assert not (len(inner) > 1 and "\n" in inner)

    def test_rare_characters_are_left_to_bytes(self):
        ours = UnigramTokenizer.train(["a" * 999 + "é"], 300, character_coverage=0.999)
        assert "é" not in ours.tokens
        assert [ours.tokens[i] for i in ours.encode("é")] == ["<0xC3>", "<0xA9>"]
        assert "é" in UnigramTokenizer.train(["a" * 999 + "é"], 300, character_coverage=1.0).tokens

    def test_a_sign_that_stands_for_a_space_is_never_learned_from_text(self):
        ours = UnigramTokenizer.train(["a▁b a▁b ▁▁ c"] * 5, 300)
        assert not any("▁" in piece.removeprefix("▁") for piece in ours.tokens)
        assert ours.decode(ours.encode("a▁b c")) == "a▁b c"

    @given(st.dictionaries(st.text(alphabet="ab", min_size=1, max_size=7), st.integers(1, 5), max_size=5))
    def test_seeds_are_the_frequent_substrings_that_do_not_always_grow(self, chunks):
        counts = Counter()
        for chunk, n in chunks.items():
            for i, j in itertools.combinations(range(len(chunk) + 1), 2):
                counts[chunk[i:j]] += n
        expected = {
            piece: n
            for piece, n in counts.items()
            if len(piece) in range(2, 5)
            and n > 1
            and not (len(piece) < 4 and any(counts[piece + char] == n for char in "ab"))
        }
        assert frequent_substrings(chunks, 4) == expected

    @given(
        st.dictionaries(st.text(alphabet="ab", min_size=1, max_size=6), st.integers(1, 5), min_size=1, max_size=5),
        st.lists(st.floats(0.05, 1.0), min_size=5, max_size=5),
    )
    def test_expected_counts_are_those_of_all_cuts(self, chunks, weights):
        pieces = ["a", "b", "ab", "ba", "aab"]
        probabilities = np.array(weights) / sum(weights)
        lookup = dict(zip(pieces, probabilities, strict=True))
        expected, log_likelihood, best = Counter(), 0.0, []
        for chunk, n in chunks.items():
            cuts = []
            for marks in itertools.product([False, True], repeat=len(chunk) - 1):
                borders = [0, *[i + 1 for i, mark in enumerate(marks) if mark], len(chunk)]
                cut = [chunk[i:j] for i, j in itertools.pairwise(borders)]
                if all(piece in lookup for piece in cut):
                    cuts.append((cut, math.prod(lookup[piece] for piece in cut)))
            total = sum(p for _, p in cuts)
            log_likelihood += n * math.log(total)
            best.append(math.log(max(p for _, p in cuts)))
            for cut, p in cuts:
                for piece in cut:
                    expected[piece] += n * p / total
        lattices = Lattices(list(chunks), pieces, 3)
        counts, found = lattices.expected_counts(probabilities, np.array(list(chunks.values()), dtype=float))
        np.testing.assert_allclose(counts, [expected[piece] for piece in pieces], rtol=1e-9, atol=1e-12)
        assert found == pytest.approx(log_likelihood, rel=1e-9)
        np.testing.assert_allclose(lattices.best(np.log(probabilities)), best, rtol=1e-9)

    def test_every_em_step_raises_the_likelihood(self):
        chunks, alphabet = count_chunks(TEXTS)
        pieces = [*alphabet, *frequent_substrings(chunks, 8)]
        lattices = Lattices(list(chunks), pieces, 8)
        counts = np.array(list(chunks.values()), dtype=float)
        probabilities = np.full(len(pieces), 1 / len(pieces))
        likelihoods = []
        for _ in range(10):
            expected, likelihood = lattices.expected_counts(probabilities, counts)
            likelihoods.append(likelihood)
            probabilities = expected / expected.sum()
        assert all(later > earlier for earlier, later in itertools.pairwise(likelihoods))

    def test_forgetting_pieces_is_the_same_as_never_having_had_them(self):
        chunks, alphabet = count_chunks(TEXTS)
        pieces = [*alphabet, *frequent_substrings(chunks, 8)]
        kept = np.array([len(piece) == 1 or i % 3 > 0 for i, piece in enumerate(pieces)])
        fewer = [piece for piece, keep in zip(pieces, kept, strict=True) if keep]
        logs = np.log(np.linspace(1, 2, len(fewer)) / len(fewer))
        shrunk = Lattices(pieces, pieces, 8, whole=False)
        shrunk.keep(kept, kept)
        fresh = Lattices(fewer, fewer, 8, whole=False)
        many = np.array([len(piece) > 1 for piece in fewer])
        np.testing.assert_array_equal(shrunk.best(logs)[many], fresh.best(logs)[many])

    def test_what_is_learned_beats_the_characters_and_a_larger_vocabulary_beats_a_smaller_one(self):
        chunks, alphabet = count_chunks(TEXTS * 5)
        counts = np.array(list(chunks.values()), dtype=float)
        likelihoods = []
        for size in (len(alphabet), 60, 90):
            learned = learn_pieces(chunks, alphabet, size)
            assert len(learned) == size
            lattices = Lattices(list(chunks), [piece for piece, _ in learned], 16)
            likelihoods.append(lattices.expected_counts(np.exp([score for _, score in learned]), counts)[1])
        assert likelihoods == sorted(likelihoods)


def test_a_published_vocabulary_can_be_put_together(tmp_path):
    # The layout of Llama 1 and 2: <unk>, <s> and </s>, the bytes, the pieces.
    pieces = [("<unk>", 0.0), ("<s>", 0.0), ("</s>", 0.0), *BYTES, *TOY[1:]]
    ours = UnigramTokenizer(pieces, {"<s>": 1, "</s>": 2}, byte_fallback=True, add_prefix_space=True)
    ours.save(tmp_path / "llama.json")
    again = Tokenizer.load(tmp_path / "llama.json")
    assert again.encode("<s>ab é</s>", allowed_special=["</s>"]) == ours.encode("<s>ab é</s>", allowed_special=["</s>"])
    assert again.encode("ab é</s>", allowed_special="all")[-1] == 2
    assert 1 not in again.encode("<s>")


def test_wrong_arguments_are_explained():
    with pytest.raises(TokenizerError, match="needs the 256 tokens <0x00> to <0xFF>; 0 are there"):
        UnigramTokenizer(TOY, byte_fallback=True)
    with pytest.raises(TokenizerError, match="needs the token '<unk>'"):
        UnigramTokenizer(TOY[1:])
    with pytest.raises(TokenizerError, match="at least one piece"):
        UnigramTokenizer(TOY[:1])
    with pytest.raises(TokenizerError, match="the score of 'a' is nan"):
        UnigramTokenizer([("<unk>", 0.0), ("a", math.nan)])
    with pytest.raises(TokenizerError, match="'a' is token 1 and token 8"):
        UnigramTokenizer([*TOY, ("a", -1.0)])
    with pytest.raises(TokenizerError, match="n=0 must be at least 1"):
        UnigramTokenizer(TOY).nbest("a", 0)
    with pytest.raises(TokenizerError, match="alpha=-1"):
        UnigramTokenizer(TOY).sample("a", 0, alpha=-1)
    with pytest.raises(TokenizerError, match=r"character_coverage=1.5"):
        UnigramTokenizer.train(TEXTS, 300, character_coverage=1.5)
    with pytest.raises(TokenizerError, match="max_piece_length=0"):
        UnigramTokenizer.train(TEXTS, 300, max_piece_length=0)
    with pytest.raises(TokenizerError, match="at least 259: 257 reserved tokens, 2 characters"):
        UnigramTokenizer.train(["ab"], 258)
