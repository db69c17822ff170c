"""Settings of the installation, from the environment (prefix `VIDPROD_`)."""

from __future__ import annotations

from functools import cache

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Every setting can be given as an environment variable: `VIDPROD_` and its name in capitals."""

    model_config = SettingsConfigDict(env_prefix="VIDPROD_", frozen=True)

    device: str = Field("auto", description="where networks run: auto, cpu, cuda or cuda:N")
    sr_model: str = Field(
        "span-x2-adaptive", description="network of SuperResolveVideo: a name of `vidprod models`, or a checkpoint file"
    )
    preset: str = Field(
        "medium",
        description="x264/x265 preset of results: ultrafast ... veryslow; slower is smaller at the same quality",
    )
    batch: int = Field(8, ge=1, le=256, description="pictures per batch, at most; less is taken when memory is short")


@cache
def settings() -> Settings:
    """The settings of this process, read once."""
    return Settings()
