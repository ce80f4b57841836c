"""suite.py COUNTS MODULE...: runs the tests of the modules and writes into COUNTS how many passed and failed."""

import pathlib
import sys
import unittest

suite = unittest.defaultTestLoader.loadTestsFromNames(sys.argv[2:])
result = unittest.TextTestRunner(verbosity=2).run(suite)
bad = {getattr(test, "test_case", test).id() for test, _ in result.failures + result.errors}
pathlib.Path(sys.argv[1]).write_text(f"# pass {result.testsRun - len(bad)}\n# fail {len(bad)}\n")
sys.exit(bool(bad))
