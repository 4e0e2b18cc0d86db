"""NAFNet: published sizes, one block against a functional reference, local windows by brute force, any size, tiles."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from dbgan.errors import ParamsError
from dbgan.networks import generator, load_weights, parameter_count, receptive_radius, save_weights, tiles
from dbgan.networks.nafnet import ENTRY, NafBlock, NafNet, build, window_means

TINY = {"width": 4, "encoder": (1, 2), "middle": 1, "decoder": (2, 1)}


def picture(height: int, width: int, count: int = 1) -> Tensor:
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(height + width))


def shaken(network: torch.nn.Module, seed: int = 0) -> torch.nn.Module:
    """Random values everywhere: beta and gamma start at zero, which would hide the blocks."""
    source = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape, generator=source).to(parameter))
    return network


@pytest.mark.parametrize(("width", "parameters"), [(32, 17_111_907), (64, 67_888_835)])
def test_published_sizes(width, parameters) -> None:
    """The published checkpoints' counts: 17.1 M and 67.9 M."""
    network = build(kind="dbgan", **{**ENTRY.options, "width": width})
    assert parameter_count(network) == parameters
    published = {"intro.weight", "encoders.3.27.conv2.weight", "downs.3.bias", "middle_blks.0.sca.1.weight"}
    published |= {"ups.0.0.weight", "decoders.3.0.norm1.weight", "decoders.0.0.beta", "ending.bias"}
    assert published <= network.state_dict().keys()


def naf_block(x: Tensor, w: dict[str, Tensor]) -> Tensor:
    """One block again, from its tensors alone, after Fig. 3c and Eqs. 1, 4 to 6 of the paper."""

    def norm(x: Tensor, name: str) -> Tensor:
        mean, var = x.mean(1, keepdim=True), x.var(1, keepdim=True, unbiased=False)
        scale, shift = (w[f"{name}.{part}"].reshape(1, -1, 1, 1) for part in ("weight", "bias"))
        return (x - mean) / (var + 1e-6).sqrt() * scale + shift

    def conv(x: Tensor, name: str, **how: int) -> Tensor:
        return F.conv2d(x, w[f"{name}.weight"], w[f"{name}.bias"], **how)

    c = x.shape[1]
    y = conv(conv(norm(x, "norm1"), "conv1"), "conv2", padding=1, groups=2 * c)
    y = y[:, :c] * y[:, c:]
    y = conv(y * conv(F.adaptive_avg_pool2d(y, 1), "sca.1"), "conv3")
    x = x + y * w["beta"]
    y = conv(norm(x, "norm2"), "conv4")
    return x + conv(y[:, :c] * y[:, c:], "conv5") * w["gamma"]


@pytest.mark.parametrize("train", [True, False])
def test_a_block_equals_a_functional_reference(train) -> None:
    block = NafBlock(6, window=0 if not train else 3).double()
    with torch.no_grad():
        for parameter in block.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(parameter.numel())))
    features = torch.randn(2, 6, 7, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(
        block.train(train)(features), naf_block(features, block.state_dict()), rtol=1e-10, atol=1e-10
    )


def test_the_network_is_a_u_of_blocks_around_a_residual() -> None:
    network = shaken(generator("dbgan", network="nafnet", **TINY)).double().train()
    w, image = network.state_dict(), picture(8, 12).double()

    def blocks(x: Tensor, name: str, count: int) -> Tensor:
        for i in range(count):
            prefix = f"{name}.{i}."
            x = naf_block(x, {k.removeprefix(prefix): v for k, v in w.items() if k.startswith(prefix)})
        return x

    def up(x: Tensor, index: int) -> Tensor:
        return F.pixel_shuffle(F.conv2d(x, w[f"ups.{index}.0.weight"]), 2)

    first = blocks(F.conv2d(image, w["intro.weight"], w["intro.bias"], padding=1), "encoders.0", 1)
    second = blocks(F.conv2d(first, w["downs.0.weight"], w["downs.0.bias"], stride=2), "encoders.1", 2)
    low = blocks(F.conv2d(second, w["downs.1.weight"], w["downs.1.bias"], stride=2), "middle_blks", 1)
    second = blocks(up(low, 0) + second, "decoders.0", 2)
    first = blocks(up(second, 1) + first, "decoders.1", 1)
    expected = image + F.conv2d(first, w["ending.weight"], w["ending.bias"], padding=1)
    torch.testing.assert_close(network(image), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("height", "width", "side"), [(9, 7, 3), (9, 7, 4), (5, 12, 6), (4, 4, 9), (1, 6, 2)])
def test_window_means_are_those_of_a_loop(height, width, side) -> None:
    values = np.random.default_rng(0).random((2, 3, height, width))
    expected = np.empty_like(values)
    tall, wide = min(side, height), min(side, width)
    for row in range(height):
        for column in range(width):
            top = min(max(row - tall // 2, 0), height - tall)
            left = min(max(column - wide // 2, 0), width - wide)
            expected[:, :, row, column] = values[:, :, top : top + tall, left : left + wide].mean((2, 3))
    np.testing.assert_allclose(window_means(torch.from_numpy(values), side).numpy(), expected, rtol=1e-12)
    single = window_means(torch.from_numpy(values).float(), side)
    np.testing.assert_allclose(single.numpy(), expected, rtol=1e-5)


def test_windows_hold_outside_training_alone_and_a_picture_no_larger_than_one_has_them_whole() -> None:
    network = shaken(generator("dbgan", network="nafnet", clamp=False, pooling=16, **TINY))
    small, large = picture(16, 16), picture(48, 48)
    with torch.no_grad():
        torch.testing.assert_close(network.eval()(small), network.train()(small), rtol=1e-4, atol=1e-5)
        assert (network.eval()(large) - network.train()(large)).abs().max() > 1e-3


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("size", [(1, 1), (3, 17), (16, 16), (21, 30)])
@pytest.mark.parametrize("train", [True, False])
def test_any_size_and_dtype_is_kept(size, dtype, train) -> None:
    network = generator("dbgan", network="nafnet", **TINY).to(dtype).train(train)
    output = network(picture(*size, count=2).to(dtype))
    assert (output.shape, output.dtype) == ((2, 3, *size), dtype)
    assert output.isfinite().all()


def test_every_block_starts_as_the_identity_and_zero_last_at_the_input() -> None:
    image = picture(8, 8)
    network = generator("dbgan", network="nafnet", init="zero_last", **TINY)
    assert torch.equal(network(image), image)
    features = torch.randn(1, 4, 8, 8)
    assert torch.equal(network.encoders[0](features), features)
    assert 1e-4 < (generator("dbgan", network="nafnet", **TINY)(image) - image).abs().mean() < 0.5


def test_gradients_reach_every_parameter() -> None:
    network = shaken(generator("dbgan", network="nafnet", **TINY))
    network(picture(16, 16)).square().sum().backward()
    assert [n for n, p in network.named_parameters() if p.grad is None or not (p.grad != 0).any()] == []


def test_weights_depend_on_the_seed_alone_and_a_file_rebuilds_the_network(tmp_path) -> None:
    torch.manual_seed(0)
    first = generator("dbgan", network="nafnet", seed=5, **TINY)
    torch.manual_seed(1)
    state = torch.get_rng_state()
    second = generator("dbgan", network="nafnet", seed=5, **TINY)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    save_weights(tmp_path / "w.safetensors", shaken(first))
    loaded = load_weights(tmp_path / "w.safetensors")
    assert isinstance(loaded, NafNet)
    assert loaded.architecture == first.architecture
    assert torch.equal(loaded(picture(20, 13)), first.eval()(picture(20, 13)))


def without_attention(network: NafNet) -> NafNet:
    """Attention as the constant 1: what is left sees as far as the convolutions do."""
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if "sca" in name:
                parameter.fill_(1.0 if name.endswith("bias") else 0.0)
    return network


def test_receptive_radius_bounds_what_one_pixel_reaches_through_the_convolutions() -> None:
    network = without_attention(shaken(generator("dbgan", network="nafnet", clamp=False, **TINY))).double().eval()
    radius = receptive_radius(network)
    assert radius == 2 + (1 + 1) * 1 + (2 + 2) * 2 + 1 * 4 + 3
    side, reached = 2 * radius + 12, 0
    image = picture(side, 4).double()
    with torch.no_grad():
        before = network(image)
        for row in range(side // 2, side // 2 + 4):  # every place within the coarsest cell
            moved = image.clone()
            moved[..., row, 0] += 1.0
            rows = ((network(moved) - before).abs() > 1e-12).any(dim=1)[0].any(dim=1).nonzero()[:, 0]
            reached = max(reached, int((rows - row).abs().max()))
    assert reached == radius


def test_tiles_equal_the_whole_where_attention_is_local_enough() -> None:
    network = without_attention(shaken(generator("dbgan", network="nafnet", **TINY))).eval()
    network.whole_pixels = 0
    image = picture(75, 93)
    with torch.inference_mode():
        torch.testing.assert_close(tiles.apply(network, image, tile=32), network(image), rtol=0, atol=1e-5)


def test_pictures_up_to_the_limit_are_computed_in_one_piece_and_larger_ones_say_that_they_are_not() -> None:
    network = shaken(generator("dbgan", network="nafnet", pooling=8, **TINY)).eval()
    image = picture(60, 50)
    with torch.inference_mode():
        assert torch.equal(
            tiles.apply(network, image, tile=16), network(image.contiguous(memory_format=torch.channels_last))
        )
        network.whole_pixels = 60 * 50 - 1
        with pytest.warns(
            UserWarning, match=r"50x60 px are more than the 2999 px(.|\n)*depends on the tile side, 16 px"
        ):
            cut = tiles.apply(network, image, tile=16)
    assert cut.shape == image.shape


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"decoder": (1, 1)}, r"as many numbers of blocks .* found encoder \[1, 1, 1, 28\].*decoder \[1, 1\]"),
        ({"encoder": (), "decoder": ()}, "as many numbers of blocks"),
        ({"width": 0}, "width 0"),
        ({"pooling": -1}, "pooling -1"),
        ({"block": "rrdb"}, "nafnet: has no option 'block'; its options are width, encoder"),
        ({"midle": 1}, "did you mean 'middle'"),
    ],
)
def test_wrong_arguments_are_named(arguments, named) -> None:
    with pytest.raises(ParamsError, match=named):
        generator("dbgan", network="nafnet", **arguments)


def test_it_takes_no_noise() -> None:
    with pytest.raises(ParamsError, match="nafnet can be a dbgan, not a bgan"):
        generator("bgan", network="nafnet")
    with pytest.raises(ValueError, match="takes no noise"):
        generator("dbgan", network="nafnet", **TINY)(picture(8, 8), torch.zeros(1, 4))
