import gzip
import io
import tarfile

import msgspec
import pytest

from webhook.rego.bundle import load_plan_bundle
from webhook.rego.errors import CompileError

PLAN = msgspec.json.encode({"plans": {"plans": [{"name": "t/allow", "blocks": []}]}})


def archive(**files: bytes) -> bytes:
    """Pack files; a double underscore in a name stands for a slash, a single one for a dot."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo("/" + name.replace("__", "/").replace("_", "."))
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def test_a_bundle_gives_its_plan_and_its_data_by_folder() -> None:
    bundle = load_plan_bundle(
        archive(
            plan_json=PLAN,
            data_json=b'{"x": {"one": 1}}',
            x__y__data_json=b'{"two": 2}',
            x__y__t_rego=b"package t",
        )
    )

    assert [plan.name for plan in bundle.policy.plans] == ["t/allow"]
    assert bundle.data == {"x": {"one": 1, "y": {"two": 2}}}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"no archive", "not a gzipped tar file"),
        (b"", "not a gzipped tar file"),
        (gzip.compress(b"no tar" * 200), "not a gzipped tar file"),
        (archive(data_json=b"{}"), "no plan.json"),
        (archive(plan_json=b"{"), "plan.json"),
        (archive(plan_json=PLAN, data_json=b"[]"), "must be an object"),
        (archive(plan_json=PLAN, data_json=b"{"), "data.json"),
        (archive(plan_json=PLAN, data_json=b'{"x": 1}', x__data_json=b'{"y": 2}'), "already defined"),
        (archive(plan_json=PLAN)[:60], "not a gzipped tar file"),
    ],
    # An archive holds the time it was made, which every process of the suite would see differently.
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_broken_bundle_is_refused_with_the_reason(content: bytes, message: str) -> None:
    with pytest.raises(CompileError) as caught:
        load_plan_bundle(content)

    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "rego_plan_error"
    assert message in diagnostic.message


def test_a_bundle_that_unpacks_to_too_much_is_refused() -> None:
    with pytest.raises(CompileError, match="larger than"):
        load_plan_bundle(archive(plan_json=PLAN, big_bin=bytes(65 * 1024 * 1024)))
