"""Nuisances of made-up recordings whose properties are known, and their removal."""

import numpy as np
import pytest
import soundfile

from afn.common import config
from afn.common.errors import UserError
from afn.common.paths import ROOT
from afn.features import front_end, nuisance
from afn.systems import registry

RATE = 16000


def tone(seconds, dbfs, hertz=1000.0, noise=-70.0):
    """A sine of this level between 0.5 s and 0.8 s of noise, float64[N] of full scale 1."""
    rng = np.random.default_rng(1)
    time = np.arange(round(seconds * RATE)) / RATE
    sound = np.sqrt(2) * 10 ** (dbfs / 20) * np.sin(2 * np.pi * hertz * time)
    sound = np.pad(sound, (round(0.5 * RATE), round(0.8 * RATE)))
    return sound + 10 ** (noise / 20) * rng.standard_normal(len(sound))


def integers(signal):
    return np.clip(np.rint(signal * 2**15), -(2**15), 2**15 - 1).astype(np.int16)


def test_the_properties_of_a_tone_are_what_it_was_made_with():
    found = nuisance.measure(integers(tone(2.0, -20.0) + 0.01), RATE)
    assert tuple(found) == tuple(name for name in nuisance.NUISANCES if name != nuisance.OF_FILE)
    assert found["duration"] == pytest.approx(3.3)
    assert found["level"] == pytest.approx(-20.0, abs=0.3)
    assert found["peak"] == pytest.approx(20 * np.log10(0.1 * np.sqrt(2) + 0.01), abs=0.2)
    assert found["noise_floor"] == pytest.approx(-70.0, abs=1.0)
    assert found["snr"] == pytest.approx(50.0, abs=1.0)
    assert (found["leading_silence"], found["trailing_silence"]) == pytest.approx((0.5, 0.8), abs=0.03)
    assert found["offset"] == pytest.approx(1.0, abs=0.01)
    assert found["clipped"] == 0 and found["zeros"] < 1


@pytest.mark.parametrize(
    ("change", "name", "expected"),
    [
        (lambda x: np.where(np.arange(len(x)) % 4, np.maximum(x, 1e-4), 0), "zeros", pytest.approx(25.0, abs=0.01)),
        (lambda x: np.where(np.arange(len(x)) < len(x) // 10, 2.0, x), "clipped", pytest.approx(10.0, abs=0.1)),
        (lambda x: x + tone(2.0, -20.0, 50.0), "below_100_hz", pytest.approx(-3.0, abs=0.1)),
        (lambda x: x + tone(2.0, -30.0, 7000.0), "above_6_khz", pytest.approx(-10.4, abs=0.1)),
        (lambda x: x + tone(2.0, -60.0, 3000.0, -90.0), "bandwidth", pytest.approx(3000.0, abs=70.0)),
    ],
)
def test_each_property_is_measured_where_it_is_changed(change, name, expected):
    assert nuisance.measure(integers(change(tone(2.0, -20.0, noise=-90.0))), RATE)[name] == expected


@pytest.mark.parametrize("count", [1, 7, 100, 399, 401, 1000])
@pytest.mark.parametrize("value", [0, -3, 32767])
def test_constant_and_very_short_recordings_have_finite_properties(count, value):
    samples = np.full(count, value, np.int16)
    found = nuisance.measure(samples, RATE)
    assert np.isfinite(list(found.values())).all()
    assert (found["level"], found["snr"], found["leading_silence"]) == (pytest.approx(-100.0), 0.0, 0.0)
    assert len(nuisance.equalised(samples, RATE)) == count


def test_no_samples_are_refused():
    with pytest.raises(UserError, match="0 samples"):
        nuisance.measure(np.zeros(0, np.int16), RATE)


@pytest.mark.parametrize("dbfs", [-45.0, -20.0, -6.0])
def test_equalised_recordings_have_one_level_no_offset_and_no_silence_at_their_ends(dbfs):
    samples = nuisance.equalised(integers(tone(2.0, dbfs, noise=dbfs - 45)) + np.int16(150), RATE)
    found = nuisance.measure(samples, RATE)
    assert found["level"] == pytest.approx(nuisance.EQUALISED, abs=0.05)
    assert (found["leading_silence"], found["trailing_silence"]) == pytest.approx((0, 0), abs=0.03)
    assert found["offset"] == pytest.approx(0, abs=1e-3)
    assert found["duration"] == pytest.approx(2.0, abs=0.06)


@pytest.mark.parametrize(
    "row",
    [
        "afn",
        "statpool",
        "cqcc_gmm_b12",
        "cqcc_gmm_cmvn",
        "lfcc_gmm",
        "lcnn_stc",
        "mcf_cc",
        "mse_cc",
        "qdftspec",
        "ernn",
    ],
)
def test_what_a_row_is_said_to_remove_does_not_move_its_input_and_the_rest_does(row):
    settings = config.load(registry.settings_type(), ROOT / "conf" / "systems" / f"{row}.yaml")
    extract = front_end.from_description(front_end.describe(settings.features, backend="native"))
    samples = soundfile.read(ROOT / "tests" / "golden" / "g01_male_us.wav", dtype="int16")[0].astype(np.float64)
    samples += np.random.default_rng(0).normal(0, 100, len(samples))  # far above rounding and dither
    found = [extract("utt", np.rint(x).astype(np.int16)) for x in (samples, samples / 4, samples + 500)]
    if row == "statpool":  # the network does so
        found = [of - of.mean(axis=0) for of in found]
    softer, offset = (np.abs(of - found[0]).mean(axis=0).max() / found[0].std() for of in found[1:])
    removes = settings.removes
    assert removes < nuisance.NUISANCES.keys() and nuisance.OF_FILE in removes
    assert (softer < 0.2) == ("level" in removes) == ("peak" in removes) == ("noise_floor" in removes)
    assert offset < 0.01 or "offset" not in removes


def test_the_table_is_read_as_it_was_written_and_damage_is_one_line(tmp_path):
    path = tmp_path / nuisance.FILE
    rows = {f'utt,"{number}': {name: 1 / (3 + number) for name in nuisance.NUISANCES} for number in range(3)}
    nuisance.write(path, rows.items())
    utts, values = nuisance.read(path)
    assert utts == list(rows)
    assert values == pytest.approx(np.array([list(row.values()) for row in rows.values()]), rel=1e-5)
    assert nuisance.exists(path)
    text = path.read_text()
    for damaged in (text.replace("duration", "length"), text + "u,x\n", text + "\n", ""):
        path.write_text(damaged)
        with pytest.raises(UserError, match=r"nuisance\.csv: not the table that stage -2 writes"):
            nuisance.read(path)
    path.unlink()
    with pytest.raises(UserError, match=r"no such file\. Run stage -2"):
        nuisance.read(path)
