"""Writing a run that is to be sent later, by W&B's own program, from a folder that holds all it needs."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from reprokit.errors import RemoteError
from reprokit.mirrors.interface import Exported
from reprokit.mirrors.wandb import address
from reprokit.mirrors.wandb.client import folders, presenting, shown, storing
from reprokit.mirrors.wandb.client.offer import Offer
from reprokit.mirrors.wandb.client.voice import Voice
from reprokit.mirrors.wandb.wire import Export

_NOT_YET = "nothing is mirrored by this: once that command has sent it, `reprokit push --mirror wandb` checks it"
_LINEAGE = "the link to the bundle that it reproduces can only be made online, by `reprokit push --mirror wandb`"


def export(offer: Offer, asked: Export, voice: Voice) -> Exported:
    """Write what a push would send into a folder, with copies of the bundle's files in it.

    The folder is the working directory meanwhile, and has to be so when W&B's program sends it: then the paths in it
    lead to the copies, wherever the folder has been moved to.
    """
    scratch, folder = Path.cwd(), Path(asked.folder)
    folders.work_in(folder, keep=True)
    os.environ["WANDB_DIR"] = str(folder)
    voice.doing("writing", of=offer.octets)
    run = presenting.begin_offline(offer, voice, run_id=next(iter(offer.run_ids())))
    presenting.show(offer, shown.lack(offer, None), run, scratch)
    made = storing.artifact(offer, entity=offer.options.entity, policy="mutable", link=scratch / "bundle")
    run.log_artifact(made, aliases=storing.aliases(offer))
    run.finish(exit_code=offer.exit_code)
    written = sorted(each.name for each in (folder / "wandb").glob("offline-run-*"))
    if not written:
        raise RemoteError("W&B's client wrote nothing", hint=f"see whether `{folder}` can be written to")
    where = "" if address.is_service(asked.address) else f"WANDB_BASE_URL={shlex.quote(asked.address)} "
    remarks = [*offer.remarks, *([_LINEAGE] if offer.original else []), _NOT_YET]
    return Exported(
        folder=asked.folder,
        command=f"cd {shlex.quote(asked.folder)} && {where}wandb sync wandb/{shlex.quote(written[-1])}",
        remarks=remarks,
    )
