"""Which language a text is in: naive Bayes on runs of letters, with probabilities that can be believed.

Languages differ in their letters and in which letters follow which: `sch` is German, `the` English. The classifier
counts runs of one to four characters in labelled sentences and adds up, for each language, the log-probability of the
runs of a text (Cavnar and Trenkle, 1994, used the same runs by rank; Lui and Baldwin, 2012, with naive Bayes). Since
the runs overlap, the sum counts the same evidence several times over, and its probabilities are far too sure of
themselves. Dividing the sums by one number, the temperature, mends that (Guo et al., 2017): it is chosen so that the
likelihood of sentences that were not trained on is largest.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np

from minigpt.data.cleaning.document import Document, Rejection

_NO_LETTERS = re.compile(r"[\W\d_]+")
_MULTIPLIER = np.uint32(2654435761)
_LONGEST = 4
_SMOOTHING = 0.1


@dataclass(frozen=True)
class LanguageClassifier:
    """A trained classifier; `train_language` makes it.

    Attributes:
        languages: names of the languages.
        log_probs: log-probability of each bucket of runs in each language, of shape (languages, buckets).
        temperature: what the summed log-probabilities are divided by.
        longest: characters that are looked at, from the beginning of a text.
    """

    languages: tuple[str, ...]
    log_probs: np.ndarray
    temperature: float = 1.0
    longest: int = 2000

    def scores(self, text: str) -> np.ndarray:
        """The summed log-probability of a text in each language."""
        return self.log_probs.take(_buckets(text[: self.longest], self.log_probs.shape[1]), axis=1).sum(1)

    def probabilities(self, text: str) -> dict[str, float]:
        """How likely each language is, given the text, if all are equally likely before."""
        shares = _softmax(self.scores(text) / self.temperature)
        return dict(zip(self.languages, shares.tolist(), strict=True))

    def calibrated(self, texts: Sequence[str], languages: Sequence[str]) -> LanguageClassifier:
        """The classifier with the temperature at which the likelihood of these texts is largest.

        Args:
            texts: texts that were not trained on.
            languages: the language of each.

        Raises:
            ValueError: if there are none, or a language is unknown.
        """
        scores = np.stack([self.scores(text) for text in texts]) if len(texts) else np.empty((0, 0))
        if not len(scores) or not set(languages) <= set(self.languages):
            raise ValueError(f"give at least one text, in languages among {self.languages}; got {set(languages)}")
        right = np.array([self.languages.index(language) for language in languages])

        def loss(temperature: float) -> float:
            return -np.log(_softmax(scores / temperature)[np.arange(len(right)), right] + 1e-300).mean()

        best = min(np.geomspace(0.5, 200, 400), key=loss)
        return replace(self, temperature=float(best))


def train_language(examples: Iterable[tuple[str, str]], buckets: int = 1 << 15) -> LanguageClassifier:
    """Count runs of characters in labelled texts.

    Args:
        examples: pairs of a text and the name of its language.
        buckets: numbers into which runs are hashed; more of them mean fewer runs that share one.

    Raises:
        ValueError: if there are fewer than two languages.
    """
    by_language = sorted(((language, text) for text, language in examples), key=lambda pair: pair[0])
    counts: dict[str, np.ndarray] = {}
    for language, group in groupby(by_language, key=lambda pair: pair[0]):
        found = [_buckets(text, buckets) for _, text in group]
        counts[language] = np.bincount(np.concatenate(found), minlength=buckets) + _SMOOTHING
    if len(counts) < 2:
        raise ValueError(f"examples of at least two languages are needed; got {sorted(counts)}")
    table = np.stack([np.log(row / row.sum()) for row in counts.values()])
    return LanguageClassifier(tuple(counts), table.astype(np.float32))


class LanguageFilter:
    """A stage that keeps the documents of one language.

    Args:
        classifier: a trained classifier.
        language: the language to keep.
        threshold: the probability that a document needs to stay.

    Raises:
        ValueError: if the classifier does not know the language.
    """

    def __init__(self, classifier: LanguageClassifier, language: str = "en", threshold: float = 0.65) -> None:
        if language not in classifier.languages:
            raise ValueError(f"language={language!r} was not trained; the classifier knows {classifier.languages}")
        self.classifier, self.language, self.threshold = classifier, language, threshold

    def __call__(self, document: Document) -> Document | Rejection:
        found = self.classifier.probabilities(document.text)
        if found[self.language] >= self.threshold:
            return document
        best = max(found, key=found.__getitem__)
        if best == self.language:
            return Rejection("language not sure", f"{self.language} {found[best]:.2f}")
        return Rejection(f"language {best}", f"{found[best]:.2f}")


def _buckets(text: str, buckets: int) -> np.ndarray:
    """The bucket of each run of one to four characters; what is no letter is a gap between words."""
    spaced = " " + _NO_LETTERS.sub(" ", text.lower()).strip() + " "
    codes = np.frombuffer(spaced.encode("utf-32-le", "surrogatepass"), np.uint32)
    runs, mixed = [], np.zeros(len(codes), np.uint32)
    for n in range(1, _LONGEST + 1):
        mixed = (mixed[: len(codes) - n + 1] ^ codes[n - 1 :]) * _MULTIPLIER
        mixed ^= mixed >> np.uint32(15)
        runs.append(mixed % np.uint32(buckets))
    return np.concatenate(runs)


def _softmax(scores: np.ndarray) -> np.ndarray:
    shifted = np.exp(scores - scores.max(-1, keepdims=True))
    return shifted / shifted.sum(-1, keepdims=True)
