"""Moved, sent again, looked after: what an administrator does when a destination is given up."""

from .peers import until
from .sending import generate

CONFIG = """\
spool: {{directory: ./spool, keep_free: 0}}
listeners:
  modalities: {{ae_title: ROUTER, port: 0, bind: 127.0.0.1}}
destinations:
  old: {{ae_title: OLD, host: 127.0.0.1, port: {old}, retry: {{first: 500 ms, longest: 2 s}}}}
  new: {{ae_title: NEW, host: 127.0.0.1, port: {new}}}
  shelf: {{type: folder, directory: ./shelf, path: "{{SOPInstanceUID}}.dcm", schedule: []}}
routes:
  - {{name: everything, to: [old]}}
"""


def test_what_waits_goes_elsewhere_and_what_was_delivered_goes_again(
    run_router, storescp, tmp_path
):
    old, new = storescp("OLD", start=False), storescp("NEW")
    router = run_router(CONFIG.format(old=old.port, new=new.port))
    files = generate(tmp_path / "sent", 12)
    target = f"ROUTER@127.0.0.1:{router.port('modalities')}"
    router.command("send", target, str(tmp_path / "sent"), check=True)
    until(lambda: "old" in router.ask("status")["outages"], "the old one is known to be down")
    assert router.command("queue", "move", "--destination", "old").returncode == 2
    unknown = router.command("queue", "move", "--destination", "old", "--to", "nwe")
    assert (unknown.returncode, "nwe" in unknown.stderr) == (2, True)
    moved = router.command("queue", "move", "--destination", "old", "--to", "new")
    assert moved.stdout == "12 moved to new\n"
    until(lambda: len(new.files()) == 12, "the new one got everything")
    uid = files[0].stem
    until(lambda: "new (moved from old): delivered" in router.command("where", uid).stdout, "said")

    assert router.command("queue", "resend", "--to", "shelf").returncode == 2
    assert router.command("queue", "resend", "--since", "24h").returncode == 2
    again = router.command("queue", "resend", "--since", "24h", "--to", "shelf")
    assert again.stdout == "12 sent again to shelf\n"
    until(lambda: len(list((router.directory / "shelf").glob("*.dcm"))) == 12, "on the shelf")
    assert "shelf (resent): " in router.command("where", uid).stdout

    well = router.command("doctor")
    assert (well.returncode, well.stdout.count("\n")) == (0, 1)
    router.stop()
    lost = next((router.directory / "spool" / "files").glob("*/*"))
    lost.unlink()
    ill = router.command("doctor")
    assert ill.returncode == 1
    assert f"in {lost}: its file is gone; --repair holds what waits of it" in ill.stdout
    assert router.command("doctor", "--repair").returncode == 1
    assert router.command("doctor").returncode == 0
