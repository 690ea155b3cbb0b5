"""A fast judge that learns from a slow one: logistic regression on hashed runs of words.

The form is that of fastText (Joulin et al., 2017): a text is the mean of the vectors of its words and pairs of words,
which are hashed into buckets, and a linear classifier reads that mean. With two classes, the vector of a bucket may as
well be a single number, and that is what is learned here. Labels come from a judge that is too slow for the whole
crawl: people, a large language model (Grattafiori et al., 2024, had Llama 2 judge and trained smaller classifiers on
that), or in the village the parser.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from minigpt.data.cleaning.document import Document, Rejection
from minigpt.data.cleaning.hashing import run_hashes, word_hashes, words_of


@dataclass(frozen=True)
class QualityClassifier:
    """A trained classifier; `train_quality` makes it.

    Attributes:
        weights: what each bucket says for (above 0) or against (below) a text.
        bias: what is said of an empty text.
        longest_run: words of the longest runs that it looks at.
    """

    weights: np.ndarray
    bias: float
    longest_run: int

    def probability(self, text: str) -> float:
        """The probability that the judge would call a text good."""
        found = _buckets(text, self.longest_run, len(self.weights))
        score = self.bias + (float(self.weights[found].mean()) if len(found) else 0.0)
        return float(1 / (1 + np.exp(-np.clip(score, -60, 60))))

    def weight(self, words: str) -> float:
        """What a single run of words says."""
        hashes = word_hashes(words_of(words))
        return float(self.weights[run_hashes(hashes, len(hashes))[0] % np.uint64(len(self.weights))])


def train_quality(
    texts: Sequence[str],
    labels: Sequence[bool],
    *,
    buckets: int = 1 << 18,
    longest_run: int = 2,
    steps: int = 300,
    learning_rate: float = 30.0,
    decay: float = 1e-7,
) -> QualityClassifier:
    """Learn what a judge thinks, by gradient descent with momentum on all texts at once.

    Args:
        texts: what the judge has read.
        labels: what it said of each: whether the text is good.
        buckets: numbers into which runs of words are hashed.
        longest_run: words of the longest runs: 1 for words alone, 2 for words and pairs.
        steps: steps of gradient descent.
        learning_rate: of the weights, whose gradients are small, since each text is a mean over many.
        decay: strength of the penalty on the squares of the weights.

    Raises:
        ValueError: if texts and labels are not equally many, or all labels are the same.
    """
    y = np.asarray(labels, np.float64)
    if len(texts) != len(y) or len(set(y.tolist())) < 2:
        raise ValueError(
            f"{len(texts)} texts and {len(y)} labels, {int(y.sum())} of them good: give a label for each text, and "
            "examples of both"
        )
    found = [_buckets(text, longest_run, buckets) for text in texts]
    lengths = np.array([max(1, len(each)) for each in found])
    used, places = np.unique(np.concatenate(found), return_inverse=True)
    rows = np.repeat(np.arange(len(found)), [len(each) for each in found])
    shares = 1 / lengths[rows]
    weights, speed = np.zeros(len(used)), np.zeros(len(used))
    bias = bias_speed = 0.0
    for _ in range(steps):
        scores = bias + np.bincount(rows, weights[places] * shares, len(found))
        error = (1 / (1 + np.exp(-np.clip(scores, -60, 60))) - y) / len(y)
        slope = np.bincount(places, error[rows] * shares, len(used)) + decay * weights
        speed = 0.9 * speed - learning_rate * len(used) ** 0.5 * slope
        bias_speed = 0.9 * bias_speed - error.sum()
        weights, bias = weights + speed, bias + bias_speed
    table = np.zeros(buckets)
    table[used] = weights
    return QualityClassifier(table, float(bias), longest_run)


class QualityFilter:
    """A stage that keeps documents that the classifier takes for good.

    Args:
        classifier: a trained classifier.
        threshold: the probability that a document needs to stay.
    """

    def __init__(self, classifier: QualityClassifier, threshold: float = 0.5) -> None:
        self.classifier, self.threshold = classifier, threshold

    def __call__(self, document: Document) -> Document | Rejection:
        probability = self.classifier.probability(document.text)
        return document if probability >= self.threshold else Rejection("low quality", f"{probability:.2f}")


def _buckets(text: str, longest_run: int, buckets: int) -> np.ndarray:
    hashes = word_hashes(words_of(text))
    runs = [run_hashes(hashes, n) for n in range(1, longest_run + 1) if n <= len(hashes)]
    return (np.concatenate(runs) % np.uint64(buckets)).astype(np.int64) if runs else np.empty(0, np.int64)
