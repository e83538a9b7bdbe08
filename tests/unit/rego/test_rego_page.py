from docs.follow_rule import PAGE, PARTS, fill_in


def test_the_documented_forms_of_a_rule_are_those_it_takes() -> None:
    page = PAGE.read_text()

    assert page == fill_in(page), "run `make docs`"


def test_every_form_is_on_the_page() -> None:
    page = PAGE.read_text()

    assert [name for name in PARTS if f"<!-- follow_rule: {name} -->" not in page] == []
