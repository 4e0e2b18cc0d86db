"""Generators: exact sizes, receptive radius, blocks against a functional reference, noise, starting weights."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from dbgan.errors import ParamsError
from dbgan.networks import Generator, generator, parameter_count, receptive_radius
from dbgan.networks.generators import build

PICTURE = torch.rand(2, 3, 12, 9, generator=torch.Generator().manual_seed(1))
Z = torch.randn(2, 4, generator=torch.Generator().manual_seed(2))


def call(network: Generator, image: Tensor = PICTURE, z: Tensor = Z) -> Tensor:
    return network(image, z.to(image)) if network.kind == "bgan" else network(image)


@pytest.mark.parametrize(
    ("kind", "block", "blocks", "parameters", "tensors"),
    [
        ("dbgan", "rrdb", 16, 11_588_163, 488),
        ("dbgan", "plain", 16, 2_994_691, 166),
        ("dbgan", "rdb", 16, 3_877_379, 166),
        ("bgan", "plain", 9, 1_704_515, 96),
    ],
)
def test_paper_size_networks_have_the_published_number_of_parameters(kind, block, blocks, parameters, tensors) -> None:
    network = build(kind=kind, block=block, blocks=blocks, width=64, growth=32)
    assert parameter_count(network) == parameters
    assert len(network.state_dict()) == tensors


def test_default_depths_are_the_papers_9_and_16_blocks() -> None:
    assert len(generator("bgan", width=4).blocks) == 9
    assert len(generator("dbgan", width=4).blocks) == 16


def reached(network: Generator, height: int, width: int) -> tuple[int, int]:
    """How far (rows, columns) one bright pixel reaches. Positive weights and a black picture: nothing cancels,
    and what is not reached stays exactly zero."""
    network = network.double()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.fill_(3.0 / parameter[0].numel() if parameter.ndim == 4 else 0.0)
        image = torch.zeros(1, 3, height, width, dtype=torch.float64)
        image[..., height // 2, width // 2] = 1.0
        lit = (network.residual(image, Z[:1].double() * 0 if network.kind == "bgan" else None) != 0).any(dim=1)[0]
    rows, columns = lit.nonzero(as_tuple=True)
    return int((rows - height // 2).abs().max()), int((columns - width // 2).abs().max())


@pytest.mark.parametrize(
    ("kind", "block", "radius"),
    [("bgan", "plain", 48), ("dbgan", "plain", 83), ("dbgan", "rdb", 83), ("dbgan", "rrdb", 244)],
)
def test_receptive_radius_is_what_one_pixel_reaches(kind, block, radius) -> None:
    network = generator(kind, block=block, width=4, growth=4)
    assert receptive_radius(network) == radius
    side = 2 * radius + 21
    assert reached(network, 3, side) == (1, radius)
    assert reached(network, side, 3) == (radius, 1)


def reference_residual(network: Generator, image: Tensor, z: Tensor | None) -> Tensor:
    """The network again, from its state dict alone, as the paper and the released code describe it."""
    w = network.state_dict()
    a = network.architecture
    slope = 0.2 if a["block"] == "rrdb" else 0.0

    def conv(name: str, x: Tensor) -> Tensor:
        return F.conv2d(x, w[f"{name}.weight"], w[f"{name}.bias"], padding=1)

    def dense(name: str, x: Tensor) -> Tensor:
        seen = [x]
        for i in range(4):
            seen.append(F.leaky_relu(conv(f"{name}.convs.{i}", torch.cat(seen, 1)), 0.2))
        return x + 0.2 * conv(f"{name}.convs.4", torch.cat(seen, 1))

    def block(name: str, x: Tensor) -> Tensor:
        if a["block"] == "rdb":
            return dense(name, x)
        if a["block"] == "rrdb":
            return x + 0.2 * dense(f"{name}.dense.2", dense(f"{name}.dense.1", dense(f"{name}.dense.0", x)))
        y = x
        for i in range(5):
            y = conv(f"{name}.convs.{i}", y if i == 0 else F.relu(y))
        return x + y

    if z is not None:
        image = torch.cat((image, z.reshape(-1, 4, 1, 1).repeat(1, 1, *image.shape[2:])), 1)
    first = x = conv("head", image)
    for i in range(a["blocks"]):
        x = block(f"blocks.{i}", x)
    if a["block"] == "rrdb":
        x = first + conv("trunk", x)
    return conv("tail.1", F.leaky_relu(conv("tail.0", x), slope))


@pytest.mark.parametrize("block", ["plain", "rdb", "rrdb"])
@pytest.mark.parametrize("kind", ["bgan", "dbgan"])
def test_network_equals_a_functional_reference(kind, block) -> None:
    network = generator(kind, block=block, blocks=2, width=8, growth=4, seed=3).double()
    image, z = PICTURE.double(), Z.double() if kind == "bgan" else None
    with torch.no_grad():
        for parameter in network.parameters():  # biases start at zero: give them something to be wrong about
            parameter.add_(0.05)
        expected = image + reference_residual(network, image, z)
        torch.testing.assert_close(call(network, image), expected, rtol=1e-12, atol=1e-12)


def test_noise_at_blocks_shifts_what_each_block_sees() -> None:
    network = generator("bgan", blocks=2, width=8, noise="blocks", seed=3)
    with torch.no_grad():
        x = network.head(torch.cat((PICTURE, Z.reshape(2, 4, 1, 1).repeat(1, 1, 12, 9)), 1))
        for block, inject in zip(network.blocks, network.inject, strict=True):
            x = x + block(x + (Z @ inject.weight.T + inject.bias).reshape(2, 8, 1, 1))
        expected = PICTURE + network.tail[1](F.relu(network.tail[0](x)))
        torch.testing.assert_close(network(PICTURE, Z), expected)


@pytest.mark.parametrize("block", ["plain", "rdb", "rrdb"])
@pytest.mark.parametrize("noise", ["input", "blocks"])
def test_gradients_reach_every_parameter_and_z(block, noise) -> None:
    network = generator("bgan", block=block, blocks=2, width=8, growth=4, noise=noise)
    z = Z.clone().requires_grad_()
    network(PICTURE, z).square().sum().backward()
    assert z.grad is not None
    assert (z.grad != 0).all()
    starved = [n for n, p in network.named_parameters() if p.grad is None or not (p.grad != 0).any()]
    assert starved == []


def test_noise_changes_the_picture_from_the_first_step() -> None:
    network = generator("bgan", width=32)
    with torch.no_grad():
        effect = (network(PICTURE, Z) - network(PICTURE, Z + 1.0)).abs().mean()
    assert 0.01 < float(effect) < 0.5  # N(0, 0.01) starts at about 1e-3: z switched off


@pytest.mark.parametrize("block", ["plain", "rdb", "rrdb"])
def test_zero_last_starts_at_the_input(block) -> None:
    network = generator("bgan", block=block, blocks=2, width=8, growth=4, init="zero_last")
    assert torch.equal(call(network), PICTURE)


def test_normal_start_has_the_papers_deviation() -> None:
    network = generator("dbgan", blocks=4, width=32, init="normal")
    weights = torch.cat([p.flatten() for n, p in network.named_parameters() if n.endswith("weight")])
    assert weights.std().item() == pytest.approx(0.01, rel=0.02)
    assert all(not p.any() for n, p in network.named_parameters() if n.endswith("bias"))


def test_kaiming_start_keeps_the_power_of_a_signal_inside_a_block() -> None:
    block = generator("dbgan", blocks=1, width=64).blocks[0]
    features = torch.randn(1, 64, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        for conv in block.convs[:4]:
            features = F.relu(conv(features))
        assert 0.5 < float(features.square().mean()) < 2.0
        assert 0.05 < float(block.convs[4](features).std()) < 0.2


def test_only_eval_mode_clamps() -> None:
    network = generator("dbgan", blocks=1, width=4, init="zero_last")
    image = torch.tensor([-0.5, 0.25, 1.5]).reshape(1, 1, 1, 3).repeat(1, 3, 1, 1)
    assert torch.equal(network(image), image)
    assert torch.equal(network.eval()(image), image.clamp(0, 1))


def test_clamp_can_be_left_out() -> None:
    network = generator("dbgan", blocks=1, width=4, init="zero_last", clamp=False).eval()
    image = torch.tensor([-0.5, 0.25, 1.5]).reshape(1, 1, 1, 3).repeat(1, 3, 1, 1)
    assert torch.equal(network(image), image)


@pytest.mark.parametrize("block", ["plain", "rrdb"])
def test_without_the_global_residual_the_network_paints_the_picture(block) -> None:
    network = generator("bgan", block=block, blocks=2, width=8, growth=4, global_residual=False)
    held_back = generator("bgan", block=block, blocks=2, width=8, growth=4)
    with torch.no_grad():
        torch.testing.assert_close(call(network), reference_residual(network, PICTURE, Z))
        torch.testing.assert_close(call(network), 10 * held_back.residual(PICTURE, Z))


def test_zero_last_without_the_global_residual_is_refused() -> None:
    with pytest.raises(ParamsError, match="would start black"):
        generator("dbgan", blocks=1, width=4, init="zero_last", global_residual=False)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize("kind", ["bgan", "dbgan"])
def test_device_of_the_input_is_kept(kind, device) -> None:
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("no GPU")
    network = generator(kind, blocks=1, width=4).to(device)
    output = call(network, PICTURE.to(device))
    assert (output.device.type, output.shape) == (device, PICTURE.shape)
    torch.testing.assert_close(output.cpu(), call(network.cpu()), rtol=1e-3, atol=1e-4)


def test_weights_depend_on_the_seed_alone() -> None:
    torch.manual_seed(0)
    first = generator("bgan", blocks=1, width=4, seed=5).state_dict()
    torch.manual_seed(1)
    state = torch.get_rng_state()
    second = generator("bgan", blocks=1, width=4, seed=5).state_dict()
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(first[n], second[n]) for n in first)
    other = generator("bgan", blocks=1, width=4, seed=6).state_dict()
    assert not torch.equal(first["head.weight"], other["head.weight"])


def test_starting_weights_are_the_same_on_every_machine() -> None:
    weights = generator("bgan", blocks=1, width=4, seed=5).state_dict()["head.weight"]
    recorded = torch.tensor([-0.1899198591709137, -0.19665151834487915, 0.11807501316070557])
    torch.testing.assert_close(weights.flatten()[:3], recorded, rtol=1e-6, atol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("size", [(1, 1), (3, 17), (16, 16)])
@pytest.mark.parametrize("kind", ["bgan", "dbgan"])
def test_shape_and_dtype_of_the_input_are_kept(kind, size, dtype) -> None:
    network = generator(kind, block="rdb", blocks=1, width=4, growth=4).to(dtype)
    output = call(network, torch.rand(2, 3, *size).to(dtype))
    assert (output.shape, output.dtype) == ((2, 3, *size), dtype)


def test_autocast_adds_the_residual_in_float32() -> None:
    network = generator("dbgan", blocks=1, width=4, init="zero_last")
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(network(PICTURE), PICTURE)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"block": "dense"}, "block: expected one of plain, rdb, rrdb, found 'dense'"),
        ({"init": "xavier"}, "init: expected one of kaiming, normal, zero_last, found 'xavier'"),
        ({"noise": "blocks"}, "only a bgan has noise"),
        ({"blocks": 0}, "at least 1, found 0"),
    ],
)
def test_wrong_arguments_are_named(arguments, named) -> None:
    with pytest.raises(ParamsError, match=named):
        generator("dbgan", width=4, **arguments)


def test_wrong_inputs_are_named() -> None:
    bgan, dbgan = (generator(k, blocks=1, width=4) for k in ("bgan", "dbgan"))
    with pytest.raises(ValueError, match=r"expected noise z of shape \(2, 4\), found none"):
        bgan(PICTURE)
    with pytest.raises(ValueError, match=r"expected noise z of shape \(2, 4\), found \(1, 4\)"):
        bgan(PICTURE, Z[:1])
    with pytest.raises(ValueError, match="takes no noise"):
        dbgan(PICTURE, Z)
    with pytest.raises(ValueError, match=r"NCHW RGB picture, found shape \(3, 12, 9\)"):
        dbgan(PICTURE[0])
