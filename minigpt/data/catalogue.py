"""The corpora that can be downloaded: where they are, how long, and with which checksum."""

from __future__ import annotations

from dataclasses import dataclass

_HUGGING_FACE = "https://huggingface.co/datasets"


@dataclass(frozen=True)
class Download:
    """A file that can be downloaded.

    Args:
        name: how to call it.
        url: where it is.
        about: what it is, in a line.
        size: its length in bytes; `None` if that is not known for certain.
        sha256: its checksum; `None` if that is not known for certain, and the first download decides.
    """

    name: str
    url: str
    about: str
    size: int | None = None
    sha256: str | None = None

    @property
    def filename(self) -> str:
        """What the file is called in the cache."""
        return f"{self.name}-{self.url.rsplit('/', 1)[-1]}"


DOWNLOADS: dict[str, Download] = {
    download.name: download
    for download in (
        Download(
            "tinyshakespeare",
            "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
            "40,000 lines of Shakespeare's plays, 1.1 MB (Karpathy, 2015)",
            1_115_394,
            "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
        ),
        Download(
            "tinystories",
            f"{_HUGGING_FACE}/roneneldan/TinyStories/resolve/main/TinyStoriesV2-GPT4-train.txt",
            "short stories in the words of a small child, written by GPT-4, 2.2 GB (Eldan and Li, 2023)",
            2_227_753_162,
            "6418d412de72888f52b5142c761ac21a582f7d1166f0bfbdb5f03ccfdec90443",
        ),
        Download(
            "tinystories-valid",
            f"{_HUGGING_FACE}/roneneldan/TinyStories/resolve/main/TinyStoriesV2-GPT4-valid.txt",
            "the stories of TinyStories that are kept for validation, 23 MB",
            22_502_601,
            "6874bae9a4c1a4e7edcf0e53b86c17817e9cf881fc75ff2368da457b80c0585d",
        ),
        Download(
            "openwebtext",
            f"{_HUGGING_FACE}/stanford-cs336/owt-sample/resolve/main/owt_train.txt.gz",
            "a sample of OpenWebText, pages that were linked on Reddit, 4.6 GB, 12 GB unpacked (Gokaslan and Cohen, "
            "2019; the sample of Stanford's course CS336)",
            4_591_240_837,
            "b19ae88cfbc4016b304c348522455fe38ebac48fffed955adcc7191a89e38ccf",
        ),
        Download(
            "openwebtext-valid",
            f"{_HUGGING_FACE}/stanford-cs336/owt-sample/resolve/main/owt_valid.txt.gz",
            "pages of OpenWebText that are kept for validation, 112 MB, 290 MB unpacked",
            111_785_382,
            "bc73db5da2f19c360836b9c8a88094e13346ec83798c2f40060be39135768c80",
        ),
        Download(
            "fineweb-edu",
            f"{_HUGGING_FACE}/HuggingFaceFW/fineweb-edu/resolve/main/sample/10BT/000_00000.parquet",
            "web pages of educational value, the first of 14 files of the sample of 10 billion tokens, 2.2 GB; reading "
            "it needs pyarrow (Penedo et al., 2024)",
        ),
    )
}
"""What can be downloaded, by name."""
