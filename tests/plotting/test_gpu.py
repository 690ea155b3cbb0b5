"""What was measured on a GPU is drawn from its files; where there are none, that is said."""

import json

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import pytest

from minigpt.plotting import conditions, gpu_results, plot_gpu_roofline, plot_ladder, plot_peers


def row(operation, implementation, ms, peers=None, **more):
    found = {"operation": operation, "case": "8 x 8", "dtype": "bfloat16", "implementation": implementation}
    found |= {"ms": ms, "ms_low": ms * 0.8, "ms_high": ms * 1.25, "turns": 9, **more}
    return found | ({"times_as_fast_as": {name: [r, 0.9 * r, 1.1 * r] for name, r in peers.items()}} if peers else {})


def stored(rows, date="2026-01-02", clean=True):
    device, versions = {"name": "Made-up GPU"}, {"torch": "2.11.0"}
    return {"device": device, "versions": versions, "date": date, "commit": "0123456789", "clean": clean, "rows": rows}


@pytest.fixture
def folder(tmp_path):
    """Made-up results of two devices."""
    ladder = [
        row("matmul ladder", "matmul_naive", 4.0, {"cuBLAS": 0.1}, **{"TFLOP/s": 1.0}),
        row("matmul ladder", "matmul_tiled", 1.0, {"cuBLAS": 0.4}, **{"TFLOP/s": 4.0}),
        row("matmul ladder", "cuBLAS", 0.4, **{"TFLOP/s": 10.0}),
        row("sum", "sum_halves", 1.0, {"PyTorch": 0.5}, **{"GB/s": 100.0}),
    ]
    memory = [
        row("softmax forward", "minigpt", 1.0, {"copy": 0.9, "torch.compile": 1.2}, **sizes(5, 4, 0.9)),
        row("softmax forward", "copy", 0.9, **sizes(5, 4, 1.0)),
    ]
    matmul = [row("matmul", "minigpt", 1.0, {"cuBLAS": 0.95}, **sizes(4000, 1, 1.0)), row("matmul", "cuBLAS", 0.95)]
    for device, files in {
        "made-up-gpu": {"ladder": stored(ladder, clean=False), "memory": stored(memory), "matmul": stored(matmul)},
        "other-gpu": {"matmul": stored(matmul, "2026-01-03")},
    }.items():
        (tmp_path / device).mkdir()
        for name, content in files.items():
            (tmp_path / device / f"{name}.json").write_text(json.dumps(content))
    (tmp_path / "parallel.json").write_text("{}")
    yield tmp_path
    plt.close("all")


def sizes(flops, size, ms):
    return {"flops": flops, "bytes": size, "TFLOP/s": flops / ms, "GB/s": size / ms}


def test_results_are_those_of_the_device_that_is_asked_for(folder):
    assert list(gpu_results(folder)) == ["ladder", "matmul", "memory"]
    assert list(gpu_results(folder, "other-gpu")) == ["matmul"]
    with pytest.raises(ValueError, match=r"no results of 'h200' in .*; there are \['made-up-gpu', 'other-gpu'\]"):
        gpu_results(folder, "h200")


def test_the_conditions_name_device_versions_date_and_commits(folder):
    expected = "Made-up GPU; torch 2.11.0; 2026-01-02; commit 0123456, 0123456 with changes"
    assert conditions(gpu_results(folder)) == expected


def test_each_rung_is_a_bar_from_the_bottom_of_the_ladder_up(folder):
    ax = plot_ladder(gpu_results(folder))
    assert [bar.get_width() for bar in ax.patches] == [1.0, 4.0, 10.0]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["matmul naive", "matmul tiled", "cuBLAS"]
    assert ax.patches[0].get_facecolor() != ax.patches[2].get_facecolor()
    # The lower quartile of the rate is that of the slowest turns.
    assert list(ax.get_lines()[1].get_xdata()) == pytest.approx([3.2, 5.0])
    assert plot_ladder(gpu_results(folder), "sum").get_xlabel() == "8 x 8: GB/s"
    with pytest.raises(ValueError, match=r"'softmax' was not measured; there are \['matmul ladder', 'sum'\]"):
        plot_ladder(gpu_results(folder), "softmax")


def test_each_peer_has_a_mark_in_each_comparison(folder):
    ax = plot_peers(gpu_results(folder))
    found = {
        line.get_label(): list(line.get_xdata()) for line in ax.get_lines() if not line.get_label().startswith("_")
    }
    assert found == {"cuBLAS": [0.95], "copy": [0.9], "torch.compile": [1.2]}
    assert len(ax.get_yticklabels()) == 2
    with pytest.raises(ValueError, match="nothing of moe was measured; there are ladder, matmul, memory"):
        plot_peers(gpu_results(folder), ["moe"])


def test_the_roof_is_made_of_what_was_measured_beside(folder):
    roof, *kernels = plot_gpu_roofline(gpu_results(folder)).get_lines()
    # The copy moved 4 bytes in 1, the product did 4000 operations in 1.
    assert list(roof.get_ydata())[1:] == [4000.0, 4000.0]
    assert roof.get_xdata()[1] == pytest.approx(4000 / (4 / 1000))
    assert {line.get_label(): list(line.get_xdata()) for line in kernels} == {"matmul": [4000.0], "memory": [1.25]}
    with pytest.raises(ValueError, match="a roofline needs a copy"):
        plot_gpu_roofline(gpu_results(folder, "other-gpu"))


@pytest.mark.parametrize("draw", [conditions, plot_ladder, plot_peers, plot_gpu_roofline])
def test_where_nothing_was_measured_there_is_nothing_to_draw(draw, tmp_path):
    assert gpu_results(tmp_path) == {}
    with pytest.raises(ValueError, match=r"nothing was measured on a GPU yet; .*`make gpu`"):
        draw(gpu_results(tmp_path))
