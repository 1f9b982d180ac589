"""The release binary: one static, hardened file."""

import os
import re
import subprocess

import pytest


@pytest.fixture(scope="module")
def release(binary):
    if "/build/release/" not in binary:
        pytest.skip("BERTH does not name the release build")
    return binary


def readelf(path, *flags):
    return subprocess.run(["readelf", "-W", *flags, path], capture_output=True, text=True, check=True).stdout


def test_ldd_says_that_it_is_static(release):
    result = subprocess.run(["ldd", release], capture_output=True, text=True, check=False)
    assert "statically linked" in result.stdout or "not a dynamic executable" in result.stdout + result.stderr
    assert "=>" not in result.stdout


def test_position_independent(release):
    assert re.search(r"Type:\s+DYN", readelf(release, "-h"))
    segments = readelf(release, "-l")
    assert "INTERP" not in segments


def test_no_libraries(release):
    dynamic = readelf(release, "-d")
    for tag in ("NEEDED", "RPATH", "RUNPATH", "TEXTREL"):
        assert f"({tag})" not in dynamic


def test_full_relro(release):
    assert "GNU_RELRO" in readelf(release, "-l")
    dynamic = readelf(release, "-d")
    assert "BIND_NOW" in dynamic or "NOW" in dynamic


def test_stack_is_not_executable(release):
    stack = next(line for line in readelf(release, "-l").splitlines() if "GNU_STACK" in line)
    assert " RW " in stack and "RWE" not in stack


def test_no_segment_is_writable_and_executable(release):
    assert not re.search(r"LOAD.* RWE ", readelf(release, "-l"))


def test_stack_protector_and_fortify(release):
    """Stripped, so the symbols are gone; the texts of the failures are not."""
    with open(release, "rb") as file:
        content = file.read()
    assert b"stack smashing detected" in content
    assert b"buffer overflow detected" in content


def test_control_flow_protection(release):
    """Every function that may be called indirectly starts with endbr64."""
    with open(release, "rb") as file:
        assert file.read().count(b"\xf3\x0f\x1e\xfa") > 100


def test_stripped_and_small(release):
    assert os.path.getsize(release) < 3 << 20
    assert "no symbols" in subprocess.run(["nm", release], capture_output=True, text=True, check=False).stderr


def test_no_path_of_the_build_machine(release):
    top = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))).encode()
    with open(release, "rb") as file:
        assert top not in file.read()


def test_not_setuid(release):
    assert os.stat(release).st_mode & 0o6000 == 0
