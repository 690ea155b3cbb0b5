"""What the tests of this folder share: the small models of the tests of `minigpt.models`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "models"))
