from tests.cli.conftest import here as here
