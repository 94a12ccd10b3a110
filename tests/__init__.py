"""The tests, their helpers, and the benchmarks."""

import os
import sys

# Commands under test start as they do for users: from bytecode that is kept. Some environments ask for none. Then each
# start compiles every module anew and takes three times as long, and there are more than a thousand starts.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
