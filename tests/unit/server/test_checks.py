from webhook.server.checks import Checks, Health, NamedHealth, all_well, report_checks

WELL = NamedHealth("snapshot", Health(ok=True, note="generation 3"))
ILL = NamedHealth("certificate", Health(ok=False, note="expired\nlong ago"))


def test_checks_are_asked_anew_each_time_in_their_order() -> None:
    checks, state = Checks(), {"ok": False}
    checks.add("first", lambda: Health(ok=state["ok"]))
    checks.add("second", lambda: Health(ok=True))
    assert not all_well(checks.look())
    state["ok"] = True
    assert all_well(checks.look())
    assert [one.name for one in checks.look()] == ["first", "second"]


def test_when_all_is_well_one_word_says_so_unless_more_is_asked() -> None:
    assert report_checks("readyz", [WELL], verbose=False) == "ok"
    assert (
        report_checks("readyz", [WELL], verbose=True) == "[+]snapshot ok: generation 3\nreadyz check passed\n"
    )


def test_a_failed_check_is_always_named_with_its_reason_on_one_line() -> None:
    assert report_checks("readyz", [WELL, ILL], verbose=False) == (
        "[+]snapshot ok: generation 3\n[-]certificate failed: expired | long ago\nreadyz check failed\n"
    )
