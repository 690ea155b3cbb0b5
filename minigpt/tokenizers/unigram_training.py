"""Learning the pieces of a Unigram model: all frequent substrings first, then EM and pruning in turn."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby

import numpy as np
import regex
from tqdm.auto import tqdm

SPACE = "▁"
"""What stands for a space in the names of pieces (U+2581)."""

_CHUNK = regex.compile(r" ?[\p{L}\p{M}]+| ?\p{N}+| ?[^\s\p{L}\p{M}\p{N}]+|\s")
_LONGEST_CHUNK = 32
_SHRINK = 0.75
_EM_STEPS = 2
# With at most 32 characters a chunk, no product of probabilities leaves the range of a float64.
_LEAST_PROBABILITY = 1e-9


def count_chunks(texts: Iterable[str], character_coverage: float = 1.0) -> tuple[dict[str, int], list[str]]:
    """Cut texts into chunks that no piece reaches across, and choose the characters that become pieces.

    Returns:
        Chunk to its count (cut at characters left out, and every 32 characters), and the characters, frequent ones
        first, without `▁`.
    """
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(_CHUNK.findall(text))
    chars: Counter[str] = Counter()
    for chunk, n in counts.items():
        for char in chunk:
            chars[char] += n
    wanted = character_coverage * chars.total()
    alphabet: list[str] = []
    covered = 0
    for char in sorted(chars, key=lambda char: (-chars[char], char)):
        if covered >= wanted:
            break
        covered += chars[char]
        if char != SPACE:
            alphabet.append(char)
    known = set(alphabet)
    chunks: Counter[str] = Counter()
    for chunk, n in counts.items():
        for run in ("".join(run) for is_known, run in groupby(chunk, known.__contains__) if is_known):
            for start in range(0, len(run), _LONGEST_CHUNK):
                chunks[run[start : start + _LONGEST_CHUNK]] += n
    return dict(chunks), alphabet


def frequent_substrings(chunks: Mapping[str, int], max_length: int) -> dict[str, int]:
    """Substrings of two or more characters that occur twice, to how often they do.

    A substring that is always followed by one and the same character is left out, since the longer one serves in its
    place (these are the inner nodes of the suffix tree). They are found length by length: a substring can be frequent
    only if the one without its last character is.
    """
    places = [(chunk, n, range(len(chunk) - 1)) for chunk, n in chunks.items()]
    found: dict[str, int] = {}
    for length in range(2, max_length + 1):
        counts: defaultdict[str, int] = defaultdict(int)
        for chunk, n, starts in places:
            for start in starts:
                counts[chunk[start : start + length]] += n
        frequent = {piece: n for piece, n in counts.items() if n > 1}
        if not frequent:
            break
        for piece, n in frequent.items():
            if found.get(piece[:-1]) == n:
                del found[piece[:-1]]
        found |= frequent
        # The last place of a chunk has no further character to grow by.
        places = [
            (chunk, n, [i for i in starts if i + length < len(chunk) and chunk[i : i + length] in frequent])
            for chunk, n, starts in places
        ]
        places = [place for place in places if place[2]]
    return found


def learn_pieces(
    chunks: Mapping[str, int],
    alphabet: Sequence[str],
    n_pieces: int,
    *,
    max_piece_length: int = 16,
    seed_factor: int = 10,
    progress: bool = False,
) -> list[tuple[str, float]]:
    """Pieces with their log-probabilities (base e), best first; every character of the alphabet is one of them.

    Kudo (2018), section 3.2: fit the probabilities by EM; then find for each piece how much likelihood is lost if it
    is dropped, which is its expected count times the log of its probability over that of the best other way to cut
    it; keep three quarters; and so on until `n_pieces` are left.

    Args:
        chunks: chunk of text to its count; all characters are in the alphabet.
        alphabet: the characters, which are never dropped.
        n_pieces: how many pieces to keep, at least as many as characters.
        max_piece_length: longest piece, in characters.
        seed_factor: start from at most `seed_factor * n_pieces` substrings, those that cover most text.
        progress: show a bar.
    """
    counts: Counter[str] = Counter()
    for chunk, n in chunks.items():
        for char in chunk:
            counts[char] += n
    counts |= frequent_substrings(chunks, max_piece_length)
    longer = sorted(
        (piece for piece in counts if len(piece) > 1), key=lambda piece: (-counts[piece] * len(piece), piece)
    )
    pieces = np.array([*alphabet, *longer[: seed_factor * n_pieces]], dtype=object)
    weights = np.array([counts[piece] for piece in pieces], dtype=np.float64)
    text = Lattices(list(chunks), pieces, max_piece_length)
    cuts = Lattices(pieces[len(alphabet) :], pieces, max_piece_length, whole=False)
    chunk_counts = np.array(list(chunks.values()), dtype=np.float64)
    with tqdm(total=max(len(pieces) - n_pieces, 0), desc="dropped", unit="", disable=not progress) as bar:
        while True:
            for _ in range(_EM_STEPS):
                probabilities = np.maximum(weights / weights.sum(), _LEAST_PROBABILITY)
                weights, _ = text.expected_counts(probabilities, chunk_counts)
            surplus = len(pieces) - n_pieces
            if surplus <= 0:
                break
            n_dropped = min(surplus, math.ceil(len(pieces) * (1 - _SHRINK)))
            logs = np.log(probabilities)
            loss = (weights * logs)[len(alphabet) :] - weights[len(alphabet) :] * cuts.best(logs)
            kept = np.ones(len(pieces), dtype=bool)
            kept[len(alphabet) + np.argsort(loss, kind="stable")[:n_dropped]] = False
            pieces, weights = pieces[kept], weights[kept]
            text.keep(kept)
            cuts.keep(kept, kept[len(alphabet) :])
            bar.update(n_dropped)
    order = np.argsort(-probabilities, kind="stable")
    return [(str(pieces[i]), math.log(probabilities[i])) for i in order]


class Lattices:
    """All ways to cut each of several strings into pieces, as arrays, so that one operation serves many strings.

    Strings of one length `T` make one array `(T, L, strings)`: the id of the piece that begins at a place and is
    1, 2, ... `L` characters long, or the number of pieces where there is none.

    Args:
        strings: what is to be cut.
        pieces: the pieces; their place is their id.
        max_length: longest piece, in characters.
        whole: whether a string that is a piece may stand uncut.
    """

    def __init__(self, strings: Sequence[str], pieces: Sequence[str], max_length: int, *, whole: bool = True) -> None:
        self.n_strings = len(strings)
        self.n_pieces = len(pieces)
        index = {piece: i for i, piece in enumerate(pieces)}
        by_length: defaultdict[int, list[int]] = defaultdict(list)
        for i, string in enumerate(strings):
            by_length[len(string)].append(i)
        self.groups: list[tuple[np.ndarray, np.ndarray]] = []
        for length, members in sorted(by_length.items()):
            widest = min(length, max_length)
            ids = np.full((length, widest, len(members)), self.n_pieces, dtype=np.int32)
            for start in range(length):
                for width in range(1, min(widest, length - start) + 1):
                    if width < length or whole:
                        found = [index.get(strings[i][start : start + width], self.n_pieces) for i in members]
                        ids[start, width - 1] = found
            self.groups.append((np.array(members), ids))

    def expected_counts(self, probabilities: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, float]:
        """How often each piece is expected to be used, and the log-likelihood (base e): the E step.

        Args:
            probabilities: of the pieces, `(pieces,)`.
            counts: how often each string occurs, `(strings,)`.
        """
        probabilities = np.append(probabilities, 0.0)
        expected = np.zeros(self.n_pieces + 1)
        log_likelihood = 0.0
        for members, ids in self.groups:
            length, widest, _ = ids.shape
            edges = probabilities[ids]
            forward = np.zeros((length + 1, len(members)))
            backward = np.zeros_like(forward)
            forward[0] = backward[length] = 1.0
            for start in range(length):
                for width in range(1, min(widest, length - start) + 1):
                    forward[start + width] += forward[start] * edges[start, width - 1]
            for start in reversed(range(length)):
                for width in range(1, min(widest, length - start) + 1):
                    backward[start] += edges[start, width - 1] * backward[start + width]
            log_likelihood += float(counts[members] @ np.log(forward[length]))
            scale = counts[members] / forward[length]
            for start in range(length):
                for width in range(1, min(widest, length - start) + 1):
                    edges[start, width - 1] *= forward[start] * backward[start + width] * scale
            expected += np.bincount(ids.ravel(), weights=edges.ravel(), minlength=self.n_pieces + 1)
        return expected[:-1], log_likelihood

    def best(self, log_probabilities: np.ndarray) -> np.ndarray:
        """The log-probability of the best way to cut each string (Viterbi), `(strings,)`."""
        log_probabilities = np.append(log_probabilities, -np.inf)
        result = np.empty(self.n_strings)
        for members, ids in self.groups:
            length, widest, _ = ids.shape
            edges = log_probabilities[ids]
            best = np.full((length + 1, len(members)), -np.inf)
            best[0] = 0.0
            for start in range(length):
                for width in range(1, min(widest, length - start) + 1):
                    np.maximum(best[start + width], best[start] + edges[start, width - 1], out=best[start + width])
            result[members] = best[length]
        return result

    def keep(self, pieces: np.ndarray, strings: np.ndarray | None = None) -> None:
        """Forget the pieces, and the strings if asked to, that are not marked; the others move up.

        Args:
            pieces: which pieces stay, `(pieces,)`.
            strings: which strings stay, `(strings,)`.
        """
        self.n_pieces = int(pieces.sum())
        new_ids = np.full(len(pieces) + 1, self.n_pieces, dtype=np.int32)
        new_ids[:-1][pieces] = np.arange(self.n_pieces)
        places = None if strings is None else np.cumsum(strings) - 1
        groups = []
        for members, ids in self.groups:
            if strings is not None:
                stays = strings[members]
                members, ids = places[members[stays]], ids[:, :, stays]
            if len(members):
                groups.append((members, new_ids[ids]))
        self.groups = groups
        if strings is not None:
            self.n_strings = int(strings.sum())
