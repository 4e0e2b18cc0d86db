"""Other people's restorers, scored as they come: a folder of pictures, an ONNX file, an imported checkpoint. Each has
its row, its differences and its pictures on the report."""

from __future__ import annotations

from pathlib import Path

from onnx import TensorProto, helper

from dbgan.corpus import Corpus
from dbgan.evaluate.compare import compare
from dbgan.evaluate.restorers import open_restorer
from dbgan.evaluate.scoring import evaluate
from dbgan.image.codec import encode
from dbgan.params import ExternalParams, Params, ScoringParams
from dbgan.report import build
from tests.networks.test_foreign import checkpoint
from tests.report.conftest import Project
from tests.tiny_corpora import Tiny, moved, scene, write

SCORING = ScoringParams(tile=64, threads=1, pictures=1, resamples=20)


def test_a_folder_an_onnx_file_and_a_checkpoint_have_their_rows(project: Project, tmp_path: Path) -> None:
    frames = {f"s/{i}": scene(i, 32, 40) for i in range(2)}
    corpus = write(
        tmp_path / "test/town", "paired", [Tiny(key, {"blur": moved(p, 5), "sharp": p}) for key, p in frames.items()]
    )
    externals = restorers(corpus, tmp_path)
    reports = project.root / "reports"
    for name, external in externals.items():
        evaluate(name, open_restorer(external, SCORING), SCORING, tmp_path / "test", reports / "evaluate" / name)
    compare({name: reports / "evaluate" / name for name in externals}, 20, reports / "compare")
    values = project.params.model_dump(mode="json")
    values["evaluate"] |= {"variants": [], "external": {n: e.model_dump() for n, e in externals.items()}}
    build(reports, project.root / "models", project.root / "datasets", Params.model_validate(values))
    page = (reports / "index.html").read_text()
    table = page.split("<caption>Ours: town")[1].split("</table>")[0]
    cells = {name: table.split(f'<tr class="row-{name}">')[1].split("</tr>")[0] for name in ("input", *externals)}
    # the sharp pictures themselves, and the blurry ones unchanged
    assert "<span>100.00</span>" in cells["paper"]
    blurry = cells["input"].split("<span>")[1].split("</span>")[0]
    assert f"<span>{blurry}</span>" in cells["exported"]
    assert f"<span>{blurry}</span>" not in cells["imported"]
    assert '<th scope="row">exported &minus; paper</th>' in page
    for name in externals:
        assert f'data-shot="{name}"' in page
        assert f"<dt>{name}</dt><dd>somebody else&#39;s restorer</dd>" in page


def restorers(corpus: Corpus, folder: Path) -> dict[str, ExternalParams]:
    """One of each kind: the sharp pictures as results, the identity as ONNX, a checkpoint of the released kind."""
    (folder / "paper").mkdir()
    for number, sample in enumerate(corpus, start=1):
        (folder / f"paper/{number:04d}.png").write_bytes(encode(sample.images["sharp"], "png"))
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, "h", "w"]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", ends[:1], ends[1:])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    (folder / "identity.onnx").write_bytes(made.SerializeToString())
    checkpoint(folder / "released.pth")
    return {
        "paper": ExternalParams(path=str(folder / "paper"), files="{number:04d}"),
        "exported": ExternalParams(path=str(folder / "identity.onnx")),
        "imported": ExternalParams(path=str(folder / "released.pth")),
    }
