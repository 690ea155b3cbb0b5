"""One style for every figure: quiet, large enough for a phone, and readable with any colour vision."""

from __future__ import annotations

from types import MappingProxyType

COLORS = MappingProxyType(
    {
        "blue": "#0072B2",
        "orange": "#D55E00",
        "green": "#009E73",
        "purple": "#AA4499",
        "yellow": "#E69F00",
        "sky": "#56B4E9",
        "grey": "#666666",
        "black": "#222222",
    }
)
"""Colours that people with any kind of colour vision can tell apart (Okabe and Ito, 2008, slightly darkened)."""


def use_style() -> None:
    """Set the defaults of matplotlib to the style of the course, for this process; call it once in a notebook."""
    import matplotlib as mpl
    from cycler import cycler

    mpl.rcParams.update(
        {
            "figure.figsize": (7.0, 3.6),
            "figure.dpi": 110,
            "figure.constrained_layout.use": True,
            "savefig.facecolor": "white",
            "font.size": 11,
            "axes.titlesize": 12,
            "axes.titlelocation": "left",
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "axes.axisbelow": True,
            "grid.color": "#dddddd",
            "grid.linewidth": 0.6,
            "lines.linewidth": 2.0,
            "legend.frameon": False,
            "image.cmap": "cividis",
            "svg.hashsalt": "minigpt",
            "axes.prop_cycle": cycler(color=[c for name, c in COLORS.items() if name not in ("grey", "black")]),
        }
    )
