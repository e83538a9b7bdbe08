from webhook.compose.clock import SystemClock
from webhook.flows.checks import CheckResult, Checks
from webhook.policy.catalog import read_catalog
from webhook.policy.version import PolicyVersion
from webhook.rego.ast import Source

POLICY = Source(
    "policies/images.rego",
    """# METADATA
# custom: {name: images, version: 1.0.0}
package gradate.images

deny contains "no image" if not input.request.object.spec.image
""",
)
TEST = Source(
    "policy-tests/images_test.rego",
    """package gradate.images_test

import data.gradate.images

test_no_image_is_denied if images.deny["no image"] with input as {}
""",
)
BROKEN = "package gradate.sysctls_test\n\ntest_sysctls if {\n"


def version() -> PolicyVersion:
    (found,) = read_catalog([POLICY]).policies
    return found


async def check(*tests: Source) -> CheckResult:
    return await Checks(None, SystemClock()).run(version(), tests)


async def test_a_broken_test_of_another_policy_keeps_nobody_waiting_and_is_named() -> None:
    broken = Source("policy-tests/sysctls_test.rego", BROKEN)
    left_out = (
        "left out, since it does not compile and does not name this policy: policy-tests/sysctls_test.rego"
    )
    assert await check(TEST, broken) == CheckResult(passed=True, message=f"1 unit test passed; {left_out}")
    assert await check(broken) == CheckResult(
        passed=True, message=f"no unit tests refer to this policy; {left_out}"
    )


async def test_a_broken_test_that_names_the_policy_keeps_it_from_beginning() -> None:
    for naming in ("import data.gradate.images\n", 'x := data["gradate"]["images"]\n', "# images\n"):
        result = await check(TEST, Source("policy-tests/more_test.rego", BROKEN + naming))
        assert not result.passed
        assert result.message.startswith("the unit tests do not compile: ")
        assert "policy-tests/more_test.rego:" in result.message


async def test_a_test_that_does_not_compile_with_the_policy_keeps_it_from_beginning() -> None:
    unsafe = Source("policy-tests/images_test.rego", TEST.text + "\ntest_unsafe if x == images.deny\n")
    result = await check(unsafe)
    assert not result.passed
    assert "images_test.rego:7:" in result.message
