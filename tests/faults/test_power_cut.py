"""The power goes while the router is at work: what was acknowledged arrives, nothing is torn."""

import random
import time

import pytest

from tests.story.peers import until

from .disk import Disk
from .modality import Modality
from .site import Site

# The calls that make something last, or change what a name stands for, with how often one thread
# makes them while a few instances pass; each is a moment before it happens and one after it.
CALLS = {"fdatasync": 12, "fsync": 12, "rename": 6, "pwrite64": 40, "writev": 12}


@pytest.fixture
def disks(make_disk) -> tuple[Disk, Disk]:
    """One for the spool, one for the folders: a sync of one is none of the other. With room for
    more than the fastest machine sends meanwhile: the images are sparse.
    """
    return make_disk("spool", size="2G"), make_disk("folders", size="2G")


@pytest.fixture
def site(disks, run_site) -> Site:
    return run_site(*(disk.path for disk in disks))


@pytest.fixture
def modalities(site, modality):
    """Three at once: small instances, medium ones, and some that take longer than a moment."""

    def start(seed: int) -> list[Modality]:
        sizes = (64, 30_000, 1_000_000)
        return [modality(site.port, seed + n, pixels=pixels) for n, pixels in enumerate(sizes)]

    return start


def cut_power(site: Site, disks: tuple[Disk, ...], sent: list[Modality]) -> None:
    """Disks and router are gone at once; then the power comes back, the disks and the router.

    A sync that is under way when ext4 is shut down can still return as if it had been done, which
    no program lives to see when the power really goes: what is answered from here on was not.
    """
    for each in sent:
        each.deaf = True
    for disk in disks:
        disk.cut_power()
    site.router.kill()
    for disk in disks:
        disk.start_again()
    site.check_whole(*sent)
    for each in sent:
        each.deaf = False
    site.router.start()


def cut_at_random_moments(site, disks, modalities, seed: int, cuts: int) -> None:
    moments = random.Random(seed)
    sent = modalities(seed)
    for _ in range(cuts):
        time.sleep(moments.uniform(0.02, 0.8))
        cut_power(site, disks, sent)
    for each in sent:
        each.stop()
    site.check(*sent)
    assert sum(len(each.acknowledged) for each in sent) > 5 * cuts


@pytest.mark.parametrize("seed", [1, 2])
def test_a_power_cut_loses_nothing_that_was_acknowledged(site, disks, modalities, seed):
    cut_at_random_moments(site, disks, modalities, seed, cuts=4)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(100, 120))
def test_many_power_cuts_lose_nothing_that_was_acknowledged(site, disks, modalities, seed):
    cut_at_random_moments(site, disks, modalities, seed, cuts=10)


def cut_at(site, disks, modality, trace, moments: list[str]) -> None:
    """Stop the router at each moment (an injection of strace's) and cut the power there."""
    sent = []
    for number, moment in enumerate(moments):
        strace = trace(site.router, moment)
        sent.append(modality(site.port, number, pixels=5000))
        until(lambda: strace.stopped, f"the router gets to {moment}", 30)  # noqa: B023
        cut_power(site, disks, sent)
        strace.close()
        sent[-1].stop()
    site.check(*sent)


def moments() -> list[str]:
    """Before the call, which then never happens, and after it."""
    return [
        f"{call}:{how}signal=STOP:when={number}"
        for call, most in CALLS.items()
        for number in range(1, most + 1)
        for how in ("error=EIO:", "")
    ]


def test_the_power_is_cut_at_a_sync_a_rename_or_a_write(site, disks, modality, trace):
    chosen = random.Random(1)
    some = [
        chosen.choice([each for each in moments() if each.startswith(call) and how in each])
        for call in CALLS
        for how in (":error", f"{call}:signal")
    ]
    cut_at(site, disks, modality, trace, some)


@pytest.mark.soak
@pytest.mark.parametrize("call", CALLS)
def test_the_power_is_cut_at_every_sync_rename_and_write(site, disks, modality, trace, call):
    cut_at(site, disks, modality, trace, [each for each in moments() if each.startswith(call)])
