import unittest

from main import frequencies


def counts(text, **options):
    return [(item["word"], item["count"]) for item in frequencies(text, **options)["frequencies"]]


class Frequencies(unittest.TestCase):
    def test_words_are_ranked_by_count_then_alphabetically(self):
        self.assertEqual(counts("b a c b a c c"), [("c", 3), ("a", 2), ("b", 2)])

    def test_case_is_folded_unless_it_counts(self):
        self.assertEqual(counts("Go go"), [("go", 2)])
        self.assertEqual(counts("Go go", case_sensitive=True), [("Go", 1), ("go", 1)])

    def test_apostrophes_join_and_underscores_part(self):
        self.assertEqual(counts("don't 'quoted' a_b"), [("a", 1), ("b", 1), ("don't", 1), ("quoted", 1)])

    def test_letters_of_all_scripts_are_words(self):
        self.assertEqual(counts("Straße, 東京!"), [("straße", 1), ("東京", 1)])

    def test_limit_cuts_the_list_but_not_the_totals(self):
        result = frequencies("a b c", limit=1)
        self.assertEqual((len(result["frequencies"]), result["total"], result["unique"]), (1, 3, 3))

    def test_short_words_can_be_left_out(self):
        self.assertEqual(counts("a bb ccc", min_length=2), [("bb", 1), ("ccc", 1)])

    def test_an_empty_text_has_no_words(self):
        self.assertEqual(frequencies(""), {"frequencies": [], "total": 0, "unique": 0})


if __name__ == "__main__":
    unittest.main()
