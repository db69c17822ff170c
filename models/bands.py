"""Runs SPAN on the CPU band by band: all layers on a few rows while these are in the cache, then on the next few.

Whole feature maps of a video frame are tens of megabytes: they leave the cache between any two layers, and their memory comes
fresh from the operating system every time, which costs as much as a third of the arithmetic. Here every layer keeps only the
rows that somebody still needs, in memory that is used again. No row is computed twice, and the result is that of whole
maps, bit by bit: a 3x3 convolution lags one row behind its input, and the values to be added later wait until it catches up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

if TYPE_CHECKING:
    from .span import SPAN

BAND_PIXELS = 16384
"""Pixels of a band for every thread: 3 MB per feature map of 48 channels."""

FAR = 24
"""Rows that the first two maps keep beyond a band: the last layers, 20 rows behind, look back at them."""

NEAR = 8
"""Rows that other maps keep beyond a band: the layers that read them are at most four rows behind."""


class Rows:
    """The rows of one feature map (1, C, height, W) that were made and are still needed, between two rows of zero padding."""

    def __init__(self, channels: int, width: int, capacity: int) -> None:
        # As if (1, H, W, C): a range of rows is one piece of memory, and a convolution takes it as it is.
        self.memory = torch.empty(1, capacity, width, channels).permute(0, 3, 1, 2)
        self.height = 0
        self.first = 0
        self.made = 0

    def start(self, height: int) -> None:
        """Empties it for a new picture, but for the padding above."""
        self.height, self.first, self.made = height, -1, 0
        self.memory[:, :, :1].zero_()

    def room(self, count: int) -> Tensor:
        """Memory for the next `count` rows; call `add` when they are there."""
        at = self.made - self.first
        return self.memory[:, :, at : at + count]

    def add(self, count: int) -> None:
        """Tells that `count` rows were written; below the last comes the padding."""
        self.made += count
        if self.made == self.height:
            self.room(1).zero_()
        assert self.made - self.first < self.memory.shape[2]

    def view(self, start: int, stop: int) -> Tensor:
        """Rows `start` to `stop`; -1 and `height` are padding."""
        return self.memory[:, :, start - self.first : stop - self.first]

    def drop(self, before: int) -> None:
        """Rows above `before` are needed no more."""
        gone = before - self.first
        if gone <= 0:
            return
        kept = self.view(before, self.made + (self.made == self.height))
        target = self.memory[:, :, : kept.shape[2]]
        target.copy_(kept if kept.shape[2] <= gone else kept.clone())
        self.first = before


def _convolve(conv: nn.Conv2d, source: Rows, start: int, limit: int) -> Tensor | None:
    """At most `limit` rows of the convolution from row `start` on, as far as its input reaches; None if there is none yet."""
    stop = min(start + limit, source.height if source.made == source.height else source.made - 1)
    if stop <= start:
        return None
    return F.conv2d(source.view(start - 1, stop + 1), conv.weight, conv.bias, padding=(0, 1))


class Bands:
    """Memory for pictures of one width, and the run over them.

    Args:
        channels: of the feature maps.
        width: of the pictures.
        blocks: how many SPABs the network has.
    """

    def __init__(self, channels: int, width: int, blocks: int) -> None:
        self.width = width
        self.band = max(8, BAND_PIXELS * torch.get_num_threads() // width)
        far, near = self.band + FAR, self.band + NEAR
        # The input of every block, and the output of the last.
        self.inputs = [Rows(channels, width, far if i < 2 else near) for i in range(blocks + 1)]
        self.first = [Rows(channels, width, near) for _ in range(blocks)]
        self.second = [Rows(channels, width, near) for _ in range(blocks)]
        self.joined = Rows(channels, width, near)
        self.all = [*self.inputs, *self.first, *self.second, self.joined]

    def run(self, net: SPAN, x: Tensor) -> Tensor:
        """One picture (1, 3, H, W) -> (1, 3, scale H, scale W)."""
        height, scale = x.shape[2], net.scale
        for rows in self.all:
            rows.start(height)
        padded = F.pad((x - net.mean) * net.img_range, (0, 0, 1, 1)).contiguous(memory_format=torch.channels_last)
        out = x.new_empty(1, 3, scale * height, scale * self.width)
        done = 0
        while done < height:
            self._shallow(net, padded)
            for number, block in enumerate(net.blocks()):
                self._block(number, block.c1_r, block.c2_r, block.c3_r)
            self._join(net)
            last = net.upsampler[0]
            assert isinstance(last, nn.Conv2d)
            made = _convolve(last, self.joined, done, self.band)
            if made is not None:
                stop = done + made.shape[2]
                out[:, :, scale * done : scale * stop] = F.pixel_shuffle(made, scale)
                done = stop
                self.joined.drop(done - 1)
        return out

    def _shallow(self, net: SPAN, padded: Tensor) -> None:
        target = self.inputs[0]
        count = min(self.band, target.height - target.made)
        if count:
            rows = padded[:, :, target.made : target.made + count + 2]
            target.room(count).copy_(F.conv2d(rows, net.conv_1.weight, net.conv_1.bias, padding=(0, 1)))
            target.add(count)

    def _block(self, number: int, c1: nn.Conv2d, c2: nn.Conv2d, c3: nn.Conv2d) -> None:
        """SPAB: what `span.SPAB.forward` does, on the rows that can be made now."""
        source, target = self.inputs[number], self.inputs[number + 1]
        first, second = self.first[number], self.second[number]
        for conv, before, after in ((c1, source, first), (c2, first, second)):
            rows = _convolve(conv, before, after.made, self.band)
            if rows is not None:
                torch.ops.aten.silu.out(rows, out=after.room(rows.shape[2]))
                after.add(rows.shape[2])
        rows = _convolve(c3, second, target.made, self.band)
        if rows is not None:
            count = rows.shape[2]
            gate = torch.sigmoid(rows).sub_(0.5)
            rows.add_(source.view(target.made, target.made + count))
            torch.mul(rows, gate, out=target.room(count))
            target.add(count)
        second.drop(target.made - 1)
        if number > 1:  # the inputs of the first two blocks, and what the last one taps, wait for `_join`
            source.drop(min(first.made - 1, target.made))
        if number < len(self.first) - 1:
            first.drop(second.made - 1)

    def _join(self, net: SPAN) -> None:
        target, deep = self.joined, self.inputs[-1]
        rows = _convolve(net.conv_2, deep, target.made, self.band)
        if rows is None:
            return
        start, stop = target.made, target.made + rows.shape[2]
        sources = self.inputs[0], self.inputs[1], self.first[-1]
        shallow, first, tap = (source.view(start, stop) for source in sources)
        features = torch.cat([shallow, rows, first, tap], 1)
        # The dilation changes nothing for a 1x1 kernel, but keeps PyTorch from a slow path that it takes on one thread.
        target.room(stop - start).copy_(F.conv2d(features, net.conv_cat.weight, net.conv_cat.bias, dilation=2))
        target.add(stop - start)
        deep.drop(stop - 1)
        for source in sources:
            source.drop(stop - 1)
