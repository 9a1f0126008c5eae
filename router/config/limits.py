"""What one peer may cost a listener: every cap and time-out, each with a safe default."""

from router.config import values as v
from router.config.parts import Model, written


class Limits(Model):
    """Of connections, of what one association may send, and of one instance."""

    connections: v.Count = 2000
    associations_per_address: v.Count | None = None
    requests_per_minute: v.Count = 30_000
    artim: v.Duration = written("10 s")
    idle: v.Duration = written("10 min")
    stall: v.Duration = written("60 s")
    minimum_rate: v.Rate = written("1 kB/s")
    association_request: v.PduSize = written("128 KiB")
    presentation_contexts: v.Contexts = 128
    pdu: v.PduSize = written("128 KiB")
    command_set: v.PduSize = written("64 KiB")
    identifier: v.PduSize = written("1 MiB")
    object: v.Size = written("64 GiB")
    inflated: v.Size = written("4 GiB")
    inflated_ratio: v.Count = 100
    header: v.HeaderSize = written("64 MiB")
    nesting: v.Depth = 64
