"""`python -m infra.cli`: the command `rushes` where it is not on the path."""

import sys

from infra.cli.main import main

sys.exit(main())
