"""Discriminators: exact sizes, one verdict per picture, a signal from the first step."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from dbgan.errors import ParamsError
from dbgan.networks import discriminator, parameter_count
from dbgan.networks.discriminators import build

KINDS = ["vgg128", "vgg19"]


def crops(count: int, side: int = 64) -> torch.Tensor:
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    ("kind", "convolutions", "parameters"), [("vgg128", 10, 14_496_521), ("vgg19", 16, 20_843_785)]
)
def test_paper_size_discriminators(kind, convolutions, parameters) -> None:
    network = build(kind=kind, width=64, crop=128, spectral_norm=False)
    assert sum(isinstance(m, nn.Conv2d) for m in network.modules()) == convolutions
    assert [(m.in_features, m.out_features) for m in network.head if isinstance(m, nn.Linear)] == [
        (8192, 100),
        (100, 1),
    ]
    assert parameter_count(network) == parameters


def test_patch_is_the_70_px_patchgan_without_norms() -> None:
    network = build(kind="patch", width=64, crop=128, spectral_norm=False)
    assert parameter_count(network) == 2_764_737
    strides = [(m.kernel_size[0], m.stride[0]) for m in network.modules() if isinstance(m, nn.Conv2d)]
    assert strides == [(4, 2), (4, 2), (4, 2), (4, 1), (4, 1)]


def test_a_logit_of_patch_sees_70_px() -> None:
    network = discriminator("patch", width=4).double()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.fill_(0.1)  # nothing cancels
    picture = crops(1, 160).double().requires_grad_()
    logits = network(picture)
    logits[0, 0, 9, 9].backward()
    rows, columns = picture.grad[0].sum(0).nonzero(as_tuple=True)
    assert (int(rows.max() - rows.min()) + 1, int(columns.max() - columns.min()) + 1) == (70, 70)


@pytest.mark.parametrize("size", [(24, 24), (64, 100), (129, 31), (256, 256)])
def test_patch_judges_pictures_of_any_size(size) -> None:
    network = discriminator("patch", width=4, crop=32)
    logits = network(torch.rand(2, 3, *size))
    assert logits.shape == (2, 1, size[0] // 8 - 2, size[1] // 8 - 2)
    with pytest.raises(ValueError, match=r"at least 24x24 px, found shape \(1, 3, 23, 64\)"):
        network(torch.rand(1, 3, 23, 64))


def test_vgg19_has_torchvisions_convolutions() -> None:
    from torchvision.models.vgg import cfgs, make_layers

    with torch.device("meta"):
        published = make_layers(cfgs["E"])
    ours = build(kind="vgg19", width=64, crop=128, spectral_norm=False).features
    for kept in (nn.Conv2d, nn.MaxPool2d):
        assert [str(m) for m in ours if isinstance(m, kept)] == [str(m) for m in published if isinstance(m, kept)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("crop", [32, 64, 96])
def test_one_logit_per_crop_at_any_multiple_of_32(kind, crop) -> None:
    logits = discriminator(kind, width=4, crop=crop)(crops(3, crop))
    assert logits.shape == (3, 1)
    assert logits.isfinite().all()


@pytest.mark.parametrize("kind", [*KINDS, "patch"])
def test_verdict_on_a_crop_does_not_depend_on_its_neighbours(kind) -> None:
    network = discriminator(kind, width=8, crop=64).train()
    batch = crops(4)
    together, alone = network(batch), torch.cat([network(batch[i : i + 1]) for i in range(4)])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)
    assert not any("Norm" in type(m).__name__ for m in network.modules())


@pytest.mark.parametrize("kind", [*KINDS, "patch"])
def test_starting_weights_carry_the_signal_to_the_logit(kind) -> None:
    """Torch's own initialisation lets it fade by some 1e-3 over these depths: D then stays at chance."""
    network = discriminator(kind, width=16, crop=64)
    batch = crops(8) * torch.linspace(0.2, 1.0, 8).reshape(8, 1, 1, 1)
    spread = network(batch).std().item()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for module in network.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                module.reset_parameters()
    assert 0.02 < spread < 5.0
    assert spread > 10 * network(batch).std().item()


@pytest.mark.parametrize("kind", [*KINDS, "patch"])
@pytest.mark.parametrize("spectral_norm", [False, True])
def test_gradients_reach_every_parameter_and_the_picture(kind, spectral_norm) -> None:
    network = discriminator(kind, width=4, crop=32, spectral_norm=spectral_norm)
    picture = crops(2, 32).requires_grad_()
    network(picture).square().sum().backward()
    assert picture.grad is not None
    assert (picture.grad != 0).any()
    assert [n for n, p in network.named_parameters() if p.grad is None or not (p.grad != 0).any()] == []


@pytest.mark.parametrize(("kind", "count"), [("vgg128", 12), ("vgg19", 18), ("patch", 5)])
def test_spectral_norm_bounds_every_layer(kind, count) -> None:
    network = discriminator(kind, width=4, crop=32, spectral_norm=True)
    for _ in range(20):  # each forward in training mode is one power iteration
        network(crops(1, 32))
    layers = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    assert len(layers) == count
    for layer in layers:
        assert torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item() == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("spectral_norm", [False, True])
def test_weights_depend_on_the_seed_alone(spectral_norm) -> None:
    torch.manual_seed(0)
    first = discriminator("vgg128", width=4, crop=32, seed=5, spectral_norm=spectral_norm).state_dict()
    torch.manual_seed(1)
    state = torch.get_rng_state()
    second = discriminator("vgg128", width=4, crop=32, seed=5, spectral_norm=spectral_norm).state_dict()
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(first[n], second[n]) for n in first)
    other = discriminator("vgg128", width=4, crop=32, seed=6, spectral_norm=spectral_norm).state_dict()
    assert any(not torch.equal(first[n], other[n]) for n in first)


def test_a_crop_of_another_size_is_named() -> None:
    with pytest.raises(ValueError, match=r"takes RGB crops of 64 px.*found \(1, 3, 96, 64\)"):
        discriminator("vgg128", width=4, crop=64)(torch.rand(1, 3, 96, 64))


@pytest.mark.parametrize("crop", [100, 16, 0])
def test_a_crop_that_cannot_be_halved_five_times_is_refused(crop) -> None:
    with pytest.raises(ParamsError, match=f"multiple of 32 px; found {crop}"):
        discriminator("vgg19", width=4, crop=crop)


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ParamsError, match="expected one of vgg128, vgg19, patch, found 'patchy'"):
        discriminator("patchy")  # type: ignore[arg-type]
