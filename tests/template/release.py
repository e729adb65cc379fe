"""When a deployment gives the functions a new version: infra/release.sh, and what SAM makes of its answer."""

import copy
import logging
import pathlib
import shutil
import subprocess
import tempfile
import unittest

from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

ROOT = pathlib.Path(__file__).resolve().parents[2]
TEMPLATE = yaml_parse((ROOT / "template.yaml").read_text())
FUNCTIONS = {name for name, each in TEMPLATE["Resources"].items() if each["Type"] == "AWS::Serverless::Function"}

logging.disable(logging.WARNING)  # the translator's, which are about its own inside


class NoManagedPolicies:
    """The functions have roles of their own, so SAM looks none up."""

    def load(self):
        return {}


def versions(code="one", **parameters):
    """The logical ids of the functions' versions, as CloudFormation makes them of the packaged template."""
    template = copy.deepcopy(TEMPLATE)
    for name in FUNCTIONS:
        template["Resources"][name]["Properties"]["CodeUri"] = f"s3://artifacts/{name}-{code}"
    processed = transform(template, {"Providers": "[]", **parameters}, NoManagedPolicies())
    found = {name for name, each in processed["Resources"].items() if each["Type"] == "AWS::Lambda::Version"}
    assert len(found) == len(FUNCTIONS), found
    return found


class Versions(unittest.TestCase):
    def test_every_function_gets_a_new_version_with_a_new_release_and_none_without(self):
        first, again, second = (versions(Release=release) for release in ("a" * 40, "a" * 40, "b" * 40))
        self.assertEqual(first, again)
        self.assertFalse(first & second)
        # What is new is in the release already.
        self.assertEqual(first, versions(code="two", Release="a" * 40))

    def test_without_a_release_new_code_is_a_new_version(self):
        self.assertEqual(versions(), versions(Release=""))
        self.assertFalse(versions() & versions(code="two"))

    def test_a_parameter_alone_is_seen_by_the_release_and_by_nothing_else(self):
        # Why there is a release at all. When this fails, SAM has learned it.
        self.assertEqual(versions(), versions(SettingsUrl="https://accounts.magento.cloud/elsewhere"))


class Release(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.build, self.parameters = self.folder / "build", self.folder / "parameters.yaml"
        (self.build / "StatusFunction").mkdir(parents=True)
        (self.build / "StatusFunction/bootstrap").write_bytes(b"\x7fELF")
        (self.build / "template.yaml").write_text("Resources: {}\n")
        self.parameters.write_text("# An environment.\nPublicOrigin: https://accounts.magento.cloud\nFlowsPerSecond: 10\n")

    def release(self, build=None):
        told = subprocess.run(
            [ROOT / "infra/release.sh", build or self.build, self.parameters], check=True, capture_output=True, text=True
        ).stdout.strip()
        # What the parameter takes.
        self.assertRegex(told, TEMPLATE["Parameters"]["Release"]["AllowedPattern"])
        self.assertNotEqual(told, "")
        return told

    def test_the_same_build_and_parameters_are_the_same_release_wherever_they_are(self):
        elsewhere = self.folder / "elsewhere"
        shutil.copytree(self.build, elsewhere, copy_function=shutil.copy)
        self.assertEqual(self.release(), self.release(elsewhere))
        self.parameters.write_text("\n  # Said otherwise.\n" + self.parameters.read_text().partition("\n")[2])
        self.assertEqual(self.release(), self.release(elsewhere))

    def test_other_code_another_template_and_another_value_are_other_releases(self):
        seen = {self.release()}
        for change in (
            lambda: (self.build / "StatusFunction/bootstrap").write_bytes(b"\x7fELF2"),
            lambda: (self.build / "template.yaml").write_text("Resources: {A: {}}\n"),
            lambda: self.parameters.write_text(self.parameters.read_text().replace("10", "11")),
            lambda: (self.build / "StatusFunction").rename(self.build / "UnlinkFunction"),
        ):
            change()
            seen.add(self.release())
        self.assertEqual(len(seen), 5)


if __name__ == "__main__":
    unittest.main()
