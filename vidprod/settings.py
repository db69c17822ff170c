"""Settings of the installation, from the environment (prefix `VIDPROD_`)."""

from __future__ import annotations

import re
from datetime import timedelta
from functools import cache
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from vidprod.errors import InvalidParameter, shown

Network = IPv4Network | IPv6Network

_UNITS = {"": 1, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}
_BYTES = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}


def _duration(value: Any) -> Any:
    """`90`, `90s`, `15m`, `1h`, `2d`; a bare number is seconds."""
    if not isinstance(value, str):
        return value
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?) *([a-z]*)", value.strip().lower())
    if found is None or found[2] not in _UNITS:
        raise ValueError("must be a number of seconds, or a number with s, m, h or d: 90, 15m, 1h")
    return timedelta(seconds=float(found[1]) * _UNITS[found[2]])


def _size(value: Any) -> Any:
    """`1000000`, `500M`, `8GiB`; a bare number is bytes."""
    if not isinstance(value, str):
        return value
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?) *([kmgt]?i?)b?", value.strip().lower())
    if found is None or found[2] not in _BYTES:
        raise ValueError("must be a number of bytes, or a number with K, M, G, T, Ki, Mi, Gi or Ti: 500M, 8GiB")
    return int(float(found[1]) * _BYTES[found[2]])


def _listed(value: Any) -> Any:
    """`a,b,c`; blanks around the parts do not matter."""
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def _networks(value: Any) -> Any:
    parts = _listed(value)
    return tuple(ip_network(part, strict=False) if isinstance(part, str) else part for part in parts)


Duration = Annotated[timedelta, BeforeValidator(_duration), Field(gt=timedelta(0))]
Bytes = Annotated[int, BeforeValidator(_size), Field(ge=1)]


class Settings(BaseSettings):
    """Every setting can be given as an environment variable: `VIDPROD_` and its name in capitals."""

    model_config = SettingsConfigDict(env_prefix="VIDPROD_", frozen=True)

    device: str = Field("auto", description="where networks run: auto, cpu, cuda or cuda:N")
    sr_model: str = Field(
        "span-x2-adaptive", description="network of SuperResolveVideo: a name of `vidprod models`, or a checkpoint file"
    )
    log_curve: Literal["auto", "logc3", "logc4", "slog3", "vlog"] = Field(
        "auto", description="what AdjustVideoColor takes log footage for; auto: what the file says, else logc3"
    )
    preset: str = Field(
        "medium",
        description="x264/x265 preset of results: ultrafast ... veryslow; slower is smaller at the same quality",
    )
    batch: int = Field(8, ge=1, le=256, description="pictures per batch, at most; less is taken when memory is short")

    # --- the server ---
    data: Path = Field(Path("vidprod-data"), description="folder of the server's own files: keys, queue, results, work")
    host: str = Field("127.0.0.1", description="address to listen on; 0.0.0.0 for all")
    port: int = Field(8080, ge=0, le=65535, description="port to listen on; 0 takes a free one")
    tls_cert: Path | None = Field(None, description="PEM certificate chain; the port then takes TLS and plain HTTP")
    tls_key: Path | None = Field(None, description="PEM key of tls_cert")
    public_url: str | None = Field(
        None, description="scheme, host and port that clients reach the server at; by default what each request says"
    )
    access_keys: Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(_listed)] = Field(
        (), description="id:secret[,id:secret...]; besides those of `vidprod keys`"
    )
    rate_limit: float = Field(0, ge=0, description="requests per second and access key, on average; 0: no limit")
    max_queued: int = Field(10_000, ge=1, description="jobs waiting at a time; more are refused as busy")
    log_level: str = Field("info", description="debug, info, warning or error")
    log_format: str = Field("auto", description="json, text, or auto: text on a terminal")

    # --- storage ---
    storage: str | None = Field(
        None, description="where results and uploads are kept: file:///folder or s3://bucket/prefix; by default in data"
    )
    result_ttl: Duration = Field(timedelta(hours=1), description="how long a link to a result works")
    file_ttl: Duration = Field(timedelta(hours=24), description="how long results and uploads are kept")
    max_upload_bytes: Bytes = Field(10 * 2**30, description="largest upload")

    # --- fetching inputs ---
    fetch_allow: Annotated[tuple[Network, ...], NoDecode, BeforeValidator(_networks)] = Field(
        (), description="private or loopback networks that inputs may be fetched from: 10.0.0.0/8,127.0.0.1/32"
    )
    max_input_bytes: Bytes = Field(10 * 2**30, description="largest input that is fetched")
    fetch_timeout: Duration = Field(timedelta(minutes=30), description="time for fetching one input")

    # --- jobs ---
    database: str | None = Field(
        None, description="the queue: sqlite:////file.sqlite or postgresql://...; by default a file in data"
    )
    devices: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed)] = Field(
        ("auto",), description="devices of the worker, one job at a time on each: cuda:0,cuda:1; auto: all GPUs, or cpu"
    )
    job_timeout: Duration = Field(
        timedelta(hours=6), description="time on its device for one try of a job; fetching and waiting do not count"
    )
    max_retries: int = Field(2, ge=0, le=20, description="further tries of a job whose process died")
    job_ttl: Duration = Field(timedelta(days=7), description="how long the answers about ended jobs are kept")
    drain_timeout: Duration = Field(
        timedelta(seconds=30),
        description="how long a stopping worker waits for running jobs; what is not done then is done after the restart",
    )

    @property
    def kept_for(self) -> timedelta:
        """How long files are kept: `file_ttl`, and never shorter than a link to one works."""
        return max(self.file_ttl, self.result_ttl)

    @property
    def storage_url(self) -> str:
        """`storage`, or the folder in `data`."""
        return self.storage or (self.data.absolute() / "objects").as_uri()

    @property
    def database_url(self) -> str:
        """`database`, or the file in `data`."""
        return self.database or f"sqlite:///{self.data.absolute() / 'jobs.sqlite'}"


@cache
def settings() -> Settings:
    """The settings of this process, read once.

    Raises:
        InvalidParameter: naming the variable that cannot be understood.
    """
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = "VIDPROD_" + str(first["loc"][0]).upper()
        reason = str(first["ctx"]["error"]) if first["type"] == "value_error" else first["msg"]
        value = "***" if "KEY" in name else shown(first["input"])
        raise InvalidParameter(f"{name} is {value}: {reason}") from None
