"""WordPiece gives the ids that Hugging Face gives, and learns what its definition says."""

import math
import unicodedata
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from minigpt.tokenizers import TokenizerError, WordPieceTokenizer
from minigpt.tokenizers.wordpiece import BERT_SPECIAL_TOKENS, basic_tokens, spell
from minigpt.tokenizers.wordpiece_training import SCORES, join, learn_merges, neighbours

TEXTS = [
    "The unaffable baker baked a naïve cake, didn't she? Baking bakers bake.",
    "Größe, Straße, ΣΟΦΟΣ, İstanbul — 日本語 and 한국어; $100^2 ~ <b>.",
]
OPTIONS = [{"lowercase": lower, "strip_accents": strip} for lower in (True, False) for strip in (None, True, False)]


@pytest.fixture(scope="module")
def tokenizers():
    return pytest.importorskip("tokenizers")


@pytest.fixture(scope="module")
def theirs(tokenizers):
    """Words as Hugging Face cuts them, for given options."""
    cutter = tokenizers.pre_tokenizers.BertPreTokenizer()

    def words(text, *, lowercase=True, strip_accents=None):
        normalizer = tokenizers.normalizers.BertNormalizer(lowercase=lowercase, strip_accents=strip_accents)
        return [word for word, _ in cutter.pre_tokenize_str(normalizer.normalize_str(text))]

    return words


@pytest.fixture(scope="module")
def parted(theirs):
    """The characters that Python and Hugging Face treat differently, found by trying all that may have a meaning."""

    def search(chars):
        text = " ".join(f"a{char}b" for char in chars)
        if all(basic_tokens(text, **options) == theirs(text, **options) for options in (OPTIONS[0], OPTIONS[5])):
            return set()
        if len(chars) == 1:
            return set(chars)
        half = len(chars) // 2
        return search(chars[:half]) | search(chars[half:])

    # Planes 4 to 13 are empty, 15 and 16 for private use.
    chars = [chr(code) for code in range(0x40000) if not 0xD800 <= code < 0xE000]
    chars += [chr(code) for code in range(0xE0000, 0xE1000)]
    found = set()
    for start in range(0, len(chars), 512):
        found |= search(chars[start : start + 512])
    return found


def twin(tokenizers, ours):
    """Hugging Face's tokenizer with the vocabulary and the options of ours."""
    vocabulary = {token: i for i, token in enumerate(ours.tokens)}
    model = tokenizers.models.WordPiece(
        vocabulary, unk_token="[UNK]", max_input_chars_per_word=ours.max_input_chars_per_word
    )
    theirs = tokenizers.Tokenizer(model)
    theirs.normalizer = tokenizers.normalizers.BertNormalizer(
        lowercase=ours.lowercase, strip_accents=ours.strip_accents
    )
    theirs.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    theirs.decoder = tokenizers.decoders.WordPiece(cleanup=False)
    return theirs


def test_python_and_hugging_face_part_only_where_their_unicode_tables_do(parted):
    # Categories that decide: marks are stripped, punctuation stands alone, format characters go. Hugging Face has them
    # as they were in Unicode 8.0, but lower case as in a version newer than Python's.
    recategorised = set("\u166d\u1734\u1885\u1886")
    assert all(unicodedata.ucd_3_2_0.category(char) == "Cn" for char in parted - recategorised)
    kinds = Counter(unicodedata.category(char) for char in parted - recategorised)
    assert set(kinds) <= {"Mn", "Mc", "Po", "Ps", "Pe", "Pd", "Cf", "Cn", "Lu"}
    assert sum(kinds.values()) < 1000
    new_in_8, new_in_9 = "\ua69e\u08e3\U000111ca", "\u08d4\U0001e000\U0001144b"
    assert parted & set(new_in_8 + new_in_9) == set(new_in_9)


@given(text=st.text(), options=st.sampled_from(OPTIONS))
@example(text="ΟΔΥΣΣΕΥΣ Σ ΑΣ", options=OPTIONS[0])
@example(text="\u0300a\u0323\u0301 İI\u0307 ǅ ﬁ \u0345Ὕ", options=OPTIONS[0])
@example(text="a\u200db\u00adc\ufeffd\u2028e\x1cf\x85g\ufffdh\0i", options=OPTIONS[3])
@example(text="Don't——stop...$5^2 漢字かな한국", options=OPTIONS[2])
def test_words_are_those_of_hugging_face(parted, theirs, text, options):
    text = "".join(char for char in text if char not in parted)
    assert basic_tokens(text, **options) == theirs(text, **options)


@pytest.mark.parametrize("options", OPTIONS)
def test_ids_and_texts_are_those_of_hugging_face(tokenizers, options):
    ours = WordPieceTokenizer.train(TEXTS, 200, **options)
    other = twin(tokenizers, ours)

    @given(st.lists(st.sampled_from([*TEXTS[0].split(), *TEXTS[1].split(), "zebra", "bakerbake", "\n", "aké"])))
    def check(words):
        text = " ".join(words)
        ids = ours.encode(text)
        assert ids == other.encode(text).ids
        assert ours.decode(ids) == other.decode(ids, skip_special_tokens=False)

    check()


@given(st.text(alphabet="abc", min_size=1, max_size=12))
def test_a_word_is_covered_from_the_left_by_the_longest_pieces(tokenizers, word):
    ours = WordPieceTokenizer(["[UNK]", "a", "ab", "##a", "##b", "##bc", "##ca"], max_input_chars_per_word=10)
    assert ours.encode(word) == twin(tokenizers, ours).encode(word).ids


@given(st.lists(st.integers(0, 6), max_size=8))
def test_decoding_any_ids_agrees_with_hugging_face(tokenizers, ids):
    ours = WordPieceTokenizer(["[UNK]", "a", "ab", "##a", "##b", "##", "##ca"])
    assert ours.decode(ids) == twin(tokenizers, ours).decode(ids, skip_special_tokens=False)


def test_a_word_that_cannot_be_covered_is_unknown_as_a_whole():
    ours = WordPieceTokenizer(["[UNK]", "a", "##b"], max_input_chars_per_word=3)
    assert [ours.encode(word) for word in ("abb", "abx", "abbb", "b")] == [[1, 2, 2], [0], [0], [0]]
    assert ours.decode([1, 2, 0, 1]) == "ab [UNK] a"
    assert [ours.token_bytes(i) for i in range(3)] == [b"[UNK]", b"a", b"b"]


def test_case_accents_and_spacing_are_lost_and_nothing_else_of_known_words():
    ours = WordPieceTokenizer.train(["naive cafe , hello !"], 60)
    assert ours.decode(ours.encode("  Naïve\tCAFÉ, hello!\n")) == "naive cafe , hello !"
    cased = WordPieceTokenizer.train(["Naïve"], 60, lowercase=False)
    assert cased.decode(cased.encode("Naïve")) == "Naïve"


def test_text_that_spells_a_name_in_brackets_gives_no_special_token():
    ours = WordPieceTokenizer.train(TEXTS, 150, special_tokens=BERT_SPECIAL_TOKENS)
    special = set(ours.special_tokens.values())
    assert not special & set(ours.encode("[CLS] [MASK] [UNK] [PAD]"))
    assert ours.encode("[CLS]a[SEP]", allowed_special="all") == [
        ours.special_tokens["[CLS]"],
        *ours.encode("a"),
        ours.special_tokens["[SEP]"],
    ]


def merged_by_definition(word, pair):
    """The word with `None` for each place where the pair is joined, from the left."""
    parts = []
    for symbol in word:
        # The pair starts with a part of the word as it was, never with one that this merge made.
        if parts and (parts[-1], symbol) == pair:
            parts[-1] = None
        else:
            parts.append(symbol)
    return parts


def merges_by_definition(words, n_merges, score, min_count):
    """Count everything anew for every merge."""
    words = dict(words)
    known = {symbol for word in words for symbol in word}
    learned = []
    while len(learned) < n_merges:
        symbols, pairs = Counter(), Counter()
        for word, n in words.items():
            for symbol in word:
                symbols[symbol] += n
            for pair in set(pairwise(word)):
                pairs[pair] += n * merged_by_definition(word, pair).count(None)
        ranked = [
            (-score(n, symbols[a], symbols[b], symbols.total(), a == b), -n, (a, b))
            for (a, b), n in pairs.items()
            if n >= min_count
        ]
        if not ranked or min(ranked)[0] >= 0:
            break
        pair = min(ranked)[2]
        merged = Counter()
        for word, n in words.items():
            merged[tuple(symbol or join(pair) for symbol in merged_by_definition(word, pair))] += n
        words = merged
        if join(pair) not in known:
            known.add(join(pair))
            learned.append(join(pair))
    return learned


@pytest.mark.parametrize("name", sorted(SCORES))
def test_merges_are_those_of_the_definition(name):
    words = st.dictionaries(st.text(alphabet="abc", min_size=1, max_size=8), st.integers(1, 9), max_size=8)

    @given(words, st.integers(1, 3))
    def check(words, min_count):
        spelled = {spell(word): n for word, n in words.items()}
        expected = merges_by_definition(spelled, 20, SCORES[name], min_count)
        assert learn_merges(spelled, 20, score=SCORES[name], min_count=min_count) == expected

    check()


@pytest.mark.parametrize("before", ["ababacbd", "aabaaabd", "aaaa", "aa"])
def test_likelihood_is_what_a_merge_adds_to_the_likelihood(before):
    def log_likelihood(symbols):
        counts = Counter(symbols)
        return sum(n * math.log(n / len(symbols)) for n in counts.values())

    for a, b in sorted(set(pairwise(before))):
        after = merged_by_definition(before, (a, b))
        gain = log_likelihood(after) - log_likelihood(before)
        n_ab = Counter(neighbours(before))[a, b]
        assert n_ab == after.count(None)
        found = SCORES["likelihood"](n_ab, before.count(a), before.count(b), len(before), a == b)
        assert found == pytest.approx(gain, abs=1e-12)


def test_the_ratio_prefers_rare_pairs_and_the_likelihood_frequent_ones():
    words = {spell("the"): 1000, spell("ox"): 2, spell("hat"): 500}
    assert learn_merges(words, 1, score=SCORES["ratio"]) == ["ox"]
    assert learn_merges(words, 1, score=SCORES["likelihood"]) == ["##he"]


def test_the_vocabulary_is_unk_then_characters_then_merges_then_special_tokens():
    ours = WordPieceTokenizer.train(["ab ab ab b"], 8, special_tokens=["[PAD]"])
    assert ours.tokens == ("[UNK]", "a", "##b", "b", "ab", "[PAD]")


def test_rare_characters_can_be_left_out():
    ours = WordPieceTokenizer.train(["aa aa ab"], 50, limit_alphabet=1)
    assert ours.tokens == ("[UNK]", "##a", "a", "aa")
    assert ours.encode("aa ab") == [3, 0]


def test_a_vocabulary_file_of_bert_can_be_read(tmp_path):
    path = tmp_path / "vocab.txt"
    path.write_text("[PAD]\n[unused0]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n!\nhello\n##s\n\u2028\n", encoding="utf-8")
    ours = WordPieceTokenizer.from_vocab_file(path, lowercase=True)
    assert ours.special_tokens == {"[PAD]": 0, "[CLS]": 3, "[SEP]": 4, "[MASK]": 5}
    assert (ours.vocab_size, ours.unk_id) == (10, 2)
    assert ours.encode("Hellos!") == [7, 8, 6]


def test_wrong_arguments_are_explained():
    with pytest.raises(TokenizerError, match="needs the token '\\[UNK\\]'"):
        WordPieceTokenizer(["a"])
    with pytest.raises(TokenizerError, match="max_input_chars_per_word=0"):
        WordPieceTokenizer(["[UNK]"], max_input_chars_per_word=0)
    with pytest.raises(TokenizerError, match="score='count' is not known"):
        WordPieceTokenizer.train(["a"], 10, score="count")
    with pytest.raises(TokenizerError, match="at least 4: '\\[UNK\\]', 3 characters"):
        WordPieceTokenizer.train(["abc"], 3)
