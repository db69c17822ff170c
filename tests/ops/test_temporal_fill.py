from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from vidprod.ops.flow import positions, sample
from vidprod.ops.letterbox import bar_rows
from vidprod.ops.temporal_blend import Hole, Still, blend, grain, measure
from vidprod.ops.temporal_fill import Filled, TemporalFill
from vidprod.ops.temporal_window import GUARD, MEAN_OF, Window

HEIGHT, WIDTH = 72, 160


def telea(pictures: Tensor, masks: Tensor) -> Tensor:
    filled = []
    for picture, mask in zip(pictures, masks, strict=True):
        image = np.ascontiguousarray(picture.permute(1, 2, 0).numpy())
        filled.append(cv2.inpaint(image, mask[0].numpy().astype(np.uint8), 3, cv2.INPAINT_TELEA))
    return torch.from_numpy(np.stack(filled)).permute(0, 3, 1, 2)


def scene(seed: int = 0, tint: Sequence[float] = (1.0, 0.9, 0.8)) -> Tensor:
    """(1, 3, H, W) texture, larger than a picture."""
    generator = torch.Generator().manual_seed(seed)
    height, width = HEIGHT + 160, WIDTH + 160
    total = torch.zeros(1, 1, height, width)
    for size in (2, 4, 8, 24):
        coarse = torch.randn(1, 1, height // size + 2, width // size + 2, generator=generator)
        total += F.interpolate(coarse, size=(height, width), mode="bicubic", align_corners=False) * 14
    return ((total + 110) * torch.tensor(tint).view(1, 3, 1, 1)).clamp(0, 255)


def film(count: int, *, dx: float = 0.0, dy: float = 0.0, seed: int = 0, **kind: Sequence[float]) -> Tensor:
    """(count, 3, H, W) uint8: a camera moving over the scene, so many pixels a picture."""
    picture = scene(seed, **kind)
    at = positions(HEIGHT, WIDTH, torch.device("cpu")) + 80
    step = torch.tensor([dx, dy]).view(1, 2, 1, 1)
    views = [sample(picture, at + i * step, mode="bicubic") for i in range(count)]
    return torch.cat(views).round().clamp(0, 255).to(torch.uint8)


def letters(shift: int = 0) -> Tensor:
    """(H, W) bool: strokes five pixels wide."""
    mask = torch.zeros(HEIGHT, WIDTH, dtype=torch.bool)
    for left in range(30 + shift, 120 + shift, 16):
        mask[28:46, left : left + 5] = True
        mask[34:39, left : left + 12] = True
    return mask


def with_text(clean: Tensor, first: int, stop: int, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Burned pictures and their masks: white text in pictures first..stop."""
    stroke = letters() if mask is None else mask
    burned, masks = clean.clone(), torch.zeros(len(clean), HEIGHT, WIDTH, dtype=torch.bool)
    burned[first:stop] = torch.where(stroke, torch.full_like(clean[first:stop], 255), clean[first:stop])
    masks[first:stop] = stroke
    return burned, masks


def filled(
    burned: Tensor, masks: Tensor, *, batch: int = 5, **how: int | Sequence[int] | Sequence[tuple[int, int]]
) -> list[Filled]:
    fill = TemporalFill(telea, **how)  # type: ignore[arg-type]
    done: list[Filled] = []
    for at in range(0, len(burned), batch):
        done += fill.push(burned[at : at + batch], masks[at : at + batch])
    done += fill.finish()
    assert [one.index for one in done] == list(range(len(burned)))
    return done


def pictures(done: list[Filled]) -> Tensor:
    return torch.stack([one.picture for one in done])


def error(result: Tensor, clean: Tensor, masks: Tensor) -> float:
    """Root of the mean squared error in the masks, in levels."""
    squared = (result.float() - clean.float()).pow(2).mean(1)
    return float(squared[masks].mean().sqrt())


def test_a_still_camera_gives_back_what_was_there() -> None:
    clean = film(20)
    burned, masks = with_text(clean, 6, 14)
    done = filled(burned, masks)
    result = pictures(done)
    assert error(result, clean, masks) < 3
    assert error(telea(burned[6:14], masks[6:14, None]), clean[6:14], masks[6:14]) > 8
    assert torch.equal(result.masked_fill(masks[:, None], 0), burned.masked_fill(masks[:, None], 0))
    assert [one.share is None for one in done] == [not 6 <= i < 14 for i in range(20)]
    assert min(one.share for one in done if one.share is not None) > 0.9


@pytest.mark.parametrize(("dx", "dy"), [(1.3, 0.4), (-3.0, 0.0), (7.0, 1.0)])
def test_a_moving_camera(dx: float, dy: float) -> None:
    """What is hidden now was, or will be, seen beside the letters: no clean picture is needed."""
    clean = film(16, dx=dx, dy=dy)
    burned, masks = with_text(clean, 0, 16)
    result = pictures(filled(burned, masks))
    spatial = telea(burned, masks[:, None])
    assert error(result, clean, masks) < 0.67 * error(spatial, clean, masks)

    def flicker(of: Tensor) -> float:
        steps = (of[1:].float() - of[:-1].float()) - (clean[1:].float() - clean[:-1].float())
        return float(steps.abs().mean(1)[masks[1:]].mean())

    assert flicker(result) < flicker(spatial)


def test_batches_make_no_difference() -> None:
    burned, masks = with_text(film(24, dx=1.0), 4, 20)
    one, seven, all_of_them = (pictures(filled(burned, masks, batch=n, reach=6)) for n in (1, 7, 24))
    assert torch.equal(one, seven)
    assert torch.equal(one, all_of_them)


def test_nothing_comes_across_a_cut() -> None:
    clean = torch.cat([film(10, tint=(1.0, 0.1, 0.1)), film(10, seed=1, tint=(0.1, 0.1, 1.0))])
    burned, masks = with_text(clean, 5, 15)
    result = pictures(filled(burned, masks, cuts=[10]))
    assert error(result, clean, masks) < 3
    # The first shot has only pictures before the text, the second only pictures after it; hide those as well.
    burned, masks = with_text(clean, 0, 15)
    result = pictures(filled(burned, masks, cuts=[10]))
    first = result[:10].permute(0, 2, 3, 1)[masks[:10]]
    assert torch.equal(first, telea(burned[:10], masks[:10, None]).permute(0, 2, 3, 1)[masks[:10]])


def test_nothing_comes_from_a_transition() -> None:
    """Red passes over into blue while there is text; every moment of it is unlike every other."""
    red, blue = film(30, tint=(1.0, 0.1, 0.1)), film(30, seed=1, tint=(0.1, 0.1, 1.0))
    share = ((torch.arange(30) - 10) / 10).clamp(0, 1).view(30, 1, 1, 1)
    clean = (red * (1 - share) + blue * share).round().to(torch.uint8)
    burned, masks = with_text(clean, 5, 25)
    done = filled(burned, masks, transitions=[(11, 20)])
    result = pictures(done)
    shares = [one.share for one in done]
    assert shares[11] == 0.0
    assert torch.equal(result[11], telea(burned[11:12], masks[11:12, None])[0])
    assert error(result[5:11], clean[5:11], masks[5:11]) < 3
    assert error(result[20:25], clean[20:25], masks[20:25]) < 3
    guesses = telea(burned[11:20], masks[11:20, None])
    assert error(result[11:20], clean[11:20], masks[11:20]) < 1.1 * error(guesses, clean[11:20], masks[11:20])
    with pytest.raises(ValueError, match=r"transition \(7, 7\)"):
        TemporalFill(telea, transitions=[(7, 7)])


def test_a_dissolve_that_nobody_told_of() -> None:
    red, blue = film(40, tint=(1.0, 0.1, 0.1)), film(40, seed=1, tint=(0.1, 0.1, 1.0))
    share = ((torch.arange(40) - 15) / 10).clamp(0, 1).view(40, 1, 1, 1)
    clean = (red * (1 - share) + blue * share).round().to(torch.uint8)
    burned, masks = with_text(clean, 5, 34)
    result = pictures(filled(burned, masks))
    for at in range(5, 34):
        spatial = telea(burned[at : at + 1], masks[at : at + 1, None])
        one = slice(at, at + 1)
        assert error(result[one], clean[one], masks[one]) < 1.15 * error(spatial, clean[one], masks[one]), at


@pytest.mark.parametrize("late", range(1, GUARD + 1))
def test_text_that_fades_is_not_copied(late: int) -> None:
    """The masks miss its first and last pictures."""
    clean = film(26)
    burned, masks = with_text(clean, 8, 18)
    masks[8 : 8 + late] = False
    masks[18 - late : 18] = False
    result = pictures(filled(burned, masks))
    assert error(result, clean, masks) < 3


def test_two_events_without_a_gap() -> None:
    clean = film(24)
    stroke = letters(shift=7)
    burned, masks = with_text(clean, 5, 12)
    later, more = with_text(clean, 12, 19, stroke)
    burned[12:19], masks[12:19] = later[12:19], more[12:19]
    assert error(pictures(filled(burned, masks)), clean, masks) < 3


def test_the_clean_picture_before_a_long_event_is_kept() -> None:
    clean = film(60)
    burned, masks = with_text(clean, 5, 60)
    done = filled(burned, masks, reach=4)
    assert error(pictures(done), clean, masks) < 4
    assert min(one.share for one in done if one.share is not None) > 0.85


def test_the_way_to_it_is_known_though_the_camera_moved() -> None:
    clean = film(40, dx=0.25, dy=0.5)
    burned, masks = with_text(clean, 5, 40)
    result = pictures(filled(burned, masks, reach=4))
    assert error(result[-8:], clean[-8:], masks[-8:]) < 0.85 * error(
        telea(burned[-8:], masks[-8:, None]), clean[-8:], masks[-8:]
    )


def test_a_pinned_picture_helps() -> None:
    clean = film(30)
    burned, masks = with_text(clean, 0, 28)
    fill = TemporalFill(telea, reach=4)
    fill.pin(29, clean[29])
    done = fill.push(burned[:20], masks[:20])
    assert len(done) == 20 - 4 - GUARD
    assert min(one.share or 0 for one in done) > 0.85
    assert error(pictures(done), clean[: len(done)], masks[: len(done)]) < 4
    with pytest.raises(ValueError, match="picture 19 is pinned"):
        fill.pin(19, clean[19])


def test_without_any_donor_there_is_the_spatial_fill() -> None:
    burned, masks = with_text(film(1), 0, 1)
    done = filled(burned, masks)
    assert done[0].share == 0.0
    assert torch.equal(done[0].picture, telea(burned, masks[:, None])[0])


def test_text_that_never_goes_away_over_a_picture_that_never_moves() -> None:
    burned, masks = with_text(film(12), 0, 12)
    result = pictures(filled(burned, masks))
    assert error(result, telea(burned, masks[:, None]), masks) < 2  # nothing else to be had


def test_a_donor_is_made_as_bright_as_the_surroundings() -> None:
    clean = film(20)
    for index in range(20):  # fades out
        clean[index] = (clean[index].float() * (1 - index / 30)).to(torch.uint8)
    burned, masks = with_text(clean, 4, 16)
    assert error(pictures(filled(burned, masks)), clean, masks) < 0.5 * error(
        telea(burned, masks[:, None]), clean, masks
    )


def test_what_comes_into_the_picture_changes_no_brightness() -> None:
    """Something dark beside the text is no fade, though there is more contrast than before."""
    clean = torch.full((20, 3, HEIGHT, WIDTH), 220, dtype=torch.uint8)
    clean[:10, :, 50:66, 40:110] = 20
    burned, masks = with_text(clean, 6, 14)
    assert error(pictures(filled(burned, masks)), clean, masks) < 1


def test_a_slow_pan_is_not_taken_for_a_still_camera() -> None:
    """Steps of part of a pixel add up to where a picture long ago is found."""
    burned, masks = with_text(film(20, dx=0.25, dy=0.5), 3, 20)
    window = Window(18, [])
    for index in range(20):
        window.append(index, burned[index], masks[index].numpy() if masks[index].any() else None)
    window.close()
    way = next(donor.path for donor in window.reachable(18) if donor.entry.index == 0)
    moved = (way @ [WIDTH / 2, HEIGHT / 2, 1])[:2] - [WIDTH / 2, HEIGHT / 2]
    assert moved == pytest.approx([18 * 0.25, 18 * 0.5], abs=1.5)


def test_noise_is_averaged_where_the_camera_stands_still() -> None:
    generator = torch.Generator().manual_seed(5)
    clean = scene()[0, :, 80:-80, 80:-80]
    noisy = clean + torch.randn(20, 3, HEIGHT, WIDTH, generator=generator) * 4
    burned, masks = with_text(noisy.round().clamp(0, 255).to(torch.uint8), 8, 12)
    window = Window(12, [])
    for index in range(20):
        window.append(index, burned[index], masks[index].numpy() if masks[index].any() else None)
    window.close()
    area = (slice(20, 60), slice(10, 150))
    before, after = window.still(9, window.reachable(9), area)
    assert (before.age, after.age) == (4, 5)  # the two pictures next to the text are not trusted
    hole = masks[9, 20:60, 10:150]
    for one in (before, after):
        assert float(one.count[0, 0][hole].min()) == MEAN_OF
        wrong = (one.mean[0] - clean[:, 20:60, 10:150])[:, hole]
        assert float(wrong.square().mean().sqrt()) == pytest.approx(4 / MEAN_OF**0.5, rel=0.15)
        assert float(one.spread[0, 0][hole].mean()) == pytest.approx(16 * (1 - 1 / MEAN_OF), rel=0.15)


def test_a_camera_that_moves_gives_no_mean() -> None:
    burned, masks = with_text(film(20, dx=1.5), 8, 12)
    window = Window(12, [])
    for index in range(20):
        window.append(index, burned[index], masks[index].numpy() if masks[index].any() else None)
    window.close()
    assert not window.still(9, window.reachable(9), (slice(20, 60), slice(10, 150)))


def test_grain_goes_on_inside() -> None:
    generator = torch.Generator().manual_seed(3)
    smooth = torch.full((16, 3, HEIGHT, WIDTH), 100.0)
    noise = torch.randn(16, 1, HEIGHT, WIDTH, generator=generator) * 5
    clean = (smooth + noise).round().clamp(0, 255).to(torch.uint8)
    burned, masks = with_text(clean, 3, 13)
    result = pictures(filled(burned, masks)).float().mean(1)
    inside, outside = float(result[masks].std()), float(result[~masks].std())
    assert 0.7 * outside < inside < 1.3 * outside


def test_a_black_bar_stays_black() -> None:
    """Half of the text is on it, in every picture."""
    clean = film(10, dx=2.0)
    clean[:, :, 37:] = 3
    burned, masks = with_text(clean, 0, 10)
    below = masks.clone()
    below[:, :37] = False
    assert error(pictures(filled(burned, masks)), clean, below) < 1
    assert error(telea(burned, masks[:, None]), clean, below) > 5
    # The same in a dark picture: nothing of it is a bar.
    assert not bar_rows(torch.full((3, 20, 40), 9, dtype=torch.uint8), np.zeros((20, 40), np.bool_)).any()


def test_memory_does_not_grow() -> None:
    window = Window(6, [])
    picture, mask = torch.zeros(3, HEIGHT, WIDTH, dtype=torch.uint8), letters().numpy()
    for index in range(100):
        window.append(index, picture, mask if index % 30 > 5 else None)
        window.forget(index - 6 - GUARD)
        assert len(window) <= 2 * 6 + GUARD + 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p, m: (p.float(), m), "must be uint8"),
        (lambda p, m: (p, m.to(torch.uint8)), "must be uint8 and masks bool"),
        (lambda p, m: (p, m[:, :-1]), "masks are"),
    ],
)
def test_bad_input(change: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TemporalFill(telea).push(*change(*with_text(film(2), 0, 2)))
    with pytest.raises(ValueError, match="reach is 2"):
        TemporalFill(telea, reach=2)


def test_measuring_on_fake_cuda(fake_cuda: torch.device) -> None:
    height, width, count = 40, 60, 3
    one, shade = torch.empty(1, 3, height, width, device=fake_cuda), torch.empty(1, 1, height, width, device=fake_cuda)
    at = torch.empty(50, dtype=torch.int64, device=fake_cuda)
    trait = torch.empty(50, device=fake_cuda)
    hole = Hole(one, shade, one, shade, shade, at, at, shade > 0, trait, trait)
    flow = torch.empty(count, 2, height, width, device=fake_cuda)
    data = torch.empty(count, 3, 70, 90, dtype=torch.uint8, device=fake_cuda)
    known = torch.empty(count, 1, 70, 90, device=fake_cuda)
    still = Still(one, shade, shade, 3)
    candidates = measure(hole, data, known, flow, flow, [1, 2, 0], carried=True, still=[still])
    values, weights = blend(hole, candidates)
    assert (values.shape, weights.shape, values.device.type) == ((3, 50), (5, 50), "cuda")
    assert grain(candidates, weights, seed=1).device.type == "cuda"


@pytest.mark.needs_cuda
def test_cuda_looks_like_the_cpu() -> None:
    clean = film(16, dx=1.0)
    burned, masks = with_text(clean, 4, 12)

    def on_cuda(pictures: Tensor, masks: Tensor) -> Tensor:
        return telea(pictures.cpu(), masks.cpu()).cuda()

    fill = TemporalFill(on_cuda)
    done = fill.push(burned.cuda(), masks) + fill.finish()
    there = pictures(done).cpu()
    assert error(there, clean, masks) < 1.3 * error(pictures(filled(burned, masks)), clean, masks) + 1
