"""What the configuration's models are made of."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, GetPydanticSchema
from pydantic_core import core_schema

from router.config import values as v
from router.config.file_values import PasscodeFile
from router.config.plugin_use import ChainEntry

AsBuilt = GetPydanticSchema(lambda _source, _handler: core_schema.any_schema())
Chain = Annotated[tuple[ChainEntry, ...], AsBuilt]


def written(default: Any) -> Any:  # noqa: ANN401
    return Field(default)


def added(word: str, **default: Any) -> Any:  # noqa: ANN401
    """What the loader adds: its own name, written in a file, is as unknown as any other."""
    return Field(alias=f"({word})", **default)


class Model(BaseModel):
    """What every part of a configuration is: unchangeable, and nothing unknown in it."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, validate_default=True)


class Accept(Model):
    """Who may open an association: all that is given must match."""

    calling_ae_titles: v.Many[v.AETitle] = ("*",)
    networks: v.Many[v.Network] = written(("0.0.0.0/0", "::/0"))
    peers: v.AllOr[str] | None = None


class ListenerAccept(Accept):
    """Who may open an association with a listener, and with which passcode."""

    user: PasscodeFile | None = None
