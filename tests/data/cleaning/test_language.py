"""Language: right on whole sentences, and as sure as it is right on fragments."""

from random import Random

import numpy as np
import pytest

from minigpt.data.cleaning import Document, LanguageFilter, Rejection, train_language
from minigpt.village import sentence_pairs
from minigpt.village.crawl.stock import SENTENCES


def sentences(n, seed):
    """`n` sentences of each language, with its name."""
    draw = Random(seed)
    found = [(write(draw), language) for language, write in SENTENCES.items() for _ in range(n)]
    return found + [(pair.english, "en") for pair in sentence_pairs(n, seed)]


def fragments(n, seed, length=7):
    """Pieces of a few characters, which can be told apart only now and then."""
    draw = Random(seed)
    found = []
    for text, language in sentences(n, seed):
        start = int(draw.random() * (len(text) - length))
        found.append((text[start : start + length], language))
    return found


@pytest.fixture(scope="module")
def classifier():
    return train_language(sentences(100, 1))


def test_sentences_that_were_not_trained_on_are_told_apart(classifier):
    held_out = sentences(100, 2)
    right = [max(found := classifier.probabilities(text), key=found.get) == language for text, language in held_out]
    assert np.mean(right) > 0.99


def test_probabilities_sum_to_one(classifier):
    for text in ("", "?", "the", "ß", "\ud800", "das Haus " * 1000):
        assert sum(classifier.probabilities(text).values()) == pytest.approx(1)


def test_a_text_without_letters_is_of_no_language(classifier):
    shares = np.array(list(classifier.probabilities("123 + 456").values()))
    assert shares.max() < 0.5


def calibration_error(classifier, examples):
    """How far confidence and accuracy are apart, over ten bins of equal size."""
    found = [classifier.probabilities(text) for text, _ in examples]
    confidence = np.array([max(each.values()) for each in found])
    right = np.array([max(each, key=each.get) == language for each, (_, language) in zip(found, examples, strict=True)])
    order = np.array_split(np.argsort(confidence), 10)
    return sum(len(bin) * abs(confidence[bin].mean() - right[bin].mean()) for bin in order) / len(right)


def test_calibration_makes_it_as_sure_as_it_is_right(classifier):
    texts, languages = zip(*fragments(300, 3), strict=True)
    calibrated = classifier.calibrated(texts, languages)
    assert calibrated.temperature > 1.1
    held_out = fragments(300, 4)
    assert calibration_error(calibrated, held_out) < 0.6 * calibration_error(classifier, held_out)
    assert calibration_error(calibrated, held_out) < 0.05


def test_the_filter_keeps_its_language_and_names_the_other(classifier):
    keep = LanguageFilter(classifier, "en")
    english = Document("", "The children are playing in the garden and do not want to go to bed.")
    assert keep(english) is english
    rejected = keep(Document("", "Die Kinder spielen im Garten und wollen nicht ins Bett gehen."))
    assert isinstance(rejected, Rejection)
    assert rejected.reason == "language de"


def test_the_threshold_decides_what_is_not_sure(classifier):
    mixed = Document("", "in de")
    share = classifier.probabilities(mixed.text)
    best = max(share, key=share.get)
    assert LanguageFilter(classifier, best, threshold=share[best])(mixed) is mixed
    assert LanguageFilter(classifier, best, threshold=share[best] * 1.01)(mixed).reason == "language not sure"


def test_what_cannot_be_trained_is_refused(classifier):
    with pytest.raises(ValueError, match="at least two languages"):
        train_language([("the", "en"), ("a", "en")])
    with pytest.raises(ValueError, match="'sv' was not trained"):
        LanguageFilter(classifier, "sv")
    with pytest.raises(ValueError, match="at least one text"):
        classifier.calibrated([], [])
