"""Fetch, verify and unpack the archives of ASVspoof 2017 Version 2.0; download_asvspoof2017.sh calls it.

Needs Python's own library alone, so that it runs before anything is installed. What bears its final name in the folder
is whole: downloads grow as `NAME.part`, archives unpack into `.NAME.tmp`.
"""

import argparse
import shlex
import shutil
import stat
import struct
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import resumable
from afn.common import errors, files
from afn.common.errors import UserError
from resumable import say

# Edinburgh DataShare, https://datashare.ed.ac.uk/handle/10283/3055: archives by the folder they unpack to, the
# protocols first, which say what the others must hold.
ARCHIVES = {
    "protocol_V2": "dbf267c4-517e-4193-9cdf-c8eadc82ec78",
    "ASVspoof2017_V2_train": "4c7e2262-fe78-497e-839f-0ceabbbf2d1e",
    "ASVspoof2017_V2_dev": "4daef0d3-f9e8-49e4-9ffc-a7362842a8f2",
    "ASVspoof2017_V2_eval": "77c52086-76ed-4517-a72a-cc94e54a2c0a",
}
DOCUMENTS = {
    "README_V2.txt": "ab9df60c-3909-4667-bff3-09b4925ea00a",
    "CHANGE_LOG_V2.txt": "f2efb1ab-0620-440d-92f5-dc8be29fbccc",
    "Instructions_V2.txt": "fa4160e0-616c-41d7-9c8b-87107d02d3f9",
}
# The first address is the one that people see; where it answers with a page for browsers, the second is asked.
ADDRESSES = ("bitstreams/{}/download", "server/api/core/bitstreams/{}/content")

# The protocol of each folder of recordings and its hash, as in corpora/asvspoof2017.py, which needs more than Python's
# own library. No hashes of the archives themselves are published.
PROTOCOLS = {
    "ASVspoof2017_V2_train": "ASVspoof2017_V2_train.trn.txt",
    "ASVspoof2017_V2_dev": "ASVspoof2017_V2_dev.trl.txt",
    "ASVspoof2017_V2_eval": "ASVspoof2017_V2_eval.trl.txt",
}
SHA256 = {
    "ASVspoof2017_V2_train.trn.txt": "6a84217c6f65146283ab81e39588b4c6e111cc08e193521dda4e99e0137651c8",
    "ASVspoof2017_V2_dev.trl.txt": "7ef3740cb4377b5d0f621da1f9c3679569cfa575a9056b711c6bf34e982c15d8",
    "ASVspoof2017_V2_eval.trl.txt": "fbb281ba8195ce6272b6a3aaaeb6c41086349e808a3ad88e1dcfad2575db5557",
}


class DamagedError(Exception):
    """The archive's bytes are not those that were packed."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--base-url", required=True)
    parser.add_argument("--keep-archives", action="store_true")
    arguments = parser.parse_args()
    folder: Path = arguments.folder.resolve()
    resumable.check_address(arguments.base_url)
    folder.mkdir(parents=True, exist_ok=True)
    for name, bitstream in ARCHIVES.items():
        if (folder / name).exists():
            found = verify(name, folder / name, folder, f"move {folder / name} away and run this again")
            say(f"{name}: {found}; stands already")
            continue
        archive = folder / f"{name}.zip"
        obtain(addresses(arguments.base_url, bitstream), archive, name)
        if not arguments.keep_archives:
            archive.unlink()
    for name, bitstream in DOCUMENTS.items():
        if not (folder / name).exists():
            try:
                resumable.fetch(addresses(arguments.base_url, bitstream), folder / name)
            except UserError as error:  # the corpus is complete without its leaflets
                say(f"warning: {error}")
    setting = shlex.quote(f"corpus.root={folder}")
    say(f"{folder}: complete; prepare it with ./run.sh --corpus asvspoof2017 --set {setting} -2")


def addresses(base: str, bitstream: str) -> list[str]:
    """Where a file may be had, in the order of asking."""
    return [f"{base.rstrip('/')}/{form.format(bitstream)}" for form in ADDRESSES]


def obtain(urls: Sequence[str], archive: Path, name: str) -> None:
    """Fetch `archive` unless it is there, and unpack it beside itself as the folder `name`; a damaged one once more."""
    for last in (False, True):
        if not archive.exists():
            say(f"{archive.name}: fetching")
            resumable.fetch(urls, archive)
        say(f"{archive.name}: {archive.stat().st_size} bytes, sha256 {files.sha256(archive)}")
        try:
            say(f"{name}: {unpack(archive, name)}")
            return
        except DamagedError as error:
            archive.unlink()
            if last:
                raise UserError(f"{archive}: damaged ({error}), twice; removed, try again later") from None
            say(f"{archive.name}: damaged ({error}); fetching it anew")


def unpack(archive: Path, name: str) -> str:
    """Unpack a zip file into the folder `name` beside it, verified, or not at all; what `verify` says of it.

    Raises DamagedError when it is cut short or a checksum is wrong; UserError when an entry would leave the folder or
    is no plain file, when something is missing, and when it does not fit on the disk.
    """
    stage = archive.with_name(f".{name}.tmp")
    shutil.rmtree(stage, ignore_errors=True)
    try:
        with zipfile.ZipFile(archive) as packed:
            entries = [entry for entry in packed.infolist() if not entry.filename.startswith("__MACOSX/")]
            _check(archive, entries)
            resumable.make_room(archive.parent, sum(entry.file_size for entry in entries))
            stage.mkdir()
            for entry in entries:
                _extract(packed, entry, stage)
        tree = stage / name if (stage / name).is_dir() else stage  # the official archives hold the folder itself
        found = verify(name, tree, archive.parent, f"remove {archive} and run this again")
        tree.replace(archive.with_name(name))
        return found
    except (zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError, ValueError) as error:
        raise DamagedError(str(error) or "it ends too early") from None
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def _check(archive: Path, entries: Sequence[zipfile.ZipInfo]) -> None:
    """Raise UserError for an entry that must not be unpacked, before any is."""
    seen: set[str] = set()
    for entry in entries:
        name, kind = entry.orig_filename, stat.S_IFMT(entry.external_attr >> 16)
        if name.startswith("/") or ".." in PurePosixPath(name).parts:
            wrong = "would leave the folder"
        elif not name or any(character in name for character in "\0\\:"):
            wrong = "has no safe name"
        elif kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            wrong = "is not a plain file"
        elif entry.flag_bits & 0x1:
            wrong = "is encrypted"
        elif name in seen:
            wrong = "stands there twice"
        else:
            seen.add(name)
            continue
        raise UserError(f"{archive}: the entry {name!r} {wrong}; nothing was unpacked, do not trust this archive")


def _extract(packed: zipfile.ZipFile, entry: zipfile.ZipInfo, stage: Path) -> None:
    path = stage / entry.filename
    try:
        (path if entry.is_dir() else path.parent).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{path}: cannot be made ({error.strerror}); nothing was unpacked") from None
    if not entry.is_dir():
        with packed.open(entry) as source, resumable.opened(path, "xb") as target:
            while chunk := source.read(resumable.CHUNK):
                resumable.write(target, chunk, path)


def verify(name: str, tree: Path, folder: Path, mend: str) -> str:
    """What `tree`, the unpacked folder `name`, holds, in words. Raises UserError, with the `mend`, for what it lacks.

    The protocols are compared with their known hashes (another one is a warning, as when the corpus is prepared); a
    folder of recordings must hold every one that its protocol in `folder` lists.
    """
    there = {path.name for path in tree.iterdir()}
    if name == "protocol_V2":
        listed, unit = list(SHA256), "protocols"
    else:
        text = (folder / "protocol_V2" / PROTOCOLS[name]).read_text(encoding="utf-8-sig", errors="replace")
        listed, unit = [line.split()[0] for line in text.split("\n") if line.strip()], "recordings"
    if missing := [file for file in listed if file not in there]:
        raise UserError(f"{name}: {len(missing)} of {len(listed)} {unit} are missing, {missing[0]} first; {mend}")
    for file in listed if name == "protocol_V2" else ():
        if (found := files.sha256(tree / file)) != SHA256[file]:
            say(f"warning: {file}: sha256 {found} is not that of the published file; going on")
    return f"{len(listed)} {unit}"


if __name__ == "__main__":
    errors.run(main)
