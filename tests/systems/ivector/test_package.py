"""The i-vector package as a library: what it offers, and what it does not import."""

import subprocess
import sys


def test_the_extractor_is_part_of_the_package_and_its_settings_read_without_pytorch():
    code = (
        "import sys, afn.systems.ivector.settings\n"
        "assert 'torch' not in sys.modules\n"
        "from afn.systems.ivector import IVectorExtractor\n"
        "assert IVectorExtractor.__module__ == 'afn.systems.ivector.extractor'\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
