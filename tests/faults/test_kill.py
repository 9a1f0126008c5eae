"""kill -9 at any moment: what was answered with Success is in every destination, whole."""

import random
import time

import pytest

from .modality import Modality
from .site import Site


@pytest.fixture
def site(run_site, tmp_path) -> Site:
    return run_site(tmp_path)


@pytest.fixture
def modalities(site, modality) -> list[Modality]:
    return [modality(site.port, n, pixels=pixels) for n, pixels in enumerate((64, 4000, 300_000))]


def kill_again_and_again(site: Site, modalities: list[Modality], seed: int, kills: int) -> None:
    moments = random.Random(seed)
    for number in range(kills):
        time.sleep(moments.uniform(0.02, 0.5))
        site.router.kill()
        if number % 5 == 0:
            site.check_whole(*modalities)
        site.router.start()
    for each in modalities:
        each.stop()
    site.check(*modalities)
    assert sum(len(each.acknowledged) for each in modalities) > 5 * kills


def test_twenty_kills_lose_nothing_that_was_acknowledged(site, modalities):
    kill_again_and_again(site, modalities, seed=1, kills=20)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(2, 12))
def test_two_hundred_kills_lose_nothing_that_was_acknowledged(site, modalities, seed):
    kill_again_and_again(site, modalities, seed, kills=20)
