import os
import tempfile
import unittest

import main
from main import execute


class Execute(unittest.TestCase):
    def setUp(self):
        self.place = tempfile.TemporaryDirectory()
        self.folder = self.place.name
        self.addCleanup(self.place.cleanup)

    def python(self, code, **more):
        return execute("python", code, folder=self.folder, **more)

    def test_it_prints_reads_and_fails(self):
        result = self.python("import sys; print(input()); print('oops', file=sys.stderr); sys.exit(3)", stdin="hi\n")
        self.assertEqual(result, {"stdout": "hi\n", "stderr": "oops\n", "exit_code": 3, "files": []})

    def test_files_that_are_new_or_changed_are_named(self):
        for name in ("kept", "changed"):
            with open(os.path.join(self.folder, name), "w") as file:
                file.write("x")
        code = "import os; open('changed', 'a').write('y'); os.makedirs('a/b'); open('a/b/new', 'w')"
        self.assertEqual(self.python(code)["files"], ["a/b/new", "changed"])

    def test_files_that_must_be_there(self):
        with self.assertRaisesRegex(FileNotFoundError, "not in the mission's folder: none.txt"):
            self.python("pass", files=["none.txt"])

    def test_a_signal_and_a_syntax_error_are_seen(self):
        self.assertEqual(self.python("import os; os.kill(os.getpid(), 9)")["exit_code"], 137)
        self.assertIn("SyntaxError", self.python("def")["stderr"])

    def test_an_endless_program_is_stopped_with_all_that_it_started(self):
        main.SECONDS, before = 1, main.SECONDS
        try:
            code = "import subprocess, sys; subprocess.Popen(['sleep', '60']); print('up', flush=True)\nwhile True: pass"
            result = self.python(code)
        finally:
            main.SECONDS = before
        self.assertEqual((result["stdout"], result["exit_code"]), ("up\n", 124))

    def test_a_flood_is_cut(self):
        result = self.python("print('ä' * 3_000_000)")
        self.assertTrue(result["stdout"].endswith("… the rest is left out\n"))
        self.assertEqual(result["exit_code"], 0)

    def test_javascript_runs_as_a_module(self):
        result = execute("javascript", "console.log(await Promise.resolve(6 * 7))", folder=self.folder)
        self.assertEqual((result["stdout"], result["exit_code"]), ("42\n", 0))


if __name__ == "__main__":
    unittest.main()
