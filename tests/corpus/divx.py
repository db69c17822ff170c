"""DivX's packed bitstream, which no encoder of today writes but many an old AVI holds."""

from __future__ import annotations

from typing import Any

import av

from .spec import Packets


def pack(packets: Packets) -> Packets:
    """Packs MPEG-4 with one B-frame between references, at 25/s.

    A reference picture and the B-frame shown before it share a packet; a stub takes the slot that this leaves.
    """
    packed: Packets = []
    waiting: bytes | None = None
    for i, packet in enumerate(packets):
        data = bytes(packet)
        following = packets[i + 1] if i + 1 < len(packets) else None
        if waiting is not None:  # this is the B-frame already sent along with the reference frame
            data, waiting = waiting, None
        elif following is not None and _is_b_frame(bytes(following)):
            data += _vop(bytes(following))
            waiting = _stub(i)
        if i == 0:
            start = data.index(b"\0\0\1\xb6")
            data = data[:start] + b"\0\0\1\xb2DivX503b1393p" + data[start:]
        new: av.Packet[Any] = av.Packet(data)
        new.stream, new.time_base, new.dts, new.pts = packet.stream, packet.time_base, i, i
        new.is_keyframe = packet.is_keyframe
        packed.append(new)
    return packed


def _vop(data: bytes) -> bytes:
    return data[data.index(b"\0\0\1\xb6") :]


def _is_b_frame(data: bytes) -> bool:
    return _vop(data)[4] >> 6 == 2


def _stub(tick: int) -> bytes:
    """A P-VOP that codes nothing (N-VOP): type 01, no whole second, marker, 5 bits of 1/25 s, marker, not coded."""
    bits = "01" + "0" + "1" + f"{tick % 25:05b}" + "1" + "0"
    bits += "0" + "1" * (-(len(bits) + 1) % 8)
    return b"\0\0\1\xb6" + int(bits, 2).to_bytes(len(bits) // 8, "big")
