"""Who pays for numpy: nobody but who learns or reads."""

import subprocess
import sys


def test_commands_and_fronts_do_without_numpy() -> None:
    """All that `filterd run` and other commands import is without it; what learns is not."""
    program = (
        "import sys, filterd.cli, filterd.app, filterd.app.learner, filterd.milter.listener\n"
        "print('numpy' in sys.modules)\n"
        "import filterd.app.learning\n"
        "print('numpy' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]
