"""What the tasks need that YAML cannot say."""


def picture(document):
    """Give the picture a question is about."""
    return [document["picture"].convert("RGB")]


def no_picture(document):
    """Give nothing: this question is text."""
    return []


def question(document, lmms_eval_specific_kwargs=None):
    """Ask for the tint."""
    return "Which tint is this? " + (lmms_eval_specific_kwargs or {}).get("post_prompt", "")


def judge(document, results):
    """Score one answer."""
    return {"tint_named": float(results[0] == document["answer"])}
