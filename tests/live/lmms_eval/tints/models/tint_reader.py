"""A model without weights: it answers with the tint that the first pixel of the picture is nearest to."""

from lmms_eval.api.model import lmms
from lmms_eval.api.registry import register_model

TINTS = {"red": (255, 0, 0), "green": (0, 128, 0), "blue": (0, 0, 255), "white": (255, 255, 255), "black": (0, 0, 0)}


def nearest(pixel):
    """Name the tint with the smallest squared distance."""
    return min(TINTS, key=lambda name: sum((one - other) ** 2 for one, other in zip(TINTS[name], pixel, strict=True)))


@register_model("tint_reader")
class TintReader(lmms):
    """Options: `model_version`, a name for the results; `fails_at`, the request at which it breaks down."""

    def __init__(self, model_version="tint-reader", fails_at=-1, **_):
        super().__init__()
        self.fails_at = int(fails_at)

    def generate_until(self, requests):
        """Answer each request."""
        return [self.answer(at, *request.args) for at, request in enumerate(requests)]

    def answer(self, at, question, settings, see, document, task, split):
        """Answer one; without a picture the answer is always `yes`."""
        if at == self.fails_at:
            raise RuntimeError("the model breaks down here, as it was told to")
        pictures = see(self.task_dict[task][split][document])
        return nearest(pictures[0].convert("RGB").getpixel((0, 0))) if pictures else "yes"

    def loglikelihood(self, requests):
        """Not asked for by these tasks."""
        raise NotImplementedError

    def generate_until_multi_round(self, requests):
        """Not asked for by these tasks."""
        raise NotImplementedError
