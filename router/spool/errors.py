"""Why the spool cannot take an instance, or cannot be opened."""


class SpoolError(Exception):
    """The spool cannot do what was asked; the text says where, what, and what to do."""


class SpoolLocked(SpoolError):  # noqa: N818 - a state of the spool, as its siblings
    """Another router runs on this spool."""


class SpoolFull(SpoolError):  # noqa: N818
    """No space left: this instance was not kept; the next may be, once there is space."""


class SpoolFailed(SpoolError):  # noqa: N818
    """A write could not be made durable: nothing more is accepted until the router restarts."""


class SyncFailed(SpoolFailed):
    """This file could not be synced. Its pages may be lost though a second sync would succeed."""
