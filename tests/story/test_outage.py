"""A destination that is down delays no other, and gets everything when it comes back."""

from .peers import until
from .sending import content, generate

CONFIG = """\
spool: {{directory: ./spool, keep_free: 0}}
listeners:
  modalities: {{ae_title: ROUTER, port: 0, bind: 127.0.0.1}}
destinations:
  up: {{ae_title: UP, host: 127.0.0.1, port: {up}}}
  down: {{ae_title: DOWN, host: 127.0.0.1, port: {down}, retry: {{first: 500 ms, longest: 2 s}}}}
routes:
  - {{name: everything, to: [up, down]}}
"""


def destination(router, name: str) -> dict:
    [found] = [
        each
        for each in router.ask("status")["summary"]["destinations"]
        if each["destination"] == name
    ]
    return found


def test_everything_reaches_the_one_at_once_and_the_other_when_it_is_back(
    run_router, storescp, tmp_path
):
    up, down = storescp("UP"), storescp("DOWN", start=False)
    router = run_router(CONFIG.format(up=up.port, down=down.port))
    files = generate(tmp_path / "sent", 60)
    sent = {content(path) for path in files}
    target = f"ROUTER@127.0.0.1:{router.port('modalities')}"
    router.command("send", target, str(tmp_path / "sent"), check=True)
    until(lambda: len(up.files()) == 60, "the one that is up has everything")
    assert destination(router, "down")["queued"] == 60

    told = router.command("status")
    assert told.returncode == 1
    assert f"down (DOWN@127.0.0.1:{down.port}) is down since" in told.stdout
    assert "60 instances of 1 study" in told.stdout
    assert router.stop() == 0
    router.start()

    down.start()
    until(lambda: len(down.files()) == 60, "the other got everything")
    assert {content(path) for path in down.files()} == sent == {content(p) for p in up.files()}
    until(lambda: router.command("status").returncode == 0, "nothing needs attention any more")


def test_a_paused_destination_gets_nothing_until_it_is_resumed_even_after_a_restart(
    run_router, storescp, tmp_path
):
    up, other = storescp("UP"), storescp("DOWN")
    router = run_router(CONFIG.format(up=up.port, down=other.port))
    router.command("pause", "down", check=True)
    generate(tmp_path / "sent", 5)
    target = f"ROUTER@127.0.0.1:{router.port('modalities')}"
    router.command("send", target, str(tmp_path / "sent"), check=True)
    until(lambda: len(up.files()) == 5, "the other destination has everything")
    router.stop()
    router.start()
    assert "down is paused; 5 instances" in router.command("status").stdout
    assert other.files() == []
    router.command("resume", "down", check=True)
    until(lambda: len(other.files()) == 5, "it got everything")


def test_a_delivery_that_is_discarded_is_remembered_with_its_reason(run_router, storescp, tmp_path):
    up, down = storescp("UP"), storescp("DOWN", start=False)
    router = run_router(CONFIG.format(up=up.port, down=down.port))
    [path] = generate(tmp_path / "sent", 1)
    target = f"ROUTER@127.0.0.1:{router.port('modalities')}"
    router.command("send", target, str(path), check=True)
    until(lambda: len(up.files()) == 1, "the one that is up has it")
    refused = router.command("queue", "discard", "--destination", "down")
    assert refused.returncode == 2  # a reason is wanted
    done = router.command("queue", "discard", "--destination", "down", "--reason", "sold the PACS")
    assert done.stdout == "1 discarded\n"
    trail = router.command("where", path.stem).stdout
    assert "up: delivered" in trail
    assert "down: discarded: sold the PACS" in trail
    assert router.command("queue", "list").stdout == "0 rows\n"


def test_commands_work_on_the_queue_of_a_router_that_does_not_run(run_router, storescp, tmp_path):
    up, down = storescp("UP"), storescp("DOWN", start=False)
    router = run_router(CONFIG.format(up=up.port, down=down.port))
    [path] = generate(tmp_path / "sent", 1)
    target = f"ROUTER@127.0.0.1:{router.port('modalities')}"
    router.command("send", target, str(path), check=True)
    until(lambda: len(up.files()) == 1, "the one that is up has it")
    router.stop()
    status = router.command("status").stdout
    assert status.startswith("No router runs on")
    assert "1 instance of 1 study" in status
    assert router.command("queue", "hold", "--destination", "down").stdout == "1 held\n"
    assert router.command("queue", "release", "--destination", "down").stdout == "1 released\n"
    assert "down: queued" in router.command("where", path.stem).stdout


def test_somebody_is_told_that_a_destination_fails(run_router, storescp, free_port, tmp_path):
    more = "alerts: {after: 200 ms, command: [sh, -c, 'cat >> told']}\n"
    router = run_router(CONFIG.format(up=storescp("UP").port, down=free_port()) + more)
    [path] = generate(tmp_path / "sent", 1)
    target = f"ROUTER@127.0.0.1:{router.port('modalities')}"
    router.command("send", target, str(path), check=True)
    told = router.directory / "told"
    until(lambda: told.exists() and "destination.failing" in told.read_text(), "it is told")
    assert '"destination": "down"' in told.read_text()
    assert "Test^Patient" not in told.read_text()
