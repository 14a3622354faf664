import numpy as np

from fdd_flower.privacy.subjects import kept


def test_the_first_records_of_each_subject_count():
    rng = np.random.default_rng(0)
    for most in (1, 2, 5):
        subjects = rng.integers(-3, 9, 60)
        seen, wanted = dict[int, int](), []
        for place, subject in enumerate(subjects.tolist()):
            seen[subject] = seen.get(subject, 0) + 1
            if seen[subject] <= most:
                wanted.append(place)
        assert kept(subjects, most).tolist() == wanted
    assert kept(np.zeros(0, dtype=np.int64), 3).tolist() == []


def test_a_subject_has_no_say_in_which_records_of_others_count():
    subjects = np.random.default_rng(1).integers(0, 8, 50)
    places = kept(subjects, 3)
    for gone in range(8):
        others = np.flatnonzero(subjects != gone)
        assert others[kept(subjects[others], 3)].tolist() == [
            place for place in places if subjects[place] != gone
        ]
