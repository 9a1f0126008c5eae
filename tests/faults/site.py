"""A router under test with a PACS and two folders; what it acknowledged must be in all three."""

from contextlib import suppress
from pathlib import Path

from tests.story.peers import RunningRouter, StoreScp, until

from .modality import Sender, found

CONFIG = """\
spool: {{directory: {spool}, keep_free: 0}}
listeners:
  modalities: {{ae_title: ROUTER, port: {port}, bind: 127.0.0.1}}
destinations:
  pacs: {{ae_title: PACS, host: 127.0.0.1, port: {pacs}, retry: {{first: 500 ms, longest: 1 s}}}}
  vna:
    {{type: folder, directory: {folders}/vna, path: "{{SOPInstanceUID}}.dcm",
      retry: {{first: 500 ms, longest: 1 s}}}}
  renamed:
    {{type: folder, directory: {folders}/renamed, path: "{{SOPInstanceUID}}.dcm",
      retry: {{first: 500 ms, longest: 1 s}}}}
routes:
  - {{name: everything, to: [pacs, vna]}}
  - {{name: renamed, chain: [set: {{PatientName: "SOMEBODY^ELSE"}}], to: [renamed]}}
processing: {{workers: 1}}
"""


class Site:
    """`check` is the oracle of every test here; `folders` may be on another disk than the spool."""

    def __init__(self, router: RunningRouter, pacs: StoreScp, folders: Path) -> None:
        self.router = router
        self.pacs = pacs
        self.port = router.port("modalities")
        self._folders = folders

    def check(self, *senders: Sender) -> None:
        """Wait until all is delivered; then what was acknowledged is everywhere, and whole."""
        acknowledged = set().union(*(each.acknowledged for each in senders))
        with suppress(AssertionError):  # of having waited in vain: what is missing says more
            until(lambda: self._is_settled() and not any(self._missing(acknowledged)), "", 60)
        assert not any(self._missing(acknowledged)), f"lost: {self._missing(acknowledged)}"
        until(self._is_settled, "nothing waits any more", 1)
        self.check_whole(*senders)
        made = {uid: each for sender in senders for uid, each in sender.made.items()}
        archived = found(self.pacs.files())
        assert all(made[uid].sha256 == sha256 for uid, sha256 in archived.items())
        assert not list(self._folders.rglob("*.part"))
        assert self.router.ask("status")["summary"]["missing_files"] == 0

    def check_whole(self, *senders: Sender) -> None:
        """Everything the folders have is, byte for byte, what it should be; at any moment."""
        made = {uid: each for sender in senders for uid, each in sender.made.items()}
        kept = found(self._kept("vna"))
        assert all(made[uid].sha256 == sha256 for uid, sha256 in kept.items())
        renamed = found(self._kept("renamed"))
        assert all(made[uid].renamed_sha256 == sha256 for uid, sha256 in renamed.items())

    def _missing(self, acknowledged: set[str]) -> list[set[str]]:
        """What is not in the PACS and in the folders, by the names of the files."""
        archived = {path.name.removeprefix("CT.") for path in self.pacs.files()}
        kept = [{path.stem for path in self._kept(name)} for name in ("vna", "renamed")]
        return [acknowledged - there for there in (archived, *kept)]

    def _kept(self, folder: str) -> list[Path]:
        return list((self._folders / folder).glob("*.dcm"))

    def _is_settled(self) -> bool:
        summary = self.router.ask("status")["summary"]
        if summary["held_copies"] or any(each["held"] for each in summary["destinations"]):
            raise AssertionError(f"held: {summary}")
        waiting = any(each["queued"] for each in summary["destinations"])
        return not waiting and not summary["copies_waiting"]
