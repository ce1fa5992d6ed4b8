"""What no line of this repository may do: run text as code or as a shell command, or unpickle files of others."""

import ast

import pytest

from afn.common.paths import ROOT

SOURCES = sorted(path for folder in ("src", "utils", "bench") for path in (ROOT / folder).rglob("*.py"))
FORBIDDEN = {
    *("eval", "exec", "os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput"),
    *("pickle.load", "pickle.loads", "joblib.load", "marshal.loads", "yaml.load", "yaml.unsafe_load", "yaml.full_load"),
    *("ssl._create_unverified_context", "tempfile.mktemp", "tarfile.open", "shutil.unpack_archive"),
}


def calls(path):
    """Every call in a file: its name as written, its keyword arguments where they are constants, and its line."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            constants = {word.arg: word.value.value for word in node.keywords if isinstance(word.value, ast.Constant)}
            yield ast.unparse(node.func), constants, node.lineno


def test_nothing_runs_text_or_trusts_a_file():
    assert len(SOURCES) > 100
    for path in SOURCES:
        check(path)


def check(path):
    for name, arguments, line in calls(path):
        assert name not in FORBIDDEN, f"{path}:{line}: {name}"
        assert not arguments.get("shell"), f"{path}:{line}: a shell"
        assert not arguments.get("allow_pickle"), f"{path}:{line}: pickled arrays"
        assert name != "torch.load" or arguments.get("weights_only") is True, f"{path}:{line}: a checkpoint's code"
        assert not name.endswith("extractall"), f"{path}:{line}: an archive may leave its folder"
        assert arguments.get("verify", True) and arguments.get("check_hostname", True), (
            f"{path}:{line}: no verification"
        )


def test_the_rules_find_what_they_forbid(tmp_path):
    sample = tmp_path / "a.py"
    sample.write_text("eval(x)\nsubprocess.run(y, shell=True)\ntorch.load(z)\n")
    assert [(name, arguments) for name, arguments, _ in calls(sample)] == [
        ("eval", {}),
        ("subprocess.run", {"shell": True}),
        ("torch.load", {}),
    ]
    with pytest.raises(AssertionError, match=r"a\.py:1: eval"):
        check(sample)
