"""What more of something buys: workers against the serial part of a program, operations against the bytes they move."""

from minigpt.scaling.operations import Operation, Phase, operations
from minigpt.scaling.pool import Span, Timeline, simulate
from minigpt.scaling.roofline import DEVICES, Device
from minigpt.scaling.speedup import amdahl, gustafson, serial_fraction

__all__ = [
    "DEVICES",
    "Device",
    "Operation",
    "Phase",
    "Span",
    "Timeline",
    "amdahl",
    "gustafson",
    "operations",
    "serial_fraction",
    "simulate",
]
