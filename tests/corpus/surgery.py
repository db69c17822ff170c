"""Changes to finished files, byte by byte."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

TS_PACKET = 188


def noise(data: bytes, start: float, stop: float, count: int, seed: int = 1) -> bytes:
    """Overwrites `count` bytes at random places between two fractions of the length."""
    source = random.Random(seed)
    damaged = bytearray(data)
    for _ in range(count):
        damaged[int(len(data) * source.uniform(start, stop))] = source.randrange(256)
    return bytes(damaged)


def boxes(data: bytes, start: int, stop: int) -> Iterator[tuple[bytes, int, int]]:
    """The ISO boxes between two places as (type, begin, end), header included."""
    while start + 8 <= stop:
        size = int.from_bytes(data[start : start + 4], "big")
        yield data[start + 4 : start + 8], start, start + size
        start += size


def find_box(data: bytes, *path: bytes) -> tuple[int, int]:
    """Begin and end of the first box at `path`, for instance b"moov", b"udta"."""
    start, stop = 0, len(data)
    for depth, name in enumerate(path):
        start, stop = next((a, b) for kind, a, b in boxes(data, start + 8 * (depth > 0), stop) if kind == name)
    return start, stop


def lead_with_udta(data: bytes) -> bytes:
    """Moves the user data (cover art) in front of the tracks; `moov` keeps its size, so no offset changes."""
    _start, stop = find_box(data, b"moov")
    udta = find_box(data, b"moov", b"udta")
    header = find_box(data, b"moov", b"mvhd")[1]
    return data[:header] + data[slice(*udta)] + data[header : udta[0]] + data[udta[1] : stop] + data[stop:]


def resize_sample_entry(data: bytes, entry: bytes, width: int, height: int) -> bytes:
    """Claims another picture size in the sample description `entry`, for instance b"rle "."""
    at = data.index(entry) + 4 + 6 + 2 + 16
    return data[:at] + width.to_bytes(2, "big") + height.to_bytes(2, "big") + data[at + 4 :]


def resize_jpeg(data: bytes, width: int, height: int) -> bytes:
    """Claims another picture size in the frame header (SOF0) of a JPEG."""
    at = data.index(b"\xff\xc0") + 5
    return data[:at] + height.to_bytes(2, "big") + width.to_bytes(2, "big") + data[at + 4 :]


def retime_flv(data: bytes, kind: int, retime: Callable[[int, int], int]) -> bytes:
    """Replaces the times (ms) of tags of one kind (8 sound, 9 picture): `retime(i, old)` of the i-th coded frame."""
    changed, at, count = bytearray(data), 9 + 4, 0
    while at + 11 <= len(data):
        size = int.from_bytes(data[at + 1 : at + 4], "big")
        is_frame = data[at] == kind and (kind != 9 or data[at + 12] == 1)  # AVC: 0 is the header, 1 a frame
        if is_frame:
            old = int.from_bytes(data[at + 7 : at + 8] + data[at + 4 : at + 7], "big")
            new = retime(count, old).to_bytes(4, "big")
            changed[at + 4 : at + 8] = new[1:] + new[:1]
            count += 1
        at += 11 + size + 4
    return bytes(changed)


def leap_ts(data: bytes, pid: int, number: int, seconds: int) -> bytes:
    """Moves the presentation time of one coded frame (from 0) of a transport stream, and no other."""
    changed, count = bytearray(data), -1
    for at in range(0, len(data), TS_PACKET):
        if int.from_bytes(data[at + 1 : at + 3], "big") & 0x1FFF != pid or not data[at + 1] & 0x40:
            continue
        count += 1
        if count == number:
            pes = at + 4 + (1 + data[at + 4] if data[at + 3] & 0x20 else 0)  # past the adaptation field
            fields = pes + 9
            for field in (fields, fields + 5)[: 2 if data[pes + 7] & 0x40 else 1]:  # PTS, and DTS if there is one
                old = data[field : field + 5]
                clock = (old[0] >> 1 & 7) << 30 | old[1] << 22 | old[2] >> 1 << 15 | old[3] << 7 | old[4] >> 1
                clock = (clock + seconds * 90000) % 2**33
                changed[field] = old[0] & 0xF1 | clock >> 30 << 1
                changed[field + 1 : field + 3] = ((clock >> 15 & 0x7FFF) << 1 | 1).to_bytes(2, "big")
                changed[field + 3 : field + 5] = ((clock & 0x7FFF) << 1 | 1).to_bytes(2, "big")
    return bytes(changed)


def without_ts_packets(data: bytes, pid: int, keep: Callable[[int], bool]) -> bytes:
    """Drops packets of one stream of a transport stream; `keep(i)` is asked with the number of the coded frame, from 0."""
    kept, count = bytearray(), -1
    for at in range(0, len(data), TS_PACKET):
        packet = data[at : at + TS_PACKET]
        if int.from_bytes(packet[1:3], "big") & 0x1FFF == pid:
            count += packet[1] >> 6 & 1  # payload unit start: a frame begins here
            if not keep(count):
                continue
        kept += packet
    return bytes(kept)
