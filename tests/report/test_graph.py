"""The pipeline's graph as read from dvc.yaml."""

from __future__ import annotations

from pathlib import Path

from dbgan.report.graph import draw, stages

GRAPH = """
stages:
  take:
    foreach: ${sources}
    do:
      desc: takes
      deps: ["${item.root}", code/take]
      outs:
        - data/${item.use}/${key}:
            persist: true
  learn:
    deps: [data/train, code]
    outs: [models/one]
  score:
    foreach: ${test.names}
    do:
      deps: [data/test, data/train, "models/${item}"]
      outs: ["reports/${item}"]
  unused:
    foreach: ${test.nobody}
    do: {deps: [models], outs: ["other/${key}"]}
  tell:
    deps: [reports, models]
    outs: [reports.html]
"""
PARAMS = {
    "sources": {"a": {"use": "train", "root": "raw/a"}, "b": {"use": "test", "root": "raw/b"}},
    "test": {"names": ["one", "two"], "nobody": {}},
}


def test_stages_read_what_others_leave_and_only_the_nearest_is_named(tmp_path: Path) -> None:
    (tmp_path / "dvc.yaml").write_text(GRAPH)
    for out in ("data/train/a", "data/test/b", "models/one", "reports/one"):
        (tmp_path / out).mkdir(parents=True)
    found = {stage.name: stage for stage in stages(tmp_path, PARAMS, "reports.html")}
    assert {name: stage.reads for name, stage in found.items()} == {
        "take": (),
        "learn": ("take",),
        "score": ("learn",),
        "tell": ("score",),
    }
    assert found["take"].items == ("a", "b")
    assert {name: (stage.left, len(stage.items)) for name, stage in found.items()} == {
        "take": (2, 2),
        "learn": (1, 1),
        "score": (1, 2),
        "tell": (1, 1),
    }
    # what the page's stage does not read is not looked for
    (tmp_path / "data/train/a").rmdir()
    assert list(stages(tmp_path, PARAMS, "reports.html")) == list(found.values())
    drawn = draw(list(found.values()))
    assert "score reads learn" in drawn
    assert drawn.count("<rect") == 4
    assert drawn.count('class="edge"') == 3
    assert "1 of 2 left files" in drawn


def test_a_project_without_a_graph_has_none(tmp_path: Path) -> None:
    assert stages(tmp_path, PARAMS) == []
