"""What tests share: golden numbers, and real data where there are any."""

import os
from pathlib import Path

import pytest

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture(scope="session")
def golden() -> Path:
    """Outputs of independent programs on small signals; tests/golden/README.md tells which."""
    return GOLDEN


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder that REAL_DATA names, holding asvspoof2017/, scores/, speech/ and impulse_responses/."""
    if not os.environ.get("REAL_DATA"):
        pytest.skip("REAL_DATA is not set: it names a folder with asvspoof2017/, scores/, speech/, impulse_responses/")
    return Path(os.environ["REAL_DATA"])
