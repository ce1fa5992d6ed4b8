"""Training examples: crops, masks, augmented recordings; the same bytes in any order and by any number of processes."""

import numpy as np
import pytest

from afn.augment import Augmentation
from afn.common.errors import UserError
from afn.features import audio, front_end
from afn.systems.neural.batches import shuffled
from afn.systems.neural.loading import Examples, Item, Varied, ahead
from afn.systems.subset import Subset

RATE, BINS, FRAMES = 16000, 257, 20
SPECTROGRAM = {
    "kind": "spectrogram",
    "backend": "native",
    "options": ["--snip-edges=false"],
    "cmn_window": None,
    "norm_vars": False,
}
NOISY = Augmentation(
    noise={"probability": 1.0, "snr": [10, 30], "tilt": [0, 1]},
    time_masks={"count": [1, 2], "width": [2, 5]},
)


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """Four recordings of 0.3 s, alternately genuine and spoof, without features."""
    folder, random = tmp_path_factory.mktemp("recordings"), np.random.default_rng(1)
    paths = {f"u{i}": str(folder / f"u{i}.wav") for i in range(4)}
    for path in paths.values():
        audio.write(path, (3000 * random.standard_normal(4800)).astype(np.int16), RATE)
    labels = {utt: ("genuine", "spoof")[i % 2] for i, utt in enumerate(paths)}
    return Subset("train", labels, dict.fromkeys(paths, np.zeros((1, BINS), np.float32)), recordings=paths)


def made(subset, order, epoch, jobs=1, augment=NOISY, frames=(FRAMES, FRAMES)):
    """The examples of an epoch by the number of their utterance, and their targets."""
    examples = Examples(3, frames, BINS, augment, front_end.native(SPECTROGRAM))
    batches = list(Varied(subset, examples, jobs).batches(order, epoch))
    return {
        index: (inputs[place].tobytes(), float(targets[place]))
        for batch, (inputs, targets) in zip(order, batches, strict=True)
        for place, index in enumerate(batch)
    }


@pytest.mark.parametrize("jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_an_augmented_example_depends_on_seed_epoch_and_utterance_alone(recordings, jobs):
    first = made(recordings, [[0, 1], [2, 3]], epoch=1)
    assert first == made(recordings, [[3], [0], [2, 1]], 1, jobs)  # in another order, by other processes
    second = made(recordings, [[0, 1], [2, 3]], epoch=2)
    assert all(first[index][0] != second[index][0] for index in range(4))
    assert first[0] != made(recordings, [[4]], epoch=1)[4]  # the same utterance for the second time in an epoch
    assert [first[index][1] for index in range(4)] == [1, 0, 1, 0]


def test_a_genuine_recording_that_is_replayed_becomes_a_spoof(recordings):
    still = {"probability": 0.0, "snr": [20, 20], "tilt": [0, 0]}
    dry = {"probability": 0.0, "reverberation": [0.1, 0.1], "direct": [9, 9], "delay": [0, 0], "damping": [4000, 4000]}
    recorder = {"room": dry, "microphone": {}, "noise": still}
    channel = {"recording": recorder, "covert": recorder, "loudspeaker": {}, "level": [-30, -30]}
    replays = Augmentation(replay=1.0, channel=channel)
    assert {target for _, target in made(recordings, [[0, 1, 2, 3]], 1, augment=replays, frames=FRAMES).values()} == {0}


@pytest.mark.parametrize("frames", [7, FRAMES, 50])
def test_a_crop_is_a_random_part_of_the_utterance(frames):
    features = np.random.default_rng(frames).normal(5, 1, (frames, BINS)).astype(np.float32)
    items, starts = [Item("u", "genuine", 0, features), Item("v", "spoof", 0, features)], set()
    lengths = set()
    for epoch in range(20):
        (example, _), targets = Examples(3, (10, FRAMES), BINS).batch((epoch, items))
        start = int(np.abs(features - example[0, :, 0]).sum(axis=1).argmin())
        length = example.shape[2]
        np.testing.assert_array_equal(example[0].T, features[(start + np.arange(length)) % frames])
        assert start <= max(frames - length, 0) and targets.tolist() == [1, 0]
        starts.add(start)
        lengths.add(length)
    assert len(lengths) > 5 and min(lengths) >= 10 and max(lengths) <= FRAMES
    assert len(starts) > 10 if frames > 2 * FRAMES else 0 in starts


def test_the_smaller_class_is_repeated_until_both_are_equally_frequent():
    classes = [list(range(3)), list(range(3, 11))]
    indices = [index for batch in shuffled(11, 4, 1, 1, classes) for index in batch]
    assert sorted(indices) == sorted(set(indices)) and len(indices) == 16
    utterances = np.array(indices) % 11
    assert (utterances < 3).sum() == (utterances >= 3).sum() == 8
    assert set(utterances) == set(range(11))
    assert indices != [index for batch in shuffled(11, 4, 1, 2, classes) for index in batch]


@pytest.mark.parametrize("sizes", [(6, 6), (3, 9)])
def test_stratified_batches_have_the_same_shares_of_both_classes(sizes):
    strata = [list(range(sizes[0])), list(range(sizes[0], 12))]
    epochs = [shuffled(12, 4, 1, epoch, strata=strata) for epoch in (1, 2)]
    for batches in epochs:
        assert sorted(index for batch in batches for index in batch) == list(range(12))
        assert [sum(index < sizes[0] for index in batch) for batch in batches] == 3 * [sizes[0] // 3]
    assert epochs[0] != epochs[1]
    balanced = shuffled(12, 4, 1, 1, strata, strata)
    assert all(2 * sum(index % 12 < sizes[0] for index in batch) == len(batch) for batch in balanced)


def test_work_is_done_ahead_of_need_and_an_error_arrives_in_its_turn():
    started = []

    def work():
        for number in range(9):
            started.append(number)
            if number == 5:
                raise UserError("unreadable")
            yield number

    arrived = []
    with pytest.raises(UserError, match="unreadable"):
        for number in ahead(work()):
            arrived.append(number)
            assert max(started) <= number + 3
    assert arrived == [0, 1, 2, 3, 4]
