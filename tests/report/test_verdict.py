"""What the words say about the numbers."""

from __future__ import annotations

from dbgan.report.differences import Difference, Differences
from dbgan.report.table import Scores
from dbgan.report.verdict import Warned, headline, merged, score_warnings, sentences


def scores(images: int = 2, **psnr: float) -> Scores:
    return Scores(("city",), {(row, "city", "psnr_rgb"): value for row, value in psnr.items()}, {"city": images})


def test_half_a_db_under_the_input_is_no_warning_and_more_is() -> None:
    found = score_warnings(scores(input=25.0, l1=25.2, minus=24.5, base=24.4))
    assert [warning.about for warning in found] == ["city"]
    assert "base is 0.60 dB under the blurry input" in found[0].words


def test_an_l1_that_is_not_above_its_input_is_called_broken() -> None:
    (found,) = score_warnings(scores(input=25.0, l1=25.0))
    assert "training is broken" in found.words


def test_a_run_that_restores_nothing_says_so_in_the_headline() -> None:
    assert headline(scores(input=25.0, l1=24.0, base=23.0)) == (
        "No variant restores city: the best, l1, is 1.00 dB under the blurry input"
    )


def test_plus_is_compared_with_control_by_their_paired_difference() -> None:
    def said(low: float, high: float) -> str:
        paired = Differences("city", (Difference("plus", "control", 40, 0.25, (low, high), 0.75, "images"),))
        lines = sentences(scores(input=25.0, plus=26.5, control=26.25), {"city": paired})
        return next(text for text in lines if "(plus)" in text)

    assert "+0.25 dB (95 % interval +0.10 to +0.40 over 40 images)" in said(0.1, 0.4)
    assert "(95 % interval -0.10 to +0.60 over 40 images; zero is among them, so this may be chance)" in said(-0.1, 0.6)


def test_few_test_images_are_admitted_and_many_are_not_mentioned() -> None:
    assert any("2 test pairs" in text for text in sentences(scores(2, input=25.0, l1=26.0), {}))
    assert not any("test pairs" in text for text in sentences(scores(1111, input=25.0, l1=26.0), {}))


def test_equal_warnings_are_said_once_with_all_they_are_about() -> None:
    assert merged([Warned("a", "same"), Warned("b", "other"), Warned("c", "same")]) == [
        Warned("a, c", "same"),
        Warned("b", "other"),
    ]


def test_an_ssim_that_falls_while_psnr_rises_is_said_in_headline_sentence_and_warning() -> None:
    values = {("input", "psnr_rgb"): 25.0, ("input", "ssim"): 0.80, ("input", "ssim_matlab3d"): 0.90}
    values |= {("l1", "psnr_rgb"): 25.2, ("l1", "ssim"): 0.79, ("l1", "ssim_matlab3d"): 0.91}
    given = Scores(("city",), {(row, "city", metric): value for (row, metric), value in values.items()}, {"city": 200})
    assert (
        headline(given) == "l1 restores city to 25.20 dB, 0.20 dB above its blurry input, but its SSIM falls below it"
    )
    assert "while SSIM (0.7900 against 0.8000) falls below that of the input." in sentences(given, {})[0]
    (found,) = score_warnings(given)
    assert "l1 gains 0.20 dB of PSNR, but SSIM (0.7900 against 0.8000) falls below the blurry input" in found.words
