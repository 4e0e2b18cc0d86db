"""Weight files: round trip, equal bytes for equal weights, and errors that list all that is wrong."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from dbgan.errors import WeightsError
from dbgan.networks import discriminator, generator, load_weights, save_weights
from dbgan.networks.weights import require_generator

NETWORKS = {
    "bgan": lambda: generator("bgan", blocks=2, width=4, seed=3),
    "bgan at blocks": lambda: generator("bgan", blocks=2, width=4, noise="blocks", seed=3),
    "dbgan rdb": lambda: generator("dbgan", block="rdb", blocks=1, width=4, growth=4, seed=3),
    "dbgan rrdb": lambda: generator("dbgan", block="rrdb", blocks=1, width=4, growth=4, seed=3),
    "no global residual, no clamp": lambda: generator("dbgan", blocks=1, width=4, global_residual=False, clamp=False),
    "nafnet": lambda: generator("dbgan", network="nafnet", width=4, encoder=(1,), decoder=(1,)),
    "discriminator": lambda: discriminator("vgg19", width=4, crop=32, seed=3),
    "patch": lambda: discriminator("patch", width=4, crop=32, seed=3),
    "spectral": lambda: discriminator("vgg128", width=4, crop=32, spectral_norm=True, seed=3),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_file_rebuilds_its_network_from_its_own_metadata(tmp_path, name) -> None:
    network = NETWORKS[name]().eval()
    save_weights(tmp_path / "w.safetensors", network)
    loaded = load_weights(tmp_path / "w.safetensors")
    image = torch.rand(1, 3, 32, 32)
    extra = [torch.randn(1, 4)] if name.startswith("bgan") else []
    assert torch.equal(loaded(image, *extra), network(image, *extra))
    with safe_open(tmp_path / "w.safetensors", "pt") as file:
        assert loaded.architecture == network.architecture == json.loads(file.metadata()["architecture"])
    assert not loaded.training
    assert all(p.requires_grad for p in loaded.parameters())


def test_equal_weights_give_equal_bytes_in_any_memory_format(tmp_path) -> None:
    one, other = generator("bgan", blocks=2, width=8), generator("bgan", blocks=2, width=8)
    other.to(memory_format=torch.channels_last)
    assert save_weights(tmp_path / "1.safetensors", one)
    save_weights(tmp_path / "2.safetensors", other)
    assert (tmp_path / "1.safetensors").read_bytes() == (tmp_path / "2.safetensors").read_bytes()
    assert not save_weights(tmp_path / "1.safetensors", other), "a file with these bytes is left alone"
    save_weights(tmp_path / "3.safetensors", load_weights(tmp_path / "1.safetensors"))
    assert (tmp_path / "3.safetensors").read_bytes() == (tmp_path / "1.safetensors").read_bytes()


def test_loaded_weights_train_on(tmp_path) -> None:
    save_weights(tmp_path / "w.safetensors", generator("dbgan", blocks=1, width=4))
    network = load_weights(tmp_path / "w.safetensors").train()
    before = network.head.weight.clone()
    network(torch.rand(1, 3, 8, 8)).sum().backward()
    torch.optim.SGD(network.parameters(), 0.1).step()
    assert not torch.equal(network.head.weight, before)


def test_every_tensor_that_does_not_fit_is_listed(tmp_path) -> None:
    path = tmp_path / "w.safetensors"
    network = generator("dbgan", blocks=1, width=4)
    save_weights(path, network)
    tensors = load_file(path)
    del tensors["tail.1.bias"]
    tensors["head.weight"] = torch.zeros(5, 3, 3, 3)
    tensors["extra"] = torch.zeros(1)
    tensors["tail.0.bias"] = torch.full((4,), float("nan"))
    save_file(tensors, path, metadata={"architecture": json.dumps(network.architecture)})
    with pytest.raises(WeightsError) as caught:
        load_weights(path)
    for part in (
        str(path),
        "4 tensors do not fit",
        "missing: tail.1.bias (3,)",
        "not of this network: extra",
        "head.weight: expected (4, 3, 3, 3), found (5, 3, 3, 3)",
        "tail.0.bias: holds NaN or infinite numbers",
        "Next: ",
    ):
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("metadata", "named"),
    [
        (None, "expected the metadata key 'architecture'"),
        ({"architecture": "{"}, "is not JSON"),
        ({"architecture": "[]"}, "is no JSON object"),
        ({"architecture": '{"network": "transformer"}'}, "expected a network of kind generator, nafnet.*discriminator"),
        ({"architecture": '{"network": "generator", "kind": "bgan"}'}, "this version cannot build the network"),
    ],
)
def test_files_of_other_programs_are_named(tmp_path, metadata, named) -> None:
    path = tmp_path / "w.safetensors"
    save_file({"a": torch.zeros(1)}, path, metadata=metadata)
    with pytest.raises(WeightsError, match=named) as caught:
        load_weights(path)
    assert str(path) in str(caught.value)


def test_missing_and_damaged_files_are_named(tmp_path) -> None:
    path = tmp_path / "w.safetensors"
    with pytest.raises(WeightsError, match=r"no such weight file(.|\n)*Next: "):
        load_weights(path)
    save_weights(path, generator("bgan", blocks=1, width=4))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(WeightsError, match="expected a safetensors file, found something else"):
        load_weights(path)


def test_a_checkpoint_of_another_program_is_pointed_to_the_import(tmp_path) -> None:
    path = tmp_path / "other.pth"
    torch.save({"a": torch.zeros(1)}, path)
    with pytest.raises(WeightsError, match=r"Next: (.|\n)*`dbgan weights import FILE OUT`"):
        load_weights(path)


def test_a_network_of_the_other_kind_is_refused(tmp_path) -> None:
    bgan = generator("bgan", blocks=1, width=4)
    assert require_generator(bgan, "bgan", tmp_path) is bgan
    with pytest.raises(WeightsError, match="expected the weights of a dbgan generator, found generator bgan"):
        require_generator(bgan, "dbgan", tmp_path)
