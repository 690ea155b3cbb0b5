"""WordPiece (chapter 2): the tokenizer of BERT, greedy and lossy."""

from __future__ import annotations

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from minigpt.tokenizers.base import TokenizerError
from minigpt.tokenizers.cache import Cache
from minigpt.tokenizers.vocabulary import (
    VocabularyTokenizer,
    append_special_tokens,
    listed,
    ordinary_texts,
    require_room,
    require_tokens,
    special_names,
    switch,
)
from minigpt.tokenizers.wordpiece_training import SCORES, learn_merges

BERT_SPECIAL_TOKENS = ("[PAD]", "[CLS]", "[SEP]", "[MASK]")
"""The special tokens of BERT; `"[UNK]"` is always in the vocabulary, since text does produce it."""

_PREFIX = "##"
# What stands between two of these white-space characters is cut into words by itself, so its ids can be remembered.
_RUN = re.compile(r"[^ \t\n\r]+")


class WordPieceTokenizer(VocabularyTokenizer):
    """BERT's tokenizer: normalise, cut into words, and cover each word from the left by the longest pieces there are.

    Normalising drops control characters, turns every white space into a space and, where asked to, drops accents and
    lowers case; a word is then a run without white space, and every punctuation mark and every Chinese character is
    one by itself. A piece that continues a word begins with `##`. A word that the pieces cannot cover, or with more
    than `max_input_chars_per_word` characters, becomes `"[UNK]"` as a whole.

    Case, accents and spacing are lost: `decode` puts one space between words.

    Source: Devlin et al. (2019), section 3, and the code published with it; ids are those of Hugging Face's
    `BertNormalizer`, `BertPreTokenizer` and `WordPiece` for all characters of which both know the same: their table of
    categories is that of Unicode 8.0, Python 3.11 has 14.0, so that some 500 newer marks and punctuation signs are
    dropped or stand alone here and not there. Like theirs, case is lowered one character at a time, so that a capital
    sigma at the end of a word becomes σ, not ς.

    Args:
        tokens: the string of each id, special tokens included, as in a `vocab.txt` of BERT.
        special_tokens: name to id for those of `tokens` that are special.
        lowercase: lower the case of all letters.
        strip_accents: decompose characters and drop the marks; `None` does so when `lowercase` is set.
        max_input_chars_per_word: a longer word becomes `"[UNK]"`.
    """

    kind = "wordpiece"
    unk_token: ClassVar[str] = "[UNK]"

    def __init__(
        self,
        tokens: Iterable[str],
        special_tokens: Mapping[str, int] | None = None,
        *,
        lowercase: bool = True,
        strip_accents: bool | None = None,
        max_input_chars_per_word: int = 100,
    ) -> None:
        super().__init__(tokens, special_tokens)
        if self.unk_id is None:
            raise TokenizerError(f"a WordPiece vocabulary needs the token {self.unk_token!r}")
        if not isinstance(max_input_chars_per_word, int) or max_input_chars_per_word < 1:
            raise TokenizerError(f"max_input_chars_per_word={max_input_chars_per_word!r} must be an integer from 1 on")
        self.lowercase = lowercase
        self.strip_accents = strip_accents
        self.max_input_chars_per_word = max_input_chars_per_word
        self._longest = max(len(token) for token in self._ids)
        self._run_ids = Cache(self._encode_run, 1 << 16)

    @classmethod
    def train(
        cls,
        texts: Iterable[str],
        vocab_size: int,
        *,
        score: Literal["likelihood", "ratio"] = "likelihood",
        min_count: int = 2,
        limit_alphabet: int = 1000,
        lowercase: bool = True,
        strip_accents: bool | None = None,
        special_tokens: Iterable[str] = (),
        progress: bool = False,
    ) -> Self:
        """Learn pieces by merging the best pair of neighbours again and again (ties: the more frequent, the smaller).

        Google never published its trainer. Schuster and Nakajima (2012), section 3, say that it takes the pair that
        raises the likelihood of the training data most, which is `score="likelihood"`. What is often taught in its
        place is `score="ratio"`, n(ab) / (n(a) n(b)): it compares how often a pair occurs with how often it would if
        its parts were independent, whatever its share of the text, and so spends the vocabulary on rare strings unless
        `min_count` is large. Hugging Face's `WordPieceTrainer` does neither: it is a BPE trainer, which goes by n(ab).

        The vocabulary is `"[UNK]"`, the characters by code point (each as first and as later piece of a word where it
        occurs so), the merged pieces in their order, and the special tokens.

        Args:
            texts: the corpus, read once; memory grows with the number of distinct words.
            vocab_size: at most so many tokens; less if no pair is left to merge.
            score: what the best pair is, as above.
            min_count: a pair that occurs less often is not merged.
            limit_alphabet: at most so many characters; words with others are left out, and encoded as `"[UNK]"`.
            lowercase, strip_accents: as for the class.
            special_tokens: names of special tokens, for BERT `BERT_SPECIAL_TOKENS`; they are cut out of the texts.
            progress: show a bar.

        Raises:
            TokenizerError: if the corpus is empty or `vocab_size` has no room for the characters.
        """
        if score not in SCORES:
            raise TokenizerError(f"score={score!r} is not known; use one of {sorted(SCORES)}")
        names = special_names(special_tokens)
        words: Counter[str] = Counter()
        for text in ordinary_texts(texts, names):
            words.update(basic_tokens(text, lowercase=lowercase, strip_accents=strip_accents))
        require_tokens(words)
        chars: Counter[str] = Counter()
        for word, n in words.items():
            for char in word:
                chars[char] += n
        known = set(sorted(chars, key=lambda char: (-chars[char], char))[:limit_alphabet])
        spelled = {spell(word): n for word, n in words.items() if known.issuperset(word)}
        alphabet = sorted({symbol for word in spelled for symbol in word}, key=lambda s: (s[-1], s))
        fixed = [cls.unk_token, *alphabet]
        require_room(
            vocab_size,
            len(fixed) + len(names),
            f"'[UNK]', {len(alphabet)} characters at the start or inside of words and {len(names)} special tokens "
            "(limit_alphabet lowers it)",
        )
        n_merges = vocab_size - len(fixed) - len(names)
        merged = learn_merges(spelled, n_merges, score=SCORES[score], min_count=min_count, progress=progress)
        tokens, special = append_special_tokens([*fixed, *merged], names)
        return cls(tokens, special, lowercase=lowercase, strip_accents=strip_accents)

    @classmethod
    def from_vocab_file(cls, path: str | os.PathLike[str], **options: Any) -> Self:
        """Read a `vocab.txt` of BERT: one token a line, the number of the line is the id.

        Args:
            path: the file.
            options: `lowercase`, `strip_accents` and `max_input_chars_per_word`, as for the class; a file does not
                say which of them its model was trained with.
        """
        tokens = Path(path).read_text(encoding="utf-8").removesuffix("\n").split("\n")
        places = {token: i for i, token in enumerate(tokens)}
        return cls(tokens, {name: places[name] for name in BERT_SPECIAL_TOKENS if name in places}, **options)

    def token_bytes(self, token_id: int) -> bytes:
        """The bytes of one token, without the `##` that marks a later piece of a word."""
        data = super().token_bytes(token_id)
        return data[2:] if len(data) > 2 and data.startswith(b"##") else data

    def safe_end(self, text: str) -> int:
        return max(text.rfind(" "), text.rfind("\n")) + 1

    def _encode_ordinary(self, text: str) -> list[int]:
        return list(chain.from_iterable(map(self._run_ids.__getitem__, _RUN.findall(text))))

    def _encode_run(self, run: str) -> tuple[int, ...]:
        words = basic_tokens(run, lowercase=self.lowercase, strip_accents=self.strip_accents)
        return tuple(chain.from_iterable(map(self._match, words)))

    def _match(self, word: str) -> tuple[int, ...]:
        if len(word) > self.max_input_chars_per_word:
            return (self.unk_id,)
        ids: list[int] = []
        start, prefix = 0, ""
        while start < len(word):
            for end in range(min(len(word), start + self._longest), start, -1):
                token_id = self._ids.get(prefix + word[start:end])
                if token_id is not None:
                    break
            else:
                return (self.unk_id,)
            ids.append(token_id)
            start, prefix = end, _PREFIX
        return tuple(ids)

    def _decode_ids(self, ids: Sequence[int], errors: Literal["replace", "strict"]) -> str:
        parts: list[str] = []
        for i in ids:
            token = self.tokens[i]
            if parts and token.startswith(_PREFIX):
                parts.append(token[len(_PREFIX) :])
            else:
                parts.append(f" {token}" if parts else token)
        return "".join(parts)

    def _to_dict(self) -> dict[str, Any]:
        return {
            "lowercase": self.lowercase,
            "strip_accents": self.strip_accents,
            "max_input_chars_per_word": self.max_input_chars_per_word,
            **super()._to_dict(),
        }

    @classmethod
    def _from_dict(cls, data: Mapping[str, Any], special_tokens: dict[str, int]) -> Self:
        return cls(
            listed(data, "tokens"),
            special_tokens,
            lowercase=switch(data, "lowercase"),
            strip_accents=None if data["strip_accents"] is None else switch(data, "strip_accents"),
            max_input_chars_per_word=data["max_input_chars_per_word"],
        )


def spell(word: str) -> tuple[str, ...]:
    """The pieces of one character that a word consists of before any merge: `("c", "##a", "##t")`."""
    return (word[0], *(_PREFIX + char for char in word[1:]))


def basic_tokens(text: str, *, lowercase: bool = True, strip_accents: bool | None = None) -> list[str]:
    """The words that BERT cuts a text into before WordPiece: see `WordPieceTokenizer`."""
    drop_marks = lowercase if strip_accents is None else strip_accents
    text = "".join(map(_clean, text))
    if drop_marks:
        text = "".join([c for c in unicodedata.normalize("NFD", text) if unicodedata.category(c) != "Mn"])
    if lowercase:
        # One character at a time: str.lower would turn the last sigma of a word into another letter.
        text = "".join(map(str.lower, text))
    words: list[str] = []
    for run in text.split(" "):
        start = 0
        for i, char in enumerate(run):
            if _is_punctuation(char):
                words += [part for part in (run[start:i], char) if part]
                start = i + 1
        if start < len(run):
            words.append(run[start:])
    return words


@lru_cache(maxsize=1 << 14)
def _clean(char: str) -> str:
    """What a character becomes at first: nothing, a space, itself, or (Chinese) itself between spaces."""
    if char in "\t\n\r":
        return " "
    if char == "\ufffd" or unicodedata.category(char) in ("Cc", "Cf", "Co", "Cs"):
        return ""
    if char.isspace():
        return " "
    return f" {char} " if _is_chinese(ord(char)) else char


def _is_chinese(code: int) -> bool:
    # The CJK ideographs that BERT lists, which leaves out kana and Hangul.
    return any(first <= code <= last for first, last in _CHINESE)


_CHINESE = (
    (0x4E00, 0x9FFF),
    (0x3400, 0x4DBF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F),
    (0x2B920, 0x2CEAF),
    (0xF900, 0xFAFF),
    (0x2F800, 0x2FA1F),
)


@lru_cache(maxsize=1 << 14)
def _is_punctuation(char: str) -> bool:
    # BERT counts all ASCII symbols as punctuation, such as "$" and "^", which Unicode does not.
    if char < "\x80":
        return char.isprintable() and not char.isalnum() and char != " "
    return unicodedata.category(char).startswith("P")
