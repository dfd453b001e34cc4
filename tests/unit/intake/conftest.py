"""A specs folder for each test of the room."""

import pytest
from specs_folder import SpecsFolder, workflow


@pytest.fixture
def folder() -> SpecsFolder:
    return SpecsFolder()


@pytest.fixture
def etl(folder: SpecsFolder) -> SpecsFolder:
    """One workflow in force: two steps, in etl.yaml."""
    folder.write("etl.yaml", workflow("etl", "one", "two")).look()
    return folder
