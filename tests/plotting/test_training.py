"""The curve of a run is drawn from its record."""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import pytest

from minigpt.plotting import plot_training

RECORD = [{"step": 1, "loss": 3.0}, {"step": 2, "validation_loss": 2.5}, {"step": 2, "loss": 2.0}]


def test_every_line_of_the_record_is_a_point_and_the_floors_are_lines():
    ax = plot_training(RECORD, floor=1.0, plateau=1.2, label="small")
    training, validation, plateau, floor = ax.get_lines()
    assert list(training.get_ydata()) == [3.0, 2.0]
    assert list(validation.get_xdata()) == [2]
    assert set(plateau.get_ydata()) == {1.2}
    assert set(floor.get_ydata()) == {1.0}
    assert ax.get_legend().get_texts()[0].get_text() == "small: training"
    plt.close("all")


def test_an_empty_record_is_refused():
    with pytest.raises(ValueError, match="no loss"):
        plot_training([{"step": 1}])
