"""Modalities at full speed while the configuration is swapped, broken and mended all the time."""

import os
import random
import threading
import time

import psutil
import pytest
from pydicom import dcmread

from router.wire import Peer, WireError, connect
from tests.story.peers import until
from tests.story.sending import generate, store

CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
CONFIG = """\
# swap {number}
spool: {{directory: ./spool, keep_free: 0, retain: 0 s}}
processing: {{workers: 1}}
listeners:
  dicom: {{ae_title: ROUTER, port: {port}, bind: 127.0.0.1, maximum_associations: {most}}}
destinations:
  vna: {{type: folder, directory: ./vna, path: "{{SOPInstanceUID}}.dcm", associations: {lanes}}}
routes:
  - name: all
    chain: ["stamp.py:Stamp", set: {{StationName: "{number}"}}]
    to: [vna]
"""
PLUGIN = """\
from router import hookimpl

class Stamp:
    @hookimpl
    def rewrite_instance(self, instance):
        instance.dataset.InstitutionName = "{number}"
"""


class Modality(threading.Thread):
    """Opens one association after the other, and sends a few of its instances in each."""

    def __init__(self, files, port, stopping):
        super().__init__(daemon=True)
        self.files, self.port, self.stopping = files, port, stopping
        self.together = []  # the instances of each association
        self.failures = []

    def run(self):
        waiting = list(self.files)
        while waiting and not self.stopping.is_set():
            size = random.randint(1, 4)
            batch, waiting = waiting[:size], waiting[size:]
            try:
                association = connect(
                    Peer("127.0.0.1", self.port, "ROUTER", "CT1"), [(CT, [EXPLICIT])]
                )
                statuses = [store(association, path) for path in batch]
                association.release()
            except WireError as error:
                self.failures.append(repr(error))
                continue
            self.failures += [status for status in statuses if status]
            self.together.append([path.name for path in batch])


class Storm:
    """Swaps of every kind; each valid one says its number in a chain and in a plugin."""

    def __init__(self, router, port):
        self.router, self.port = router, port
        self.plugin = router.directory / "stamp.py"

    def swap(self, number):
        text = self.text(number)
        match number % 5:
            case 0:
                self.replace(text)
            case 1:
                self.router.config.write_text(text.replace("to: [vna]", "to: [nowhere]"))
            case 2:
                self.router.config.write_text(text[: len(text) // 2])
            case 3:
                self.router.config.write_text(text)
            case 4:
                self.plugin.write_text(PLUGIN.format(number=number))
                self.replace(text)

    def text(self, number):
        return CONFIG.format(
            number=number, port=self.port, most=50 + number % 7, lanes=1 + number % 3
        )

    def replace(self, text):
        new = self.router.config.with_suffix(".new")
        new.write_text(text)
        os.replace(new, self.router.config)


def usage(process):
    return process.num_threads(), process.num_fds(), process.memory_info().rss


def storm(run_router, tmp_path, port, swaps, instances, pause):
    directory = tmp_path / "router"
    directory.mkdir()
    (directory / "stamp.py").write_text(PLUGIN.format(number=0))
    router = run_router(CONFIG.format(number=0, port=port, most=50, lanes=1))
    weather = Storm(router, port)
    sent = generate(tmp_path / "sent", instances)
    stopping = threading.Event()
    modalities = [Modality(sent[i::8], port, stopping) for i in range(8)]
    for modality in modalities:
        modality.start()
    process = psutil.Process(router.process.pid)
    before = None
    for number in range(1, swaps + 1):
        weather.swap(number)
        time.sleep(pause)  # how often somebody saves; nothing waits for it to be over
        if number == swaps // 3:
            before = usage(process)
    for modality in modalities:
        modality.join(120)
    weather.replace(weather.text(swaps + 5))
    until(lambda: router.ask("status")["refused"] is None, "the last one is in effect")
    return router, modalities, sent, before, process


def check(router, modalities, sent):
    assert [each for modality in modalities for each in modality.failures] == []
    vna = router.directory / "vna"
    until(lambda: len(list(vna.glob("*.dcm"))) == len(sent), "all is delivered", 120)
    stamps = {}
    for path in sent:
        dataset = dcmread(vna / path.name, stop_before_pixels=True)
        stamps[path.name] = dataset.InstitutionName, dataset.StationName
    for modality in modalities:
        for names in modality.together:
            assert len({stamps[name] for name in names}) == 1, "by one generation"
    assert len(set(stamps.values())) > 1, "the configuration was swapped while they came"
    trails = [router.ask("where", uid=path.stem)["instances"] for path in sent[::7]]
    for [instance] in trails:
        [delivery] = instance["deliveries"]
        assert [attempt["outcome"] for attempt in delivery["attempts"]] == ["delivered"]


def test_no_instance_is_lost_refused_or_sent_twice_while_the_configuration_changes(
    run_router, tmp_path, free_port
):
    router, modalities, sent, _, _ = storm(run_router, tmp_path, free_port(), 40, 1200, 0.3)
    check(router, modalities, sent)
    until(lambda: router.log.read_text().count("generation.ended") > 3, "old ones are drained")


@pytest.mark.soak
def test_three_hundred_swaps_leave_nothing_behind(run_router, tmp_path, free_port):
    router, modalities, sent, before, process = storm(
        run_router, tmp_path, free_port(), 300, 12000, 0.5
    )
    check(router, modalities, sent)
    until(lambda: usage(process)[0] <= before[0] + 3, "no threads are left over", 120)
    until(lambda: usage(process)[1] <= before[1] + 10, "no descriptors are left over", 120)
    assert usage(process)[2] < before[2] * 1.3
