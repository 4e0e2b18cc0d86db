"""Checkpoints of other programs: by an independent table of names, all errors at once, nothing executed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from torch import Tensor

from dbgan.errors import WeightsError
from dbgan.networks import Generator, generator, load_weights, save_weights
from dbgan.networks.foreign import import_weights

IMAGE = torch.rand(1, 3, 16, 20, generator=torch.Generator().manual_seed(1))


def network(**options: object) -> Generator:
    """A small rrdb, its biases not zero."""
    built = generator("dbgan", block="rrdb", blocks=2, width=8, growth=4, seed=3, **options)
    with torch.no_grad():
        for parameter in built.parameters():
            parameter.add_(0.02)
    return built.eval()


def renamed(own: dict[str, Tensor], block: str, first: str, trunk: str, tail: list[str]) -> dict[str, Tensor]:
    """Written out by loops over the positions, not by matching names."""
    table = {"head": first, "trunk": trunk, "tail.0": tail[0], "tail.1": tail[1]}
    for b in range(2):
        for d in range(3):
            for c in range(5):
                table[f"blocks.{b}.dense.{d}.convs.{c}"] = block % (b, d + 1, c + 1)
    return {f"{theirs}.{kind}": own[f"{ours}.{kind}"] for ours, theirs in table.items() for kind in ("weight", "bias")}


NAMES = {
    "dbgan": ("model.1.sub1.%d.RDB%d.conv%d.0", "model.0", "model.1.sub2.0", ["model.2", "model.4"]),
    "basicsr": ("body.%d.rdb%d.conv%d", "conv_first", "conv_body", ["conv_hr", "conv_last"]),
    "esrgan": ("RRDB_trunk.%d.RDB%d.conv%d", "conv_first", "trunk_conv", ["HRconv", "conv_last"]),
}


def checkpoint(path: Path, naming: str = "dbgan", **changes: Tensor | None) -> tuple[Path, Generator]:
    original = network(global_residual=naming == "dbgan")
    tensors = renamed(original.state_dict(), *NAMES[naming])
    for name, value in changes.items():
        tensors.pop(name, None)
        if value is not None:
            tensors[name] = value
    torch.save(tensors, path)
    return path, original


@pytest.mark.parametrize("naming", NAMES)
def test_a_checkpoint_of_each_naming_gives_the_same_picture(tmp_path, naming) -> None:
    path, original = checkpoint(tmp_path / "c.pth", naming)
    taken = import_weights(path)
    assert (taken.naming, taken.tensors) == (naming, 2 * 3 * 5 * 2 + 8)
    assert taken.network.architecture == original.architecture
    assert torch.equal(taken.network(IMAGE), original(IMAGE))
    save_weights(tmp_path / "w.safetensors", taken.network)
    assert torch.equal(load_weights(tmp_path / "w.safetensors")(IMAGE), original(IMAGE))


def test_the_released_checkpoint_has_488_tensors_of_these_names() -> None:
    """The size of the authors' file, as shapes alone."""
    from dbgan.networks.foreign import NAMINGS
    from dbgan.networks.generators import build

    own = build(kind="dbgan", block="rrdb", blocks=16, width=64, growth=32).state_dict()
    names = {NAMINGS["dbgan"].rename(name) for name in own}
    expected = {f"model.{i}" for i in (0, 2, 4)} | {"model.1.sub2.0"}
    expected |= {f"model.1.sub1.{b}.RDB{d}.conv{c}.0" for b in range(16) for d in (1, 2, 3) for c in range(1, 6)}
    assert names == {f"{name}.{kind}" for name in expected for kind in ("weight", "bias")}
    assert len(names) == 488


def test_nafnet_as_published_is_taken_with_the_windows_of_its_crops(tmp_path) -> None:
    options = {"width": 4, "encoder": [1, 2], "middle": 1, "decoder": [2, 1]}
    original = generator("dbgan", network="nafnet", pooling=384, **options).eval()
    with torch.no_grad():
        for parameter in original.parameters():
            parameter.add_(0.1)
    torch.save({"params": original.state_dict()}, tmp_path / "nafnet.pth")
    taken = import_weights(tmp_path / "nafnet.pth")
    assert taken.network.architecture == original.architecture
    assert torch.equal(taken.network(IMAGE), original(IMAGE))


@pytest.mark.parametrize("wrapper", ["params_ema", "params", "state_dict"])
def test_wrapped_parallel_and_half_precision_checkpoints_are_taken(tmp_path, wrapper) -> None:
    path, original = checkpoint(tmp_path / "c.pth")
    half = {f"module.{name}": tensor.half() for name, tensor in torch.load(path, weights_only=True).items()}
    torch.save({wrapper: half, "iter": 3}, path)
    taken = import_weights(path).network
    assert all(p.dtype == torch.float32 for p in taken.parameters())
    torch.testing.assert_close(taken(IMAGE), original(IMAGE), rtol=0, atol=5e-3)


def test_every_missing_surplus_and_misshaped_tensor_is_listed_under_its_name_in_the_file(tmp_path) -> None:
    changes = {
        "model.4.bias": None,
        "model.1.sub1.1.RDB2.conv3.0.weight": None,
        "model.2.weight": torch.zeros(8, 8, 5, 5),
        "model.6.weight": torch.zeros(1),
    }
    path, _ = checkpoint(tmp_path / "c.pth", **changes)
    with pytest.raises(WeightsError) as caught:
        import_weights(path)
    for part in (
        "4 tensors do not fit",
        "missing: model.4.bias (3,)",
        "missing: model.1.sub1.1.RDB2.conv3.0.weight (4, 16, 3, 3)",
        "model.2.weight: expected (8, 8, 3, 3), found (8, 8, 5, 5)",
        "not of this network: model.6.weight",
        "Next: ",
    ):
        assert part in str(caught.value)


def test_a_number_in_a_name_builds_no_giant(tmp_path) -> None:
    name = "model.1.sub1.999999999.RDB1.conv1.0.weight"
    path, _ = checkpoint(tmp_path / "c.pth", **{name: torch.zeros(1)})
    with pytest.raises(WeightsError, match=f"not of this network: {name}"):
        import_weights(path)


@pytest.mark.parametrize(("naming", "layer"), [("basicsr", "conv_up1"), ("esrgan", "upconv2")])
def test_an_upsampling_network_is_refused_with_the_layers_that_make_it_one(tmp_path, naming, layer) -> None:
    path, _ = checkpoint(tmp_path / "c.pth", naming, **{f"{layer}.weight": torch.zeros(8, 8, 3, 3)})
    with pytest.raises(WeightsError, match=rf"enlarges its picture(.|\n)*{layer}.weight(.|\n)*scale 1"):
        import_weights(path)


class Hostile:
    """A pickle that would make a folder when loaded."""

    def __init__(self, folder: Path) -> None:
        self.folder = str(folder)

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (self.folder,)


def test_a_pickle_that_runs_code_is_refused_and_not_run(tmp_path) -> None:
    torch.save({"model.0.weight": Hostile(tmp_path / "owned")}, tmp_path / "c.pth")
    with pytest.raises(WeightsError, match=r"cannot be read as one(.|\n)*It was not executed"):
        import_weights(tmp_path / "c.pth")
    assert not (tmp_path / "owned").exists()


def test_files_that_are_no_checkpoint_of_a_known_network_are_named(tmp_path) -> None:
    torch.save({"layer.weight": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(WeightsError, match=r"1 tensors of no known network: layer.weight(.|\n)*basicsr \(body"):
        import_weights(tmp_path / "other.pth")
    torch.save({"epoch": 3}, tmp_path / "epoch.pth")
    with pytest.raises(WeightsError, match=r"expected a state dict of tensors, found \['epoch'\]"):
        import_weights(tmp_path / "epoch.pth")
    (tmp_path / "text.pth").write_text("no")
    with pytest.raises(WeightsError, match="cannot be read as one"):
        import_weights(tmp_path / "text.pth")
    with pytest.raises(WeightsError, match="no such checkpoint"):
        import_weights(tmp_path / "absent.pth")
