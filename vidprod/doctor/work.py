"""Whether video work can be done: device, encoder, decoder, networks, each by doing a little of it.

It happens in a child process: a broken driver or library takes the process down, and that is to be a line of the report.

python -m vidprod.doctor.work        # what the child runs: one JSON document per finding
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from threading import Timer
from typing import TYPE_CHECKING

from vidprod.doctor.finding import Finding, State, guarded, size

if TYPE_CHECKING:
    import torch

    from vidprod.settings import Settings

_PATIENCE = 300.0  # seconds; a first start on a new GPU compiles for a while
_WIDTH, _HEIGHT, _COUNT = 96, 64, 6
_LEAST_PSNR = 30.0  # dB; a right decoder gives more than 40 here, a wrong one less than 15


def in_child(settings: Settings) -> Iterator[Finding]:
    """The findings of a child process, and one more if that ends before it is done."""
    values = {"DEVICES": ",".join(settings.devices), "SR_MODEL": settings.sr_model, "BATCH": str(settings.batch)}
    environment = {**os.environ, **{f"VIDPROD_{name}": value for name, value in values.items()}}
    started = time.monotonic()
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(
            [sys.executable, "-m", __name__], stdout=subprocess.PIPE, stderr=errors, text=True, env=environment
        ) as child,
    ):
        timer = Timer(_PATIENCE, child.kill)
        timer.daemon = True
        timer.start()
        last, finished = "its start", False
        try:
            assert child.stdout is not None
            for line in child.stdout:
                if line == "done\n":
                    finished = True
                    continue
                found = json.loads(line)
                last = found["name"]
                yield Finding(**(found | {"state": State(found["state"])}))
            code = child.wait()
        finally:
            timer.cancel()
            child.kill()
        if not finished:
            errors.seek(0)
            said = [line.strip() for line in errors.read().decode(errors="replace").splitlines() if line.strip()]
            why = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
            yield Finding(
                "work",
                State.BROKEN,
                f"the process that tries the device died after {last}, {time.monotonic() - started:.0f} s on: {why}"
                + (f"; {said[-1][:300]}" if said else ""),
                "try VIDPROD_DEVICES=cpu; if that works, look at the GPU's driver (nvidia-smi) and at dmesg",
            )


def main() -> None:
    """The child."""
    from vidprod.settings import settings

    for finding in _all(settings()):
        print(json.dumps(asdict(finding)), flush=True)
    print("done", flush=True)


def _all(settings: Settings) -> Iterator[Finding]:
    devices: list[torch.device] = []
    yield from guarded("device", lambda: _devices(settings, devices))
    with tempfile.TemporaryDirectory(prefix="vidprod-doctor-") as name:
        clip = Path(name) / "clip.mp4"
        yield from guarded("encoder", lambda: _encoder(clip, devices))
        if clip.exists():
            yield from guarded("decoder", lambda: _decoder(clip, devices))
            for device in devices:
                yield from guarded("network", lambda device=device: _network(clip, device, settings))  # type: ignore[misc]


# --- the device -------------------------------------------------------------------------------------------------------


def _devices(settings: Settings, found: list[torch.device]) -> Iterator[Finding]:
    import torch

    from vidprod.errors import InvalidParameter
    from vidprod.models.device import resolve_device

    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    for name in settings.devices:
        every = [f"cuda:{number}" for number in range(gpus)] or ["cpu"]
        for each in every if name == "auto" else [name]:
            try:
                found.append(resolve_device(each))
            except InvalidParameter as error:
                yield Finding("device", State.BROKEN, error.message, "correct VIDPROD_DEVICES (--devices)")
    for device in found:
        yield _device(device)
    if not gpus and Path("/proc/driver/nvidia/version").exists():
        yield Finding(
            "device",
            State.WARNING,
            f"there is an NVIDIA driver, but PyTorch {torch.__version__} finds no GPU",
            "compare the driver (nvidia-smi) with the CUDA version of PyTorch; in a container, start it with --gpus all",
        )


def _device(device: torch.device) -> Finding:
    import torch

    a = torch.arange(12.0, device=device).reshape(3, 4)
    if (a @ a.T).cpu().tolist() != [[14.0, 38.0, 62.0], [38.0, 126.0, 214.0], [62.0, 214.0, 366.0]]:
        return Finding("device", State.BROKEN, f"{device} computes wrong numbers", "the GPU or its driver is defective")
    if device.type == "cuda":
        about = torch.cuda.get_device_properties(device)
        free, total = torch.cuda.mem_get_info(device)
        text = f"{device}: {about.name}, {size(free)} of {size(total)} free, CUDA {torch.version.cuda}"
        if free < 2 * 2**30:
            return Finding(
                "device", State.WARNING, text, "other processes hold the GPU's memory; nvidia-smi lists them"
            )
        return Finding("device", State.OK, text)
    cores = len(os.sched_getaffinity(0))
    return Finding("device", State.OK, f"cpu: {cores} core{'s' * (cores != 1)}, PyTorch {torch.__version__}")


# --- video ------------------------------------------------------------------------------------------------------------


def _pictures() -> torch.Tensor:
    """(count, 3, height, width) uint8: coloured ramps that move."""
    import torch

    x = torch.arange(_WIDTH).view(1, 1, _WIDTH).expand(_COUNT, _HEIGHT, _WIDTH)
    y = torch.arange(_HEIGHT).view(1, _HEIGHT, 1).expand(_COUNT, _HEIGHT, _WIDTH)
    t = torch.arange(_COUNT).view(_COUNT, 1, 1)
    return torch.stack([(x * 2 + t * 4) % 256, y * 3 + 20 + 0 * x, 200 - x - t * 2], dim=1).to(torch.uint8)


def _encoder(clip: Path, devices: list[torch.device]) -> Iterator[Finding]:
    import av

    from vidprod.media.hardware import abilities

    started = time.monotonic()
    with av.open(str(clip), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "12"})
        stream.width, stream.height, stream.pix_fmt = _WIDTH, _HEIGHT, "yuv420p"
        for picture in _pictures().permute(0, 2, 3, 1).contiguous().numpy():
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(stream.encode(None))
    seconds = time.monotonic() - started
    yield Finding(
        "encoder", State.OK, f"x264: {_COUNT} pictures of {_WIDTH}x{_HEIGHT} in {seconds:.2f} s, av {av.__version__}"
    )
    for device in devices:
        if device.type == "cuda":
            names = ", ".join(sorted(abilities(device).encoders))
            yield (
                Finding("encoder", State.OK, f"{device}: {names}")
                if names
                else Finding("encoder", State.NOTE, f"{device} has no NVENC that works; results are encoded on the CPU")
            )


def _decoder(clip: Path, devices: list[torch.device]) -> Iterator[Finding]:
    import torch

    from vidprod.media.hardware import abilities
    from vidprod.media.reader import VideoReader

    with VideoReader(clip) as reader:
        decoded = torch.cat([frames.data for frames in reader])
    error = (decoded.float() - _pictures().float()).square().mean().item()
    psnr = 10 * torch.tensor(255.0**2 / max(error, 1e-9)).log10().item()
    if decoded.shape[0] != _COUNT or psnr < _LEAST_PSNR:
        yield Finding(
            "decoder",
            State.BROKEN,
            f"decoded {decoded.shape[0]} of {_COUNT} pictures, {psnr:.0f} dB from what was encoded",
            "reinstall av: pip install --force-reinstall av",
        )
    else:
        yield Finding("decoder", State.OK, f"H.264: {_COUNT} pictures back, {psnr:.0f} dB")
    for device in devices:
        if device.type == "cuda":
            yield (
                Finding("decoder", State.OK, f"{device}: NVDEC")
                if abilities(device).decode
                else Finding(
                    "decoder",
                    State.NOTE,
                    f"{device} has no NVDEC that works; videos are decoded on the CPU",
                    "in a container, NVIDIA_DRIVER_CAPABILITIES must have video",
                )
            )


def _network(clip: Path, device: torch.device, settings: Settings) -> Iterator[Finding]:
    """The whole of SuperResolveVideo, with the network of the settings, on one device."""
    import torch
    from torch.nn.functional import interpolate

    from vidprod.actions.run import Context, run
    from vidprod.actions.super_resolve_video import SPEC, SuperResolveVideoParams
    from vidprod.media.reader import VideoReader

    output = clip.with_name(f"{str(device).replace(':', '')}.mp4")
    started = time.monotonic()
    run(SPEC, SuperResolveVideoParams(video_url=str(clip), bit_rate=8), output, Context(device, settings))
    seconds = time.monotonic() - started
    with VideoReader(output) as reader:
        made = torch.cat([frames.data for frames in reader]).float()
    plain = interpolate(_pictures().float(), scale_factor=2, mode="bicubic").clamp(0, 255)
    if made.shape != plain.shape:
        yield Finding("network", State.BROKEN, f"{device}: the result is {tuple(made.shape)}, not {tuple(plain.shape)}")
        return
    psnr = 10 * torch.tensor(255.0**2 / max((made - plain).square().mean().item(), 1e-9)).log10().item()
    text = f"{device}: {settings.sr_model} doubled {_COUNT} pictures in {seconds:.1f} s"
    if psnr < 20:  # black, noise or green: a driver's fault as a rule, or float16 that overflowed
        advice = "try another network (VIDPROD_SR_MODEL) and VIDPROD_DEVICES=cpu; report it if only one device does it"
        yield Finding("network", State.BROKEN, f"{text}, but they do not look like the input ({psnr:.0f} dB)", advice)
    else:
        yield Finding("network", State.OK, f"{text}, {psnr:.0f} dB from a plain enlargement")


if __name__ == "__main__":
    main()
