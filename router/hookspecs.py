"""Every hook in the order the router calls it; each docstring is that hook's contract.

A plugin is a class whose methods carry `@hookimpl`. A hook takes only the arguments it names, and
the plugins of a `chain:` are called in the order they are listed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from router.instance import (
        Association,
        Context,
        Delivery,
        Destination,
        Instance,
        Query,
        Refusal,
        Sender,
        Skip,
        Study,
    )

PROJECT = "dicom_router"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def startup(context: Context) -> None:
    """The plugin's one chance to prepare: open files, read tables, reach a service.

    When: once per process and configuration, before any other hook of the plugin. Route plugins
    are started in every worker process, the others in the process that holds the sockets.
    None: nothing is expected back.
    Raising: the router does not start on this configuration, and says where in it the plugin
    is. In a worker that is started later, the copy it was started for is held.
    """


@hookspec(firstresult=True)
def accept_association(association: Association) -> Refusal | None:
    """Decide whether a peer may open this association.

    When: in a listener's chain, after the listener's own `accept`, before A-ASSOCIATE-AC. It
    holds up the peer: be quick.
    None: no objection; the next plugin is asked. The first `Refusal` ends the asking.
    Raising: the association is rejected for now (A-ASSOCIATE-RJ, transient); a `Refusal` rejects
    it for good.
    """


@hookspec(firstresult=True)
def accept_instance(instance: Instance) -> Refusal | None:
    """Decide whether an instance may come in, before its C-STORE is answered.

    When: in a listener's chain, when all of the instance has arrived and before anything of it is
    kept. It holds up the sender: be quick. The instance is read-only here.
    None: no objection; the next plugin is asked. The first `Refusal` ends the asking: its status
    and reason are the answer, and nothing is kept.
    Raising: the sender is answered a processing failure (0x0110) and nothing is kept.
    """


@hookspec
def association_ended(association: Association) -> None:
    """Be told that an association is over, however it ended.

    When: in a listener's chain, after the release, abort or loss.
    None: nothing is expected back.
    Raising: logged; the other plugins are told all the same.
    """


@hookspec(firstresult=True)
def filter_instance(instance: Instance) -> Skip | Refusal | None:
    """Decide whether this route wants the instance.

    When: in a route's chain, before any rewrite, in a worker process. The instance is as it
    arrived; what is changed here does not leave.
    None: no objection; the next plugin is asked. The first `Skip` or `Refusal` ends the chain:
    `Skip` records that this route does not deliver the instance, `Refusal` that it must not.
    Raising: the copy is held (with `acknowledge: processed` the sender is refused).
    """


@hookspec
def rewrite_instance(instance: Instance) -> None:
    """Change the route's own copy: `instance.dataset`, `map_frames`, `blank`, `replace_bulk`.

    When: in a route's chain, after every filter let the instance through, in a worker process.
    It may run again after a crash: the same instance must come out the same.
    None: nothing is expected back, the instance is changed in place.
    Raising: the copy is held (with `acknowledge: processed` the sender is refused).
    """


@hookspec
def verify_instance(instance: Instance) -> None:
    """Look at the copy as it will leave and stop it if it must not.

    When: in a route's chain, after all rewrites, in a worker process. Read-only: what is changed
    here does not leave.
    None: fine.
    Raising: `Hold` holds the copy with its reason, and so does any other exception.
    """


@hookspec
def store_instance(instance: Instance) -> str | None:
    """Keep the copy somewhere, durably: return only when it would survive a power cut.

    When: in a route's chain, after every verify, in a worker process. Read-only, and it may run
    again after a crash.
    None: nothing was kept, which is no failure. A text says where it was kept, for the trail.
    Raising: the copy is held (with `acknowledge: processed` the sender is refused).
    """


@hookspec
def forward_instance(instance: Instance) -> str | list[str] | None:
    """Name destinations to add to the route's own `to:`.

    When: in a route's chain, last, in a worker process. Read-only.
    None: nothing to add. Otherwise the name of a destination, or several.
    Raising: the copy is held (with `acknowledge: processed` the sender is refused); so is it when
    a name is no destination's.
    """


@hookspec
def rewrite_outgoing(instance: Instance, destination: Destination) -> None:
    """Change one delivery's copy on its way out.

    When: in a destination's chain, each time the delivery is tried.
    None: nothing is expected back, the instance is changed in place.
    Raising: the delivery is held.
    """


@hookspec(firstresult=True)
def open_destination(destination: Destination) -> Sender | None:
    """Open a destination of this plugin's own type.

    When: the destination has something to deliver and no sender is open. The sender is used by
    one thread only, and closed when it has been idle or has failed.
    None: this plugin does not know how to, which is a failure.
    Raising: tried again later like any failed delivery.
    """


@hookspec
def delivery_ended(delivery: Delivery) -> None:
    """Be told that a delivery was delivered, held or discarded.

    When: in a destination's chain, after it was recorded.
    None: nothing is expected back.
    Raising: logged; the other plugins are told all the same.
    """


@hookspec
def study_complete(study: Study) -> None:
    """Be told that nothing more of a study has arrived for the route's `study_quiet`.

    When: in a route's chain, once per quiet, when no association is open that brought some of it;
    again with `study.late` and the newcomers only when more arrives. It runs in worker processes
    of its own and may be slow: an hour is allowed at least. The files stay until it returned.
    None: nothing is expected back.
    Raising: logged and tried again, later each time; a `Hold` says when itself.
    """


@hookspec(firstresult=True)
def filter_query(query: Query) -> Refusal | None:
    """Decide whether a query or retrieve may go on to the upstreams.

    When: in a query_retrieve entry's chain, before anything is sent.
    None: no objection; the next plugin is asked. The first `Refusal` ends the asking.
    Raising: the query fails.
    """


@hookspec
def rewrite_query(query: Query) -> None:
    """Change what is asked of the upstreams: `query.identifier`.

    When: in a query_retrieve entry's chain, after every filter let the query through.
    None: nothing is expected back, the query is changed in place.
    Raising: the query fails.
    """


@hookspec
def rewrite_match(query: Query, match: Dataset) -> None:
    """Change one match on its way back to who asked.

    When: in a query_retrieve entry's chain, for every match of every upstream.
    None: nothing is expected back, the match is changed in place.
    Raising: the match is not sent.
    """


@hookspec
def shutdown() -> None:
    """Put things away: the last call the plugin gets.

    When: once per process, after its last instance. A worker process that is killed, because a
    hook overran or the machine failed, does not call it.
    None: nothing is expected back.
    Raising: logged; the other plugins are shut down all the same.
    """


HOOKS = tuple(name for name, each in list(globals().items()) if hasattr(each, f"{PROJECT}_spec"))
