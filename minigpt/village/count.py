"""Counts what the reader without the state goes by: run `python -m minigpt.village.count` after a change of a plot.

The counts come from stories of a seed that nothing else uses, so the same command gives the same file.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from minigpt.files import atomic_write
from minigpt.village.reader import count, fingerprint
from minigpt.village.stories import SIZES, derivations, grammar, stories

SEED = 2_147_483_647
STORIES = {"hamlet": 20_000, "village": 10_000, "town": 2_000}


def main() -> None:
    """Write `counts_<size>.json` beside this module for each size that is asked for."""
    parser = argparse.ArgumentParser(prog="python -m minigpt.village.count", description=__doc__)
    parser.add_argument("sizes", nargs="*", choices=[*SIZES, []], help="which sizes (default: all)")
    for size in parser.parse_args().sizes or SIZES:
        n = STORIES[size]
        counted = count(derivations(story.text, size)[0] for story in stories(n, SEED, size))
        path = Path(__file__).with_name(f"counts_{size}.json")
        with atomic_write(path) as file:
            header = {"grammar": fingerprint(grammar(size)), "stories": n, "seed": SEED}
            json.dump(header | {"counts": counted}, file, separators=(",", ":"))
            file.write("\n")
        print(f"{path.name}: {len(counted)} places, from {n} stories")


if __name__ == "__main__":
    main()
