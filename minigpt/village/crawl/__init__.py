"""A small crawl of the village's web: pages with planted defects, and the truth about each."""

from minigpt.village.crawl.pages import KINDS, Page, Truth, crawl
from minigpt.village.crawl.stock import BAD_WORDS

__all__ = ["BAD_WORDS", "KINDS", "Page", "Truth", "crawl"]
