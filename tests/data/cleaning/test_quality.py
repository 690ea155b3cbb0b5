"""Quality: the fast classifier learns what the slow judge says, and words against it have weights against it."""

from random import Random

import numpy as np
import pytest

from minigpt.data.cleaning import Document, QualityFilter, train_quality
from minigpt.village import log_prob, stories
from minigpt.village.crawl.defects import salad


@pytest.fixture(scope="module")
def judged():
    draw = Random(1)
    texts = [told.text for told in stories(300, seed=1)]
    texts = [salad(draw, text) if i % 2 else text for i, text in enumerate(texts)]
    return texts, [log_prob(text) > -np.inf for text in texts]


@pytest.fixture(scope="module")
def classifier(judged):
    texts, labels = judged
    return train_quality(texts[:200], labels[:200])


def test_it_agrees_with_the_judge_on_texts_that_it_has_not_seen(judged, classifier):
    texts, labels = judged
    found = [classifier.probability(text) > 0.5 for text in texts[200:]]
    assert np.mean(np.array(found) == labels[200:]) > 0.95


def test_words_alone_cannot_tell_a_text_from_its_salad(judged):
    texts, labels = judged
    words_only = train_quality(texts[:200], labels[:200], longest_run=1)
    found = [words_only.probability(text.lower().replace('"', "")) > 0.5 for text in texts[200:]]
    assert np.mean(np.array(found) == labels[200:]) < 0.8


def test_the_slope_is_that_of_the_loss():
    texts, labels = ["red ball", "blue kite", "red kite", "ball"], [True, False, True, False]
    small = train_quality(texts, labels, buckets=64, longest_run=1, steps=400, decay=0.0)
    for text, label in zip(texts, labels, strict=True):
        assert (small.probability(text) > 0.5) == label
    assert small.weight("red") > 0 > small.weight("blue")


def test_the_filter_keeps_what_is_above_its_threshold(judged, classifier):
    good = Document("", judged[0][0])
    assert QualityFilter(classifier, 0.5)(good) is good
    assert QualityFilter(classifier, 1.0)(good).reason == "low quality"


def test_labels_of_one_kind_teach_nothing():
    with pytest.raises(ValueError, match="2 texts and 2 labels, 2 of them good"):
        train_quality(["a", "b"], [True, True])
    with pytest.raises(ValueError, match="2 texts and 1 labels"):
        train_quality(["a", "b"], [True])
