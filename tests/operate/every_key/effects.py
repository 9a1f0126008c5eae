"""What the parts of a running router go by, asked of the parts, for every key by its path."""

import logging
import ssl
from datetime import UTC, datetime
from urllib.parse import urlsplit

from router.config.schema import keys_of
from router.delivery.ahead import Offer
from router.delivery.dicom import peer_of
from router.intake.planning import plan
from router.query.entry import Entry
from router.query.service import _move_destination
from router.testing.instances import make_association, make_dataset, make_instance
from router.wire import AssociationRequest, PeerCertificate, Rejection, UserIdentity

TYPES = {"dicom": "pacs", "folder": "vna", "plugin": "printer"}
WIRE = {
    "connections": "pending_connections",
    "pdu": "maximum_pdu",
    **{key: key for key in ("associations_per_address", "requests_per_minute", "artim", "idle")},
    **{key: key for key in ("association_request", "presentation_contexts", "command_set")},
    "identifier": "identifier",
}


class Asked:
    """A router, asked by associations that come now."""

    def __init__(self, node, directory):
        self.node = node
        self.directory = directory

    def open(self, calling="CT1", *, at="127.0.0.1", called="ROUTER", **more):
        """What a listener says to an association: a Rejection, or the session."""
        name = more.get("listener", "main")
        request = AssociationRequest(
            calling, called, at, 104, (), "1.2.3", "", 0,
            certificate=PeerCertificate(f"CN={more.get('certificate', 'b')}", (), "00"),
            user=UserIdentity(more.get("user", "ann"), b"x"),
        )  # fmt: skip
        return self.node.listeners[name].service.open(request)

    def says(self, *args, **more):
        """The same in words: why it is rejected, or who it is."""
        opened = self.open(*args, **more)
        if isinstance(opened, Rejection):
            return opened.text
        opened.ended("released")
        return f"{opened.association.peer}"

    def session(self, *args, **more):
        opened = self.open(*args, **more)
        opened.ended("released")
        return opened

    def entries(self, calling="WS1", **more):
        """The query_retrieve entries that answer."""
        return self.session(calling, listener="plain", **more)._queries._entries

    def entry(self, calling="WS1"):
        """The first of them at work."""
        session = self.session(calling, listener="plain")
        asked, service = session._queries, self.node._queries
        return Entry(
            asked._entries[0], asked._generation, session.association, service.provenance,
            service.directory, service.indexes,
        )  # fmt: skip


def effects(node, directory):
    """What each key comes to, by its path in the model."""
    asked = Asked(node, directory)
    found = {}
    for part in (_whole, _listeners, _peers, _routes, _queries, _dicom, _others, _not_run):
        found |= part(asked)
    for kind, name in TYPES.items():
        for key, value in _destination(asked, name).items():
            found[f"destinations.*.{kind}.{key}"] = value
    return found


def _whole(asked):
    node = asked.node
    kept = node._housekeeping._current().config.spool
    handler = logging.getLogger().handlers[0]
    told = node.alarms._config.alerts
    return {
        "spool.keep_free": asked.session()._keep_free,
        "spool.retain": kept.retain,
        "spool.history": kept.history,
        "maximum_associations": node.listeners._census.most,
        "processing.workers": node.pool._workers,
        "timezone": str(node.deliveries._backlogs["pacs"].timezone),
        "logging.level": logging.getLogger("router").level,
        "logging.format": type(handler.formatter),
        "logging.patient_data": asked.session()._names_patients,
        "alerts.after": node.alarms._after,
        "alerts.command": told.command,
        "alerts.webhook": told.webhook,
        **_web(node.web),
        "include": asked.says("INCLUDED", listener="plain"),
    }


def _web(web):
    settings, address = web._server.settings, urlsplit(web.address)
    return {
        "web.bind": address.hostname,
        "web.port": address.port,
        "web.networks": settings.networks,
        "web.hosts": settings.hosts,
    }


def _listeners(asked):
    acceptor, secure, moves = (asked.node.listeners[name] for name in ("plain", "main", "moves"))
    session = asked.session("WS1", listener="plain")
    limits, settings = acceptor.limits, session._settings
    at = "listeners.*."
    found = {f"{at}limits.{key}": getattr(limits, name) for key, name in WIRE.items()}
    of_instances = ("object", "inflated", "inflated_ratio", "header", "nesting")
    found |= {f"{at}limits.{key}": getattr(settings.limits, key) for key in of_instances}
    keys = ("transfer_syntaxes", "acknowledge", "acknowledge_timeout", "unmatched")
    found |= {at + key: getattr(settings, key) for key in keys}
    certificate = ssl.get_server_certificate(("127.0.0.1", secure.port))
    tls = secure.tls
    return found | {
        f"{at}limits.stall": limits.pace.stall,
        f"{at}limits.minimum_rate": limits.pace.minimum_rate,
        f"{at}ae_title": asked.says(called="R3"),
        f"{at}port": moves.port,
        f"{at}bind": moves._listener.getsockname()[0],
        f"{at}services": session._admitted.services,
        f"{at}sop_classes": session._admitted.sop_classes,
        f"{at}maximum_associations": limits.maximum_associations,
        f"{at}chain": len(session._chain.links),
        f"{at}tls.certificate": certificate,
        f"{at}tls.key": certificate,  # which a listener that has not its key could not show
        f"{at}tls.trust": tls.get_ca_certs(),
        f"{at}tls.client_certificate": tls.verify_mode,
        f"{at}tls.revoked": tls.verify_flags,
        f"{at}accept.calling_ae_titles": asked.says("WS2"),
        f"{at}accept.networks": asked.says(at="127.0.0.2"),
        f"{at}accept.peers": asked.says("OTHER1"),
        f"{at}accept.user": asked.says(user="bob"),
    }


def _peers(asked):
    session, at = asked.session(listener="plain"), "peers.*."
    both = [asked.open(listener="plain") for _ in range(2)]
    for each in both:
        if not isinstance(each, Rejection):
            each.ended("released")
    return {
        f"{at}calling_ae_titles": asked.says("X1", listener="plain"),
        f"{at}called_ae_titles": asked.says(called="R2", listener="plain"),
        f"{at}networks": asked.says(at="127.0.0.3", listener="plain"),
        f"{at}certificate": asked.says(certificate="a", listener="plain"),
        f"{at}services": asked.session()._admitted.services,
        f"{at}sop_classes": asked.session()._admitted.sop_classes,
        f"{at}move_destinations": _move_destination(asked.entry("CT1"), "PACS")
        or _move_destination(asked.entry("CT1"), "ARCHIVE"),
        f"{at}maximum_associations": [type(each) for each in both],
        f"{at}assume_character_set": session._assumed,
    }


def _routes(asked):
    session = asked.session("WS1", listener="plain")
    generation, who = session._generation, make_association()
    instance = make_instance(make_dataset(Modality="CT"), asked.directory)
    first, waits, *some = plan(generation, who, instance._source.scan, datetime.now(UTC))
    stamp = generation.route_chains[first.route].links[0]
    return {
        "routes.*.name": first.route,
        "routes.*.when": [copy.route for copy in some],
        "routes.*.chain": len(generation.route_chains[first.route].links),
        "routes.*.to": first.destinations,
        "routes.*.study_quiet": waits.study_quiet,
        "routes.*.deliver": first.together,
        "plugins.*.use": stamp.plugin.use,
        "plugins.*.options": (stamp.plugin.arguments, dict(stamp.plugin.named)),
        "plugins.*.timeout": stamp.timeout,
    }


def _queries(asked):
    entry, at = asked.entry(), "query_retrieve.*."
    ways = {each.name: each for each in asked.entries()}["ways"]
    names = [each.name for each in asked.entries()]

    def first_answers(*args, **more):
        return entry.name in [each.name for each in asked.entries(*args, **more)]

    return {
        f"{at}name": entry.name,
        f"{at}listener": "goes" in names,
        f"{at}upstreams": [each.name for each in entry.upstreams],
        f"{at}accept.calling_ae_titles": first_answers("WS2"),
        f"{at}accept.networks": first_answers(at="127.0.0.2"),
        f"{at}accept.peers": first_answers("OTHER1"),
        f"{at}services": entry.settings.services,
        f"{at}instances": ways.instances,
        f"{at}deadline": entry.upstreams[0].timeouts.response,
        f"{at}limit": entry.limit,
        f"{at}partial": entry.partial,
        f"{at}chain": len(entry._chain.links),
        f"{at}move_destinations": _move_destination(entry, "OTHER"),
    }


def _sender(asked, name):
    """What a lane of a destination sends through: lanes are made when something is there."""
    deliveries = asked.node.deliveries
    backlog = deliveries._backlogs[name]
    deliveries._start_lanes(backlog)
    lane = deliveries._lanes[name][0]
    backlog_of, settings, _offer = lane._open_sender.args
    assert backlog_of is backlog
    return deliveries._sender(backlog, settings, Offer())


def _destination(asked, name):
    """What destinations of every type have."""
    node = asked.node
    _sender(asked, name)
    backlog = node.deliveries._backlogs[name]
    breaker, settings = backlog._breaker, backlog.settings
    ledger = node.spool.ledger._writer._transaction.destinations[name]
    planned = asked.session("WS1", listener="plain")._generation
    config = planned.config.destinations[name]
    return {
        "type": type(_sender(asked, "turns")),
        "associations": len(backlog._lanes),
        "close_after": settings.close_after,
        "retry.first": breaker._first,
        "retry.longest": breaker._longest,
        "retry.hold_after": settings.retry.hold_after,
        "object_tries": settings.object_tries,
        "schedule": settings.schedule,
        "bandwidth": backlog._bandwidth._rate,
        "spool_limit": config.spool_limit,
        "when_full": config.when_full,
        "resend": ledger.resend,
        "loop_guard": ledger.loop_guard,
        "when_removed": node.config.destinations[name].when_removed,
        "fallback": node.deliveries._destinations[name].fallback,
        "priority": config.priority,
        "required": config.required,
        "outside": config.outside,  # nothing runs by it: `check` says where it is missing
        "chain": node.deliveries._hooks.rewrites(name),
    }


def _dicom(asked):
    sender, at = _sender(asked, "pacs"), "destinations.*.dicom."
    settings = sender._settings
    peer = peer_of(settings, "X")
    generation = asked.session("WS1", listener="plain")._generation
    ways = {each.name: each for each in asked.entries()}["ways"]
    service = asked.node._queries
    query = Entry(
        ways, generation, make_association(), service.provenance, service.directory, service.indexes
    ).upstreams[0]
    return {
        f"{at}ae_title": peer.called_ae_title,
        f"{at}host": peer.host,
        f"{at}port": peer.port,
        f"{at}tls.certificate": settings.tls.certificate,
        f"{at}tls.key": settings.tls.key,
        f"{at}tls.trust": peer.tls.get_ca_certs(),
        f"{at}tls.revoked": peer.tls.verify_flags,
        f"{at}tls.server_name": settings.tls.asked_name,
        f"{at}calling_ae_title": settings.calling_ae_title,
        f"{at}timeouts.connect": settings.timeouts.connect,
        f"{at}timeouts.association": settings.timeouts.association,
        f"{at}timeouts.response": settings.timeouts.response,
        f"{at}delivered_statuses": settings.delivered_statuses,
        f"{at}transfer_syntaxes": sender._wanted,
        f"{at}query.ae_title": query.peer.called_ae_title,
        f"{at}query.host": query.peer.host,
        f"{at}query.port": query.peer.port,
        f"{at}query.retrieve": query.retrieve,
        f"{at}query.move_to": query.move_to,
        f"{at}query.issuer_of_patient_id": query.issuer_of_patient_id,
        f"{at}query.character_set": query.character_set,
    }


def _others(asked):
    folder, printer = _sender(asked, "vna"), _sender(asked, "printer")
    return {
        "destinations.*.folder.directory": folder._directory,
        "destinations.*.folder.path": folder._template.text,
        "destinations.*.folder.index": folder._index is not None,
        "destinations.*.plugin.options": printer._sender.tray,
    }


def _not_run(asked):
    """Nothing runs by `tests`: the command reads the file itself."""
    [example] = asked.node.config.tests
    parts = {"": example, "association.": example.association, "expect.": example.expect}
    return {
        f"tests.*.{above}{key}": getattr(part, key)
        for above, part in parts.items()
        for key in keys_of(type(part))
        if f"{key}." not in parts
    }
