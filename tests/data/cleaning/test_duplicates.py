"""Copies: MinHash beside the exact similarity, bands beside all pairs, clusters beside a search."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigpt.data.cleaning import Clusters, Document, ExactCopies, MinHash, NearCopies, found_share
from minigpt.data.cleaning.hashing import run_hashes, word_hashes, words_of
from minigpt.village.crawl import crawl
from minigpt.village.crawl.defects import changed


def text_of(numbers):
    return " ".join(f"w{number}" for number in numbers)


def test_words_have_the_same_numbers_in_every_process():
    assert word_hashes(["mia", "ball"]).tolist() == [834928705, 1949452379]
    assert run_hashes(word_hashes(["mia", "ball"]), 2).tolist() == [10768410012402655001]


def test_runs_are_equal_where_their_words_are():
    hashes = run_hashes(word_hashes(words_of("The red ball, the RED ball; a red the")), 3)
    assert len(hashes) == 7
    assert hashes[0] == hashes[3]
    assert len(set(hashes.tolist())) == 6
    assert len(run_hashes(word_hashes(["a", "b"]), 3)) == 1
    assert len(run_hashes(word_hashes([]), 3)) == 0


def test_similarity_is_that_of_the_sets_of_runs():
    text, other = text_of(range(30)), text_of([*range(20), *range(100, 110)])
    first, second = ({tuple(words[i : i + 5]) for i in range(26)} for words in (text.split(), other.split()))
    assert MinHash(shingle=5).similarity(text, other) == len(first & second) / len(first | second)
    assert MinHash().similarity("", "") == 1


@pytest.mark.parametrize("shared", [30, 60, 90])
def test_signatures_estimate_the_similarity_within_their_error(shared):
    min_hash = MinHash(n_hashes=256, shingle=1, seed=1)
    errors = []
    for trial in range(40):
        base = 1000 * trial
        text = text_of(range(base, base + 100))
        other = text_of([*range(base, base + shared), *range(base + 500, base + 600 - shared)])
        exact = min_hash.similarity(text, other)
        assert exact == pytest.approx(shared / (200 - shared))
        errors.append((min_hash.signature(text) == min_hash.signature(other)).mean() - exact)
    error = np.sqrt(exact * (1 - exact) / 256)
    assert abs(np.mean(errors)) < 4 * error / np.sqrt(40)
    assert 0.6 * error < np.std(errors) < 1.5 * error


def test_a_signature_depends_on_the_seed_and_an_empty_text_has_one():
    text = text_of(range(50))
    assert (MinHash(seed=1).signature(text) != MinHash(seed=2).signature(text)).any()
    assert (MinHash(seed=1).signature(text) == MinHash(seed=1).signature(text.upper())).all()
    assert (MinHash().signature("") == MinHash().signature("...")).all()
    with pytest.raises(ValueError, match="must be at least 1"):
        MinHash(n_hashes=0)


def test_bands_find_the_share_of_pairs_that_the_curve_promises():
    bands, rows, trials = 4, 3, 400
    # 60 of 80 runs shared: a similarity of 0.6.
    found = 0
    for trial in range(trials):
        stage = NearCopies(bands, rows, shingle=1, threshold=0.0, seed=trial)
        stage(Document("", text_of(range(80)), 0))
        found += isinstance(stage(Document("", text_of(range(20, 100)), 1)), tuple) and bool(stage.clusters.groups())
    expected = found_share(60 / 100, bands, rows)
    assert abs(found / trials - expected) < 4 * np.sqrt(expected * (1 - expected) / trials)


def test_bands_find_what_a_comparison_of_all_pairs_finds():
    from random import Random

    draw = Random(0)
    texts = []
    for page in crawl(60, seed=9):
        if page.truth.kind == "story":
            texts += [page.truth.story, changed(draw, page.truth.story)[0]]
    # With one value a band, bands miss nothing; the threshold on the signatures decides.
    stage = NearCopies(bands=64, rows=1, shingle=3, threshold=0.7, seed=3)
    signatures = [stage.min_hash.signature(text) for text in texts]
    for number, text in enumerate(texts):
        rejected = stage(Document("", text, number))
        alike = [j for j in range(number) if (signatures[j] == signatures[number]).mean() >= 0.7]
        assert rejected.reason == "near copy" if alike else rejected == Document("", text, number)
    pairs = {(i, j) for i in range(len(texts)) for j in range(i) if (signatures[i] == signatures[j]).mean() >= 0.7}
    assert {(stage.clusters.find(i), stage.clusters.find(j)) for i, j in pairs} == {
        (stage.clusters.find(i),) * 2 for i, _ in pairs
    }


def test_a_chain_of_small_changes_is_one_cluster_and_its_first_stays():
    stage = NearCopies(bands=32, rows=2, shingle=1, threshold=0.5)
    kept = [
        isinstance(stage(Document("", text_of(range(start, start + 40)), number)), Document)
        for number, start in zip([4, 7, 9, 12], [0, 8, 16, 300], strict=True)
    ]
    assert kept == [True, False, False, True]
    assert stage.clusters.groups() == {4: [4, 7, 9]}


def test_many_copies_cost_no_more_than_a_few():
    stage = NearCopies()
    text = text_of(range(100))
    results = [stage(Document("", text, number)) for number in range(3000)]
    assert all(result == ("near copy", result.detail) for result in results[1:])
    assert max(len(bucket) for bucket in stage._buckets.values()) == 16


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), max_size=20))
def test_clusters_are_the_connected_parts(pairs):
    clusters = Clusters()
    parts = [{member} for member in range(13)]
    for first, second in pairs:
        clusters.join(first, second)
        (one,) = [part for part in parts if first in part]
        (other,) = [part for part in parts if second in part]
        if one is not other:
            parts = [part for part in parts if part is not one and part is not other] + [one | other]
    assert clusters.groups() == {min(part): sorted(part) for part in parts if len(part) > 1}
    assert all(clusters.find(member) == min(part) for part in parts for member in part)


def test_exact_copies_differ_in_white_space_at_most():
    stage = ExactCopies()
    first = Document("a", "One two.\n\nThree.")
    assert stage(first) is first
    assert stage(Document("b", "One two. Three.\n")).reason == "exact copy"
    assert stage(Document("c", "One two. three.")) == Document("c", "One two. three.")
