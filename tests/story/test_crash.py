"""kill -9 at any moment: what was answered with Success is in every destination, whole."""

import random
import time

import pytest

from .peers import until
from .sending import Sender, content, generate

CONFIG = """\
spool: {{directory: ./spool, keep_free: 0}}
listeners:
  modalities: {{ae_title: ROUTER, port: {port}, bind: 127.0.0.1}}
destinations:
  one: {{ae_title: ONE, host: 127.0.0.1, port: {one}, retry: {{first: 1 s}}}}
  vna: {{type: folder, directory: ./vna, path: "{{SOPInstanceUID}}.dcm"}}
routes:
  - {{name: everything, to: [one]}}
  - name: renamed
    chain: [set: {{PatientName: "SOMEBODY^ELSE"}}]
    to: [vna]
"""


def kill_again_and_again(run_router, storescp, free_port, tmp_path, seed: int, kills: int) -> None:
    moments = random.Random(seed)
    one = storescp("ONE")
    router = run_router(CONFIG.format(port=free_port(), one=one.port))
    port = router.port("modalities")
    senders = []
    for number in range(3):
        pixels = moments.choice([64, 40_000])
        files = generate(tmp_path / f"study{number}", 150 * kills, pixels=pixels)
        senders.append(Sender(files, port))
    for sender in senders:
        sender.start()
    for _ in range(kills):
        time.sleep(moments.uniform(0.05, 0.7))
        router.kill()
        router.start()
    time.sleep(0.3)
    for sender in senders:
        sender.stopping.set()
        sender.join(30)
    acknowledged = set().union(*(sender.acknowledged for sender in senders))
    assert len(acknowledged) > 10 * kills
    until(lambda: settled(router), "everything is delivered")
    assert acknowledged <= {content(path) for path in one.files()}
    renamed = {path.stem for path in (router.directory / "vna").glob("*.dcm")}
    assert {uid for uid, _ in acknowledged} <= renamed
    assert not list((router.directory / "vna").glob("*.part"))


def settled(router) -> bool:
    summary = router.ask("status")["summary"]
    held = [each for each in summary["destinations"] if each["held"]] or summary["held_copies"]
    assert not held
    return not summary["copies_waiting"] and not any(
        each["queued"] for each in summary["destinations"]
    )


def test_ten_kills_lose_nothing_that_was_acknowledged(run_router, storescp, free_port, tmp_path):
    kill_again_and_again(run_router, storescp, free_port, tmp_path, seed=1, kills=10)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(2, 8))
def test_sixty_kills_lose_nothing_that_was_acknowledged(
    run_router, storescp, free_port, tmp_path, seed
):
    kill_again_and_again(run_router, storescp, free_port, tmp_path, seed, kills=10)
