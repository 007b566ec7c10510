import unittest

from main import greet


class Greeting(unittest.TestCase):
    def test_it_names_who_is_greeted(self):
        self.assertEqual(greet("Ada"), {"greeting": "Hello, Ada!"})


if __name__ == "__main__":
    unittest.main()
