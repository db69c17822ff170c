from __future__ import annotations

from dataclasses import replace

import numpy as np

from vidprod.ops.bitmask import BitMask
from vidprod.ops.text_boxes import Box
from vidprod.ops.text_style import End, Line, agreement, rejoined, subtitles, together, without_doubles

SIZE = 640, 360
MASK = BitMask(0, 0, 0, 0, "")


def line(first: int, stop: int, box: Box | None = None, *, came: End = End.SWITCH, left: End = End.SWITCH) -> Line:
    box = box or Box(200, 320, 440, 346)
    return Line(first, stop, first / 25, stop / 25, box, MASK, (250.0, 250.0, 250.0), came, left, False, MASK)


FILM = [line(0, 40), line(50, 90, Box(150, 321, 490, 347)), line(95, 130, Box(180, 319, 460, 346)), line(140, 180)]
SIGN = Box(30, 290, 90, 330)


def test_what_comes_and_goes_together_is_one_event() -> None:
    lines = [line(10, 40), line(11, 39, Box(180, 290, 460, 316)), line(41, 60)]
    assert [len(group) for group in together(lines)] == [2, 1]


def test_what_was_followed_twice_counts_once() -> None:
    twice = line(12, 30, Box(198, 318, 430, 348), left=End.UNCLEAR)
    assert without_doubles([twice, line(10, 40)]) == [line(10, 40)]
    assert len(without_doubles([line(10, 40), line(41, 60)])) == 2


def test_signs_that_come_and_go_with_their_shot_are_kept_out() -> None:
    sign = line(60, 120, SIGN, came=End.EDGE, left=End.EDGE)
    events, others = subtitles([*FILM, sign], SIZE)
    assert [group[0] for group in events] == FILM
    assert others == [[sign]]


def test_a_subtitle_that_begins_with_a_shot_is_known_by_its_looks() -> None:
    late = line(200, 240, came=End.EDGE, left=End.EDGE)
    events, others = subtitles([*FILM, late], SIZE)
    assert len(events) == 5
    assert others == []


def test_what_looks_like_nothing_else_in_this_film_is_kept_out() -> None:
    other = replace(line(60, 120, SIGN), colour=(200.0, 30.0, 30.0))
    assert subtitles([*FILM, other], SIZE)[1] == [[other]]


def test_a_subtitle_moved_to_the_top_is_still_one() -> None:
    moved = line(200, 240, Box(200, 20, 440, 46))
    assert subtitles([*FILM, moved], SIZE)[1] == []


def test_in_a_film_with_little_text_everything_proven_counts() -> None:
    lines = [line(10, 40), line(50, 90, Box(30, 290, 110, 330))]
    assert len(subtitles(lines, SIZE)[0]) == 2


def test_without_any_proof_only_what_stands_in_the_middle_all_the_time_counts() -> None:
    def alone(box: Box, left: End = End.EDGE) -> int:
        return len(subtitles([line(0, 100, box, came=End.EDGE, left=left)], SIZE)[0])

    assert alone(Box(200, 320, 440, 346)) == 1
    assert alone(SIGN) == 0
    assert alone(Box(200, 320, 440, 346), End.UNCLEAR) == 0


def test_text_that_is_much_too_high_is_none() -> None:
    assert subtitles([line(0, 50, Box(100, 250, 500, 350))], SIZE) == ([], [])


def test_standing_through_a_cut_is_proof() -> None:
    assert replace(line(0, 100, came=End.EDGE, left=End.EDGE), crossed=True).proven


def test_agreement_counts_height_baseline_alignment_and_colour() -> None:
    one = line(0, 10)
    assert agreement(one, one, 640) == 4
    assert agreement(one, replace(one, colour=(20.0, 20.0, 20.0)), 640) == 3
    assert agreement(one, line(0, 10, Box(200, 20, 440, 46)), 640) == 3
    assert agreement(one, line(0, 10, SIGN), 640) == 1  # the colour


def signs(first: int, stop: int, seed: int = 0, *, came: End = End.UNCLEAR, left: End = End.UNCLEAR) -> Line:
    """A line of which the mask is random: another one for another seed."""
    mask = np.random.default_rng(seed).random((26, 240)) > 0.5
    return replace(line(first, stop, came=came, left=left), signs=BitMask.pack(mask, 200, 320))


def test_a_line_lost_before_something_of_its_colour_is_one_line() -> None:
    (one,) = rejoined([signs(30, 60, left=End.SWITCH), signs(10, 25, came=End.SWITCH)])
    assert (one.first, one.stop, one.start, one.end, one.came, one.left) == (10, 60, 0.4, 2.4, End.SWITCH, End.SWITCH)


def test_lines_that_say_something_else_or_were_plainly_gone_stay_two() -> None:
    assert len(rejoined([signs(10, 25), signs(30, 60, seed=1)])) == 2
    assert len(rejoined([signs(10, 25, left=End.SWITCH), signs(30, 60)])) == 2
    assert len(rejoined([signs(10, 25), signs(30, 60, came=End.SWITCH)])) == 2
    assert len(rejoined([signs(10, 25), signs(60, 90)])) == 2  # 1.4 s


def test_a_line_of_which_one_end_is_not_plain_belongs_to_the_one_beside_it() -> None:
    upper = Box(200, 290, 440, 316)
    lines = [line(10, 40), line(18, 40, upper, came=End.UNCLEAR)]
    assert [len(group) for group in together(lines)] == [2]
    assert [len(group) for group in together([lines[0], line(18, 40, upper)])] == [1, 1]
    assert [len(group) for group in together([lines[0], replace(lines[1], box=Box(10, 40, 90, 66))])] == [1, 1]
    assert [len(group) for group in together([lines[0], replace(lines[1], colour=(20.0, 20.0, 20.0))])] == [1, 1]


def test_unproven_text_has_to_stand_where_subtitles_do() -> None:
    """A label in a still shot, alike in height, alignment and colour."""
    label = line(60, 120, Box(200, 280, 300, 306), came=End.UNCLEAR, left=End.EDGE)
    assert subtitles([*FILM, label], SIZE)[1] == [[label]]
