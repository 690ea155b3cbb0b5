"""Training a model (chapter 9): the loop, its parts, and whole runs that survive a fall."""

from minigpt.training.config import TrainingConfig
from minigpt.training.objective import language_model_loss
from minigpt.training.optimizer import AdamW, Muon, make_optimizer, parameter_groups
from minigpt.training.parallel import World, join_world, leave_world
from minigpt.training.record import Record, read_record
from minigpt.training.run import Run
from minigpt.training.schedule import schedule
from minigpt.training.settings import RunSettings
from minigpt.training.throughput import flops_per_token, matmul_rate
from minigpt.training.trainer import Trainer

__all__ = [
    "AdamW",
    "Muon",
    "Record",
    "Run",
    "RunSettings",
    "Trainer",
    "TrainingConfig",
    "World",
    "flops_per_token",
    "join_world",
    "language_model_loss",
    "leave_world",
    "make_optimizer",
    "matmul_rate",
    "parameter_groups",
    "read_record",
    "schedule",
]
