"""A router between requestors and two scripted archives, started once for all tests here."""

import psutil

from tests.story.peers import RunningRouter, StoreScp

from .scripted import Scripted, answering

CONFIG = """\
spool: {{directory: ./spool, keep_free: 0}}
listeners:
  main: {{ae_title: ROUTER, port: 0, bind: 127.0.0.1, maximum_associations: 1000}}
peers:
  sender: {{calling_ae_titles: [WS1STORE], services: [store]}}
  elsewhere: {{calling_ae_titles: [WS3], services: [move], move_destinations: [dead]}}
destinations:
  pacs: {{ae_title: PACS, host: 127.0.0.1, port: {pacs}}}
  old: {{ae_title: OLD, host: 127.0.0.1, port: {old}}}
  dead: {{ae_title: DEAD, host: 127.0.0.1, port: {dead}}}
  ws1: {{ae_title: WS1, host: 127.0.0.1, port: {ws1}}}
  vna: {{type: folder, directory: ./vna}}
routes:
  - {{name: archive, when: {{calling_ae_title: PACS}}, to: [vna]}}
plugins:
  pseudonyms:
    use: deidentify
    options: {{secret: "0123456789abcdef0123456789abcdef", reversible: true}}
query_retrieve:
  - name: research
    listener: main
    upstreams: [pacs]
    accept: {{calling_ae_titles: [RESEARCH]}}
    deadline: 60 s
    chain: [pseudonyms]
    move_destinations: [ws1]
  - name: one
    listener: main
    upstreams: [pacs]
    accept: {{calling_ae_titles: [WS1, WS1STORE, WS3]}}
    deadline: 60 s
    limit: 20
    move_destinations: [ws1, dead]
  - name: both
    listener: main
    upstreams: [pacs, old]
    accept: {{calling_ae_titles: [BOTH]}}
    deadline: 60 s
    limit: 20
    move_destinations: [ws1]
    services: [find, move, worklist]
  - name: hasty
    listener: main
    upstreams: [pacs, old]
    accept: {{calling_ae_titles: [HASTY]}}
    deadline: 5 s
    move_destinations: [ws1]
  - name: straight
    listener: main
    upstreams: [pacs, old]
    accept: {{calling_ae_titles: [STRAIGHT]}}
    instances: direct
    deadline: 60 s
    move_destinations: [ws1]
"""


class Site:
    """A router between a workstation and two scripted archives."""

    def __init__(self, directory, free_port) -> None:
        self.pacs, self.old = Scripted(), Scripted()
        self.ws1 = StoreScp(directory / "WS1", free_port(), "WS1").start()
        ports = {"pacs": self.pacs.port, "old": self.old.port, "dead": free_port()}
        (directory / "router").mkdir()
        self.router = RunningRouter(
            directory / "router", CONFIG.format(**ports, ws1=self.ws1.port)
        ).start()
        self.port = self.router.port("main")
        self.process = psutil.Process(self.router.process.pid)

    def reset(self) -> None:
        for scripted in (self.pacs, self.old):
            scripted.asked.clear()
            scripted.find = scripted.move = answering()
        for path in self.ws1.files():
            path.unlink()

    def archived(self) -> set[str]:
        """The SOP Instance UIDs of what took the route."""
        return {path.stem for path in (self.router.directory / "vna").rglob("*.dcm")}

    def close(self) -> None:
        for part in (self.router, self.ws1, self.pacs, self.old):
            part.close()
