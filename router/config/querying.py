"""Who may query and retrieve through the router, and from where it gets the answers."""

from typing import Annotated, Literal

from router.config import values as v
from router.config.mistakes import Position
from router.config.parts import Accept, AsBuilt, Chain, Model, added, written

QueryServiceName = Literal["find", "move", "get", "worklist"]


class Upstream(Model):
    """Where a destination's query and retrieve service differs from its storage service."""

    ae_title: v.AETitle | None = None
    host: v.HostName | None = None
    port: v.PeerPort | None = None
    retrieve: Literal["move", "get"] = "move"
    move_to: v.AETitle | None = None
    issuer_of_patient_id: str | None = None
    character_set: v.CharacterSet | None = None


class QueryRetrieve(Model):
    """Whose queries and retrieves a listener answers, and which upstreams it asks."""

    name: v.Name
    listener: str
    upstreams: v.Many[str]
    accept: Accept
    services: v.Many[QueryServiceName] = ("find", "move", "get", "worklist")
    instances: Literal["through", "direct"] = "through"
    deadline: v.Duration = written("30 s")
    limit: v.Count = 10000
    partial: Literal["fail", "succeed"] = "fail"
    chain: Chain = ()
    move_destinations: v.Many[str] = ()
    position: Annotated[Position, AsBuilt] = added("position")
