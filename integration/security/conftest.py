import hashlib

import pytest

from harness.canary import Canary


@pytest.fixture
def canary(bundle, directory):
    """A tree of the host; the test fails if anything in it changed."""
    made = Canary(f"{directory}/canary-{bundle.new_id()}")
    yield made
    made.check()


@pytest.fixture(autouse=True)
def binary_unchanged(binary):
    """The runtime's own file is out of every container's reach (CVE-2019-5736)."""
    def fingerprint():
        with open(binary, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()

    before = fingerprint()
    yield
    assert fingerprint() == before


@pytest.fixture
def attack(container):
    """attack(bundle): runs it; either it is refused with one line, or it runs. Gives the result."""
    def run(made, *flags, **options):
        with container(made) as box:
            result = box.run(*flags, **options)
            if not result.ok:
                assert result.error
            return result
    return run
