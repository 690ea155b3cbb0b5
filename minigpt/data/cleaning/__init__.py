"""From a crawl to a corpus: what to throw out, what to mend, what has been there before, each with a reason.

The order is that of published pipelines: language, repeated addresses, quality, content, repeated text.
"""

from minigpt.data.cleaning.c4 import C4Rules, RepeatedSpans, c4, count_sentences, line_fault, page_fault
from minigpt.data.cleaning.content import WordFilter, mask_personal
from minigpt.data.cleaning.document import Document, Rejection, Stage
from minigpt.data.cleaning.duplicates import Clusters, ExactCopies, MinHash, NearCopies, found_share
from minigpt.data.cleaning.gopher import GopherRules, gopher_quality, gopher_repetition
from minigpt.data.cleaning.installed import installed_texts
from minigpt.data.cleaning.language import LanguageClassifier, LanguageFilter, train_language
from minigpt.data.cleaning.pipeline import Passage, Pipeline, Report, precision_and_recall
from minigpt.data.cleaning.quality import QualityClassifier, QualityFilter, train_quality
from minigpt.data.cleaning.urls import UniqueAddresses, normalise_url

__all__ = [
    "C4Rules",
    "Clusters",
    "Document",
    "ExactCopies",
    "GopherRules",
    "LanguageClassifier",
    "LanguageFilter",
    "MinHash",
    "NearCopies",
    "Passage",
    "Pipeline",
    "QualityClassifier",
    "QualityFilter",
    "Rejection",
    "RepeatedSpans",
    "Report",
    "Stage",
    "UniqueAddresses",
    "WordFilter",
    "c4",
    "count_sentences",
    "found_share",
    "gopher_quality",
    "gopher_repetition",
    "installed_texts",
    "line_fault",
    "mask_personal",
    "normalise_url",
    "page_fault",
    "precision_and_recall",
    "train_language",
    "train_quality",
]
