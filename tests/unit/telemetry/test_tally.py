import msgspec
from hypothesis import given
from hypothesis import strategies as st

from webhook.telemetry.tally import Tally, TallyReport, observe
from webhook.telemetry.vocabulary import EVALUATION_SECONDS, REQUESTS, SHED

DURATIONS = st.lists(st.integers(0, 10**10))


def test_counts_add_up_by_labels() -> None:
    tally = Tally()
    tally.count(REQUESTS, ("validate", "200"))
    tally.count(REQUESTS, ("validate", "200"), 2)
    tally.count(REQUESTS, ("mutate", "200"))
    tally.count(SHED)
    assert sorted(tally.counts(REQUESTS)) == [(("mutate", "200"), 1), (("validate", "200"), 3)]
    assert tally.counts(SHED) == [((), 1)]


def test_a_duration_falls_into_the_bucket_whose_bound_it_does_not_exceed() -> None:
    tally = Tally()
    bounds = EVALUATION_SECONDS.bounds_ns
    for value_ns in (0, bounds[0], bounds[0] + 1, bounds[-1], bounds[-1] + 1):
        observe(EVALUATION_SECONDS, tally.histogram(EVALUATION_SECONDS, ("p", "1")), value_ns)
    ((_, cells),) = tally.cells(EVALUATION_SECONDS)
    assert (cells[0], cells[1], cells[len(bounds) - 1], cells[len(bounds)]) == (2, 1, 1, 1)
    assert cells[-1] == 2 * bounds[0] + 1 + 2 * bounds[-1] + 1


def test_a_report_empties_the_tally() -> None:
    tally = Tally()
    tally.count(SHED)
    cell = tally.counter(SHED)
    assert tally.take() != TallyReport()
    assert tally.take() == TallyReport()
    cell[0] += 2
    assert tally.take().counters == ((SHED.name, (), 2),)


@given(DURATIONS, DURATIONS)
def test_reports_sent_in_pieces_add_up_to_the_whole(first: list[int], second: list[int]) -> None:
    whole, part, total = Tally(), Tally(), Tally()
    for piece in (first, second):
        for value_ns in piece:
            for tally in (whole, part):
                observe(EVALUATION_SECONDS, tally.histogram(EVALUATION_SECONDS, ("p", "1")), value_ns)
                tally.count(REQUESTS, ("validate", "200"))
        wire = msgspec.msgpack.encode(part.take())
        total.add(msgspec.msgpack.decode(wire, type=TallyReport))
    assert total.take() == whole.take()


def test_what_another_version_counts_is_left_out() -> None:
    tally = Tally()
    strange = TallyReport(
        counters=(("gradate_news", (), 1),),
        histograms=((EVALUATION_SECONDS.name, ("p", "1"), (1, 2, 3)), ("gradate_new_seconds", (), (1,))),
    )
    tally.add(strange)
    assert tally.take() == TallyReport()
