"""Tiles equal the whole picture, to the last bit."""

from __future__ import annotations

import pytest
import torch

from dbgan.networks import generator, receptive_radius, tiles

CHANNELS_LAST = torch.channels_last


def picture(height: int, width: int) -> torch.Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(height)).to(
        memory_format=CHANNELS_LAST
    )


@pytest.mark.parametrize(("height", "width"), [(131, 97), (203, 64), (65, 155), (9, 211)])
@pytest.mark.parametrize("block", ["plain", "rdb", "rrdb"])
@pytest.mark.parametrize("kind", ["bgan", "dbgan"])
def test_tiles_equal_the_whole_picture_exactly(kind, block, height, width) -> None:
    network = generator(kind, block=block, blocks=1, width=16, growth=8).eval()
    image, z = picture(height, width), [torch.tensor([[0.3, -1.2, 0.7, 2.0]])] if kind == "bgan" else []
    with torch.inference_mode():
        whole = tiles.apply(network, image, *z, tile=512)
        tiled = tiles.apply(network, image, *z, tile=64)
        torch.testing.assert_close(whole, network(image, *z), rtol=0, atol=1e-6)
    assert float((tiled - whole).abs().max()) == 0.0


@pytest.mark.parametrize("size", [(3, 300), (60, 90), (16, 16)])
def test_small_windows_take_the_routine_of_large_ones(size) -> None:
    """Found on an AMD CPU: a thin picture's tiles differed from the whole by 1e-7."""
    network = generator("bgan", blocks=1, width=16).eval()
    z = torch.tensor([[0.3, -1.2, 0.7, 2.0]])
    image = picture(*size)
    large = torch.zeros(1, 3, size[0], 2000)  # the same picture at the left of one that is large in any case
    large[..., : size[1]] = image
    inside = size[1] - receptive_radius(network)
    with torch.inference_mode():
        alone = tiles.apply(network, image, z)[..., :inside]
        assert torch.equal(alone, network(large.to(memory_format=CHANNELS_LAST), z)[..., :inside])


def test_bf16_tiles_equal_the_whole_picture() -> None:
    network = generator("dbgan", blocks=2, width=16).eval()
    image = picture(150, 131)
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(tiles.apply(network, image, tile=64), network(image))


def test_a_contiguous_picture_gives_the_same_bits_at_every_tile_size() -> None:
    network = generator("dbgan", blocks=2, width=16).eval()
    image = picture(150, 131).contiguous()
    with torch.inference_mode():
        results = [tiles.apply(network, image, tile=tile) for tile in (64, 70, 128, 512)]
    assert all(torch.equal(results[0], other) for other in results[1:])


def test_a_halo_under_the_receptive_radius_shows() -> None:
    network = generator("dbgan", blocks=2, width=16).eval()
    image = picture(150, 131)
    with torch.inference_mode():
        whole = network(image)
        assert not torch.equal(tiles.apply(network, image, tile=64, halo=3), whole)


def test_a_halo_one_px_short_misses_what_the_whole_sees() -> None:
    """A box blur with zero padding, tiled by hand: `halo` 2 is needed and 1 is not enough."""

    def box(image: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.avg_pool2d(image, 5, stride=1, padding=2)

    image = torch.randint(0, 9, (1, 3, 23, 31), generator=torch.Generator().manual_seed(0)).double()
    torch.testing.assert_close(tiles.apply(box, image, tile=8, halo=2), box(image), rtol=0, atol=1e-12)
    assert (tiles.apply(box, image, tile=8, halo=1) - box(image)).abs().max() > 0.1


def test_every_tile_gets_the_same_noise() -> None:
    seen = []

    def network(image: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
        seen.append(z)
        return image

    z = torch.randn(1, 4)
    image = picture(40, 50)
    assert torch.equal(tiles.apply(network, image, z, tile=16, halo=2), image)
    assert len(seen) == 12
    assert all(other is z for other in seen)


@pytest.mark.parametrize(("length", "tile"), [(1, 5), (5, 5), (6, 5), (720, 512), (1000, 7)])
def test_spans_cover_the_length_once_in_equal_parts(length, tile) -> None:
    spans = tiles.spans(length, tile)
    assert [i for start, stop in spans for i in range(start, stop)] == list(range(length))
    sizes = [stop - start for start, stop in spans]
    assert max(sizes) <= tile
    assert max(sizes) - min(sizes) <= 1
    assert len(spans) == -(-length // tile)


def test_what_cannot_be_tiled_is_named() -> None:
    image = picture(20, 20)
    with pytest.raises(ValueError, match="10x14 px became"):
        tiles.apply(lambda x: x[..., :-1, :], image[..., :10, :], tile=10, halo=4)
    with pytest.raises(ValueError, match="explicit halo"):
        tiles.apply(lambda x: x, image, tile=10)
    with pytest.raises(ValueError, match="tile 0"):
        tiles.apply(lambda x: x, image, tile=0, halo=1)
    with pytest.raises(ValueError, match="Identity has no receptive_radius"):
        receptive_radius(torch.nn.Identity())
