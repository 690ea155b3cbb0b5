"""The look of the course's figures, and figures that a reader can move."""

from minigpt.plotting.gpu import conditions, gpu_results, plot_gpu_roofline, plot_ladder, plot_peers
from minigpt.plotting.movable import movable
from minigpt.plotting.style import COLORS, use_style
from minigpt.plotting.training import plot_training

__all__ = [
    "COLORS",
    "conditions",
    "gpu_results",
    "movable",
    "plot_gpu_roofline",
    "plot_ladder",
    "plot_peers",
    "plot_training",
    "use_style",
]
