"""Copies and near copies: exact ones by a hash of the text, near ones by MinHash and locality-sensitive hashing.

How alike two documents are is the Jaccard similarity of their sets of word runs ("shingles"): the share of the runs
of either that both have. Under a random order of all runs, the chance that the first run of two documents is the same
is exactly that share (Broder, 1997). So each document is kept as `bands * rows` smallest hash values, one for each of
as many hash functions, and the share of values that agree estimates the similarity. To find the pairs without comparing
all, the values are cut into bands: two documents are candidates if all values of one band agree. Of pairs with
similarity $s$, a share $1 - (1 - s^r)^b$ is found, a curve that rises steeply near $(1/b)^{1/r}$ (Leskovec et al.,
2020, chapter 3; Lee et al., 2022, use it to clean training data).
"""

from __future__ import annotations

import numpy as np

from minigpt.data.cleaning.document import Document, Rejection
from minigpt.data.cleaning.hashing import run_hashes, text_hash, word_hashes, words_of

_KEPT_PER_BUCKET = 16
"""A text that comes ten thousand times is compared with this many of its copies, not with all."""


class ExactCopies:
    """A stage that keeps the first of the documents with the same text, white space aside; it keeps 8 bytes of each."""

    def __init__(self) -> None:
        self._seen: set[int] = set()

    def __call__(self, document: Document) -> Document | Rejection:
        text = text_hash(" ".join(document.text.split()))
        if text in self._seen:
            return Rejection("exact copy")
        self._seen.add(text)
        return document


class MinHash:
    """Signatures of texts.

    The hash functions are multiply-shift (Dietzfelbinger et al., 1997): `h(x) = (a x + b mod 2**64) >> 32`, with `a`
    and `b` drawn by the seed.

    Args:
        n_hashes: values of a signature. The estimate has a standard error of sqrt(s (1 - s) / n_hashes).
        shingle: words of a run. Longer runs tell texts apart that share phrases, and lose sight of a text sooner when
            words in it change.
        seed: of the hash functions.

    Raises:
        ValueError: if a number is below 1.
    """

    def __init__(self, n_hashes: int = 128, shingle: int = 5, seed: int = 0) -> None:
        if n_hashes < 1 or shingle < 1:
            raise ValueError(f"n_hashes={n_hashes} and shingle={shingle} must be at least 1")
        self.n_hashes, self.shingle = n_hashes, shingle
        draws = np.random.default_rng(seed).integers(0, 1 << 64, (2, n_hashes, 1), np.uint64)
        self._factors, self._offsets = draws[0] | np.uint64(1), draws[1]

    def shingles(self, text: str) -> np.ndarray:
        """A number for each run of words of a text, each once."""
        return np.unique(run_hashes(word_hashes(words_of(text)), self.shingle))

    def signature(self, text: str) -> np.ndarray:
        """The smallest value of each hash function over the runs of a text: 32-bit integers, `n_hashes` of them.

        A text without words has the largest value everywhere.
        """
        found = run_hashes(word_hashes(words_of(text)), self.shingle)
        if not len(found):
            return np.full(self.n_hashes, (1 << 32) - 1, np.uint32)
        values = found * self._factors
        values += self._offsets
        return (values.min(1) >> np.uint64(32)).astype(np.uint32)

    def similarity(self, text: str, other: str) -> float:
        """The exact Jaccard similarity of two texts, which signatures estimate."""
        first, second = self.shingles(text), self.shingles(other)
        both = len(np.intersect1d(first, second, assume_unique=True))
        either = len(first) + len(second) - both
        return both / either if either else 1.0


def found_share(similarity: float | np.ndarray, bands: int, rows: int) -> float | np.ndarray:
    """The share of the pairs of a similarity that become candidates: `1 - (1 - s**rows)**bands`."""
    return 1 - (1 - similarity**rows) ** bands


class Clusters:
    """Which documents belong together, when it is known of pairs: union-find with path halving (Tarjan, 1975).

    The name of a cluster is its smallest member.
    """

    def __init__(self) -> None:
        self._parent: dict[int, int] = {}

    def find(self, member: int) -> int:
        """The smallest member of the cluster of a document; the document itself if nothing was joined to it."""
        parent = self._parent
        while (above := parent.get(member, member)) != member:
            parent[member] = member = parent.get(above, above)
        return member

    def join(self, first: int, second: int) -> None:
        """Make one cluster of the clusters of two documents."""
        first, second = sorted((self.find(first), self.find(second)))
        self._parent[second] = first
        self._parent.setdefault(first, first)

    def groups(self) -> dict[int, list[int]]:
        """The members of every cluster of two or more, smallest first, by the smallest."""
        found: dict[int, list[int]] = {}
        for member in sorted(self._parent):
            found.setdefault(self.find(member), []).append(member)
        return {first: members for first, members in found.items() if len(members) > 1}


class NearCopies:
    """A stage that keeps the first of the documents that are nearly the same.

    It reads documents once and keeps of each `4 * bands * rows` bytes and `bands` entries of a dictionary. A document
    is thrown out if it is like an earlier one, kept or thrown out: a chain of small changes is one cluster.

    Args:
        bands: number of bands.
        rows: values of a band. With 16 bands of 8, half of the pairs of similarity 0.67 are found, and 97 % at 0.8.
        shingle: words of a run.
        threshold: candidates whose estimated similarity is below this stay; 0 believes the bands alone.
        seed: of the hash functions.

    Attributes:
        clusters: what belongs together, by the numbers of the documents.
    """

    def __init__(self, bands: int = 16, rows: int = 8, shingle: int = 5, threshold: float = 0.7, seed: int = 0) -> None:
        self.min_hash = MinHash(bands * rows, shingle, seed)
        self.bands, self.rows, self.threshold = bands, rows, threshold
        self.clusters = Clusters()
        self._numbers: list[int] = []
        self._signatures = np.empty((1024, bands * rows), np.uint32)
        self._buckets: dict[int, list[int] | int] = {}
        self._salt = np.arange(bands, dtype=np.uint64)[:, None]

    def __call__(self, document: Document) -> Document | Rejection:
        signature = self.min_hash.signature(document.text)
        place = self._keep(document.number, signature)
        copies = [self._numbers[other] for other in self._candidates(place, signature)]
        for other in copies:
            self.clusters.join(other, document.number)
        return Rejection("near copy", f"of {min(copies)}") if copies else document

    def _keep(self, number: int, signature: np.ndarray) -> int:
        place = len(self._numbers)
        if place == len(self._signatures):
            self._signatures = np.concatenate([self._signatures, np.empty_like(self._signatures)])
        self._signatures[place] = signature
        self._numbers.append(number)
        return place

    def _candidates(self, place: int, signature: np.ndarray) -> list[int]:
        """Earlier documents that share a band and are alike enough; the document is entered beside them."""
        found: set[int] = set()
        bands = signature.reshape(self.bands, self.rows).astype(np.uint64)
        for key in run_hashes_of_rows(np.concatenate([self._salt, bands], axis=1)).tolist():
            others = self._buckets.setdefault(key, place)
            if others is place:
                continue
            if isinstance(others, int):
                others = self._buckets[key] = [others]
            found.update(others)
            if len(others) < _KEPT_PER_BUCKET:
                others.append(place)
        if self.threshold and found:
            candidates = np.fromiter(found, np.int64)
            agree = (self._signatures[candidates] == signature).mean(1)
            return candidates[agree >= self.threshold].tolist()
        return list(found)


def run_hashes_of_rows(rows: np.ndarray) -> np.ndarray:
    """A 64-bit number for each row of a table of 64-bit integers."""
    return run_hashes(rows.T, rows.shape[1])[0]
