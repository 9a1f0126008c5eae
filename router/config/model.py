"""The checked, frozen configuration: attributes are exactly the keys of the YAML file.

Durations are seconds (`never`: infinite), sizes bytes, rates bytes per second (both
`unlimited`: infinite), paths absolute, mappings in file order.
Defaults are written as a file would have them and read the same way.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Tag, model_validator

from router.config import values as v
from router.config.file_values import CertificateOf
from router.config.limits import Limits
from router.config.mistakes import Mistake, Position
from router.config.parts import AsBuilt as _AsBuilt
from router.config.parts import Chain, ListenerAccept, Model
from router.config.parts import added as _added
from router.config.parts import written as _written
from router.config.plugin_use import PluginUse
from router.config.querying import QueryRetrieve, QueryServiceName, Upstream
from router.config.tls import ClientTls, ServerTls
from router.config.when import When
from router.dataset import Path


class Spool(Model):
    """Where everything accepted and not yet done is kept."""

    directory: v.AbsolutePath = _written("./spool")
    queue: Literal["sqlite"] = "sqlite"
    keep_free: v.Size = _written("5 GiB")
    retain: v.Duration = _written("1 d")
    history: v.Duration = _written("30 d")


class Listener(Model):
    """A service class provider: one port, its AE titles, and who may use it."""

    ae_title: v.Many[v.AETitle] = ("*",)
    port: v.ListenPort = 11112
    bind: v.BindAddress = "0.0.0.0"
    tls: ServerTls | None = None
    accept: ListenerAccept | None = None
    services: v.Many[Literal["store", "echo"]] = ("store", "echo")
    sop_classes: v.AllOr[v.SopClass] = "all"
    transfer_syntaxes: v.AllOr[v.TransferSyntax] = "all"
    maximum_associations: v.Count = 100
    limits: Limits = _written({})
    acknowledge: Literal["received", "processed", "delivered"] = "received"
    acknowledge_timeout: v.Duration = _written("60 s")
    unmatched: Literal["refuse", "hold", "discard"] = "refuse"
    chain: Chain = ()


class PeerConfig(Model):
    """Who is who: an association is this peer's if all of it matches."""

    calling_ae_titles: v.Many[v.AETitle] = ("*",)
    called_ae_titles: v.Many[v.AETitle] = ("*",)
    networks: v.Many[v.Network] = _written(("0.0.0.0/0", "::/0"))
    certificate: v.Many[CertificateOf] = ()
    services: v.Many[Literal["store", "echo"] | QueryServiceName] = ("store", "echo")
    sop_classes: v.AllOr[v.SopClass] = "all"
    move_destinations: v.AllOr[str] = "all"
    maximum_associations: v.Count | None = None
    assume_character_set: v.CharacterSet | None = None


class Retry(Model):
    """Seconds between attempts at a destination that fails, doubling from first to longest."""

    first: v.Duration = _written("5 s")
    longest: v.Duration = _written("10 min")
    hold_after: v.DurationOrNever = _written("never")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.first > self.longest:
            raise ValueError("'first' is longer than 'longest'")
        return self


class Timeouts(Model):
    """Seconds a destination may take to connect, to negotiate or release, to answer."""

    connect: v.Duration = _written("10 s")
    association: v.Duration = _written("30 s")
    response: v.Duration = _written("5 min")


class DestinationConfig(Model):
    """Where copies go: what every type of destination has."""

    type: str
    associations: v.Count = 2
    close_after: v.CloseAfter = _written("5 s")
    retry: Retry = _written({})
    object_tries: v.Count = 3
    schedule: v.Schedule = _written(())
    bandwidth: v.Rate = _written("unlimited")
    spool_limit: v.SizeOrUnlimited = _written("unlimited")
    when_full: Literal["refuse", "discard"] = "refuse"
    resend: Literal["always", "never", "if_changed"] = "always"
    loop_guard: v.Count = 10
    when_removed: Literal["refuse", "drain", "discard"] = "refuse"
    fallback: str | None = None
    priority: v.Priority = 0
    required: bool = False
    outside: bool = False
    chain: Chain = ()


class DicomDestination(DestinationConfig):
    """A storage service class provider that copies are sent to."""

    type: Literal["dicom"] = "dicom"
    required: bool = True
    ae_title: v.AETitle
    host: v.HostName
    port: v.PeerPort = 104
    tls: ClientTls | None = None
    calling_ae_title: v.CallingAETitle = "ROUTER"
    timeouts: Timeouts = _written({})
    delivered_statuses: v.Many[v.Status] = ()
    query: Upstream = _written({})
    transfer_syntaxes: v.AsIsOr[v.MadeTransferSyntax] = "as_is"

    @property
    def address(self) -> str:
        """The host where it is given as an address; nothing where it is a name."""
        return self.host if ":" in self.host or self.host.replace(".", "").isdigit() else ""


class FolderDestination(DestinationConfig):
    """A directory that copies are kept in as Part 10 files."""

    type: Literal["folder"]
    directory: v.AbsolutePath
    path: v.PathTemplateText = "{PatientID}/{StudyInstanceUID}/{SOPInstanceUID}.dcm"
    index: bool = False


class PluginDestination(DestinationConfig):
    """A destination whose `type` is a plugin's: `plugin` says which, and with what options."""

    options: Any = None
    plugin: Annotated[PluginUse, _AsBuilt] = _added("plugin")


class Route(Model):
    """What applies to an instance (`when`), is done to its copy (`chain`), where it goes (`to`)."""

    name: v.Name
    when: Annotated[When | Literal["otherwise"] | None, _AsBuilt] = None
    chain: Chain = ()
    to: v.Many[str] = ()
    study_quiet: v.Duration = _written("60 s")
    deliver: Literal["at_once", "study_complete"] = "at_once"
    position: Annotated[Position, _AsBuilt] = _added("position")


class Processing(Model):
    """The worker processes that chains run in; `auto`: as many as processors."""

    workers: v.Workers = "auto"


class Web(Model):
    """The status page and the metrics, over HTTP: read-only, and without patient data."""

    bind: v.BindAddress = "127.0.0.1"
    port: v.ListenPort = 8080
    networks: v.Many[v.Network] = _written(("0.0.0.0/0", "::/0"))
    hosts: v.Many[v.HostName] = ()


class Logging(Model):
    """What the log tells, and how; `patient_data` allows what identifies patients in it."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["text", "json"] = "text"
    patient_data: bool = False


class Alerts(Model):
    """After how long trouble with a destination is told, and to whom besides the log."""

    after: v.Many[v.Duration] = _written(("15 min", "1 h", "24 h"))
    command: v.Many[str] = ()
    webhook: v.WebAddress | None = None


class ExampleAssociation(Model):
    """Who an example comes from; `listener` is the first that lets it in, if not said."""

    calling_ae_title: v.AETitle = "MODALITY"
    called_ae_title: v.AETitle | None = None
    address: v.IPAddress = "127.0.0.1"
    listener: str | None = None


class Expected(Model):
    """What is to become of an example: `values` are conditions by route on what leaves.

    None is anything; `held` and `skipped` are the routes whose copy is.
    """

    routes: v.Many[str] | None = None
    destinations: v.Many[str] | None = None
    values: Annotated[Mapping[str, When], _AsBuilt] = _written({})
    skipped: v.Many[str] = ()
    held: v.Many[str] = ()
    refused: bool = False
    reason: str | None = None


class Example(Model):
    """An instance as somebody sends it, and what is to become of that.

    It is the file's with the elements of `header` instead, or made of those alone.
    """

    name: v.Name
    header: Annotated[Mapping[Path, tuple[str, ...]], _AsBuilt] = _written({})
    file: v.AbsolutePath | None = None
    association: ExampleAssociation = _written({})
    expect: Expected
    position: Annotated[Position, _AsBuilt] = _added("position")
    positions: Annotated[Mapping[str, Position], _AsBuilt] = _added("positions")


def _destination_type(value: Any) -> str:  # noqa: ANN401
    named = value.get("type", "dicom") if isinstance(value, Mapping) else "dicom"
    return named if named in ("dicom", "folder") else "plugin"


AnyDestination = Annotated[
    Annotated[DicomDestination, Tag("dicom")]
    | Annotated[FolderDestination, Tag("folder")]
    | Annotated[PluginDestination, Tag("plugin")],
    Discriminator(_destination_type),
]


class Config(Model):
    """One configuration, whole; `lints` are what is allowed in it but worth a look, `leaving` the
    destinations that only an earlier one had, of which something may wait.
    """

    spool: Spool = _written({})
    maximum_associations: v.Count = 1000
    listeners: Mapping[v.Name, Listener] = _written({})
    peers: Mapping[v.Name, PeerConfig] = _written({})
    destinations: Mapping[v.Name, AnyDestination] = _written({})
    plugins: Annotated[Mapping[str, PluginUse], _AsBuilt] = _written({})
    routes: tuple[Route, ...] = ()
    query_retrieve: tuple[QueryRetrieve, ...] = ()
    processing: Processing = _written({})
    timezone: v.TimeZone = _written("local")
    web: Web | None = None
    logging: Logging = _written({})
    alerts: Alerts = _written({})
    include: v.Many[str] = ()
    tests: tuple[Example, ...] = ()
    lints: Annotated[tuple[Mistake, ...], _AsBuilt] = _added("lints", default=())
    leaving: Annotated[frozenset[str], _AsBuilt] = _added("leaving", default=frozenset())
