"""The look of the course's figures, and figures that a reader can move."""

from minigpt.plotting.movable import movable
from minigpt.plotting.style import COLORS, use_style
from minigpt.plotting.training import plot_training

__all__ = ["COLORS", "movable", "plot_training", "use_style"]
