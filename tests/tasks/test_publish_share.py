"""What names a share: all that its codes and parcels hang on, and no key."""

from pathlib import Path

from data_contracts.contract import Contract
from tasks.fit import FittedModel
from tasks.publish_share import share_content
from tasks.run import Run
from tasks.sealing_keys import new_age_key, new_symmetric_key
from tests.models.representation.people import contract

MODEL = FittedModel(model="0123456789", path="people/models/0123456789", rows={}, reused=False)


def named(agreed: Contract) -> str:
    return share_content(Run(contract=agreed, store="", work=""), MODEL)


def test_a_share_is_named_by_which_keys_lie_behind_their_names(tmp_path: Path) -> None:
    recipients = [{"name": "clinic", "key": "file:clinic.key"},
                  {"name": "insurer", "key": "file:insurer.key"}]  # fmt: skip
    agreed = contract(recipients=recipients, holder="file:holder.key")
    agreed = agreed.model_copy(update={"folder": tmp_path})
    keys = {name: new_symmetric_key() for name in ("clinic", "insurer", "holder")}
    for name, key in keys.items():
        (tmp_path / f"{name}.key").write_text(key)
    first = named(agreed)
    assert named(agreed) == first
    for name, key in keys.items():
        (tmp_path / f"{name}.key").write_text(new_symmetric_key())
        assert named(agreed) != first
        (tmp_path / f"{name}.key").write_text(key)
        assert named(agreed) == first
    (tmp_path / "clinic.key").write_text(keys["insurer"])
    (tmp_path / "insurer.key").write_text(keys["clinic"])
    assert named(agreed) != first


def test_the_secret_half_of_an_age_key_changes_no_name(tmp_path: Path) -> None:
    secret, public = new_age_key()
    agreed = contract(recipients=[{"name": "clinic", "key": "file:clinic.key"}])
    agreed = agreed.model_copy(update={"folder": tmp_path})
    found = []
    for line in (secret, public):
        (tmp_path / "clinic.key").write_text(line)
        found.append(named(agreed))
    assert found[0] == found[1]
