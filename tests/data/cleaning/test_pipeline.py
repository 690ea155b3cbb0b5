"""The pipeline: documents stream, everything is counted, and the crawl comes out as the stories that went in."""

import math

import pytest

from minigpt.data.cleaning import (
    Document,
    ExactCopies,
    NearCopies,
    Pipeline,
    Rejection,
    UniqueAddresses,
    WordFilter,
    c4,
    gopher_quality,
    gopher_repetition,
    installed_texts,
    mask_personal,
    precision_and_recall,
)
from minigpt.village.crawl import BAD_WORDS, crawl


def short(document):
    """A stage for the tests: no more than three characters."""
    return Rejection("long", str(len(document.text))) if len(document.text) > 3 else document


def upper(document):
    """A stage that changes texts."""
    return document._replace(text=document.text.upper())


def test_everything_is_counted():
    pipeline = Pipeline({"short": short, "upper": upper})
    kept = list(pipeline.run(Document("", text) for text in ("ab", "abcd", "abc")))
    assert kept == [Document("", "AB", 0), Document("", "ABC", 2)]
    first, second = pipeline.report.passages
    assert (first.seen, first.kept, first.changed, first.characters_seen, first.characters_kept) == (3, 2, 0, 9, 5)
    assert (second.seen, second.kept, second.changed) == (2, 2, 2)
    assert first.reasons == {"long": 1}
    assert pipeline.report.rejected == {1: ("short", Rejection("long", "4"))}
    assert "long 1" in str(pipeline.report)
    assert str(pipeline.report).splitlines()[1].split() == ["short", "3", "2", "55.6%", "long", "1"]


def test_one_document_is_in_the_pipeline_at_a_time():
    read = []

    def source():
        for i in range(5):
            read.append(i)
            yield Document("", "ab")

    flow = Pipeline({"upper": upper, "short": short}).run(source())
    assert read == []
    next(flow)
    assert read == [0]


def test_a_pipeline_without_stages_is_refused():
    with pytest.raises(ValueError, match="at least one stage"):
        Pipeline({})


def test_precision_and_recall_are_shares_of_what_was_found_and_of_what_is_there():
    assert precision_and_recall([1, 2, 3, 4], [1, 2, 5]) == (0.5, pytest.approx(2 / 3))
    assert all(map(math.isnan, precision_and_recall([], [])))


def test_the_crawl_comes_out_clean():
    pages = list(crawl(1200, seed=8))
    stages = {
        "addresses": UniqueAddresses(),
        "c4": c4,
        "gopher": gopher_quality,
        "repetition": gopher_repetition,
        "words": WordFilter(BAD_WORDS),
        "personal": mask_personal,
        "exact": ExactCopies(),
        "near": NearCopies(),
    }
    pipeline = Pipeline(stages)
    kept = {document.number: document for document in pipeline.run(Document(page.url, page.text) for page in pages)}
    truth = {page.truth.number: page.truth for page in pages}
    precision, recall = precision_and_recall(kept, [number for number in truth if truth[number].keep])
    assert recall > 0.99
    assert precision > 0.7
    by_stage = {
        name: {truth[n].kind for n, (stage, _) in pipeline.report.rejected.items() if stage == name} for name in stages
    }
    assert by_stage["addresses"] == {"same address"}
    assert by_stage["words"] == {"bad words"}
    assert by_stage["near"] == {"near copy"}
    assert {"copy"} <= by_stage["exact"] <= {"copy", "near copy"}
    left = {truth[number].kind for number in kept}
    assert not left & {"code", "lorem ipsum", "teasers", "spam", "list", "repetition"}
    whole = [kept[n].text.startswith(truth[n].story) for n in kept if truth[n].keep]
    assert sum(whole) / len(whole) > 0.97


def test_installed_texts_are_read_from_a_folder(tmp_path):
    (tmp_path / "thing-1.0.dist-info" / "licenses").mkdir(parents=True)
    (tmp_path / "thing-1.0.dist-info" / "licenses" / "LICENSE").write_text("Be kind.", encoding="utf-8")
    (tmp_path / "README.md").write_text("# Thing", encoding="utf-8")
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
    (tmp_path / "license_check.py").write_text("pass", encoding="utf-8")
    (tmp_path / "empty.rst").write_text("\n", encoding="utf-8")
    assert list(installed_texts(tmp_path)) == [
        Document("README.md", "# Thing"),
        Document("thing-1.0.dist-info/licenses/LICENSE", "Be kind."),
    ]
    with pytest.raises(ValueError, match="is no folder"):
        next(installed_texts(tmp_path / "nowhere"))
